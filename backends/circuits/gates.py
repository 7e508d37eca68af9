"""The gate set: names, numbers of qubits and angles, matrices, and operator-Schmidt factors.

Conventions: RX(a) = exp(-i a X / 2), likewise RY, RZ, RXX, RYY and RZZ; P(a) = diag(1, exp(i a));
U3(theta, phi, lambda) as in OpenQASM 2. Controlled gates take the control first, and the first qubit of a two-qubit
gate is the more significant bit of its 4 x 4 matrix. Angles are radians.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_SQRT_HALF = math.sqrt(0.5)

_CONSTANTS: dict[str, list[list[complex]]] = {
    "i": [[1, 0], [0, 1]],
    "h": [[_SQRT_HALF, _SQRT_HALF], [_SQRT_HALF, -_SQRT_HALF]],
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, _SQRT_HALF * (1 + 1j)]],
    "tdg": [[1, 0], [0, _SQRT_HALF * (1 - 1j)]],
    "swap": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
}


@lru_cache(maxsize=256)
def constant(name: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the fixed matrix called `name` ("i" and the gates without angles), made once per dtype and device."""
    # inference_mode(False): a tensor first made while somebody evaluates must still serve training later.
    with torch.inference_mode(False):
        return torch.tensor(_CONSTANTS[name], dtype=dtype, device=device)


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    """Stack entries of shape (...) into matrices (..., d, d)."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _rx(angles: Tensor, dtype: torch.dtype) -> Tensor:
    half = angles[..., 0] / 2
    cos, sin = torch.cos(half).to(dtype), -1j * torch.sin(half)
    return _matrix([[cos, sin], [sin, cos]])


def _ry(angles: Tensor, dtype: torch.dtype) -> Tensor:
    half = angles[..., 0] / 2
    cos, sin = torch.cos(half), torch.sin(half)
    return _matrix([[cos, -sin], [sin, cos]]).to(dtype)


def _phase_factor(angle: Tensor) -> Tensor:
    return torch.complex(torch.cos(angle), torch.sin(angle))


def _rz(angles: Tensor, dtype: torch.dtype) -> Tensor:
    phase = _phase_factor(-angles[..., 0] / 2)
    return torch.diag_embed(torch.stack([phase, phase.conj()], -1)).to(dtype)


def _p(angles: Tensor, dtype: torch.dtype) -> Tensor:
    phase = _phase_factor(angles[..., 0])
    return torch.diag_embed(torch.stack([torch.ones_like(phase), phase], -1)).to(dtype)


def _u3(angles: Tensor, dtype: torch.dtype) -> Tensor:
    half, phi, lam = angles[..., 0] / 2, angles[..., 1], angles[..., 2]
    cos, sin = torch.cos(half).to(dtype), torch.sin(half).to(dtype)
    # The product of the phases, not the phase of the sum, which would be rounded: unitary at large angles, too.
    left, right = _phase_factor(phi), _phase_factor(lam)
    return _matrix([[cos, -right * sin], [left * sin, left * right * cos]]).to(dtype)


# Rotations of one qubit by angles (..., n_angles).
_ROTATIONS: dict[str, Callable[[Tensor, torch.dtype], Tensor]] = {"rx": _rx, "ry": _ry, "rz": _rz, "p": _p, "u3": _u3}

# A two-qubit gate is described by what it does on its parts, so that its operator-Schmidt rank 2 is known without
# a decomposition: control -> |0><0| (x) 1 + |1><1| (x) target;  pair -> cos(a/2) 1 (x) 1 - i sin(a/2) P (x) P.
CONTROLLED = {"cx": "x", "cy": "y", "cz": "z", "crx": "rx", "cry": "ry", "crz": "rz", "cp": "p"}
_PAIR = {"rxx": "x", "ryy": "y", "rzz": "z"}


@dataclass(frozen=True)
class GateSpec:
    """What the gate set knows of a gate: how many qubits it acts on and how many angles it takes."""

    n_qubits: int
    n_angles: int


GATES: dict[str, GateSpec] = {
    **{name: GateSpec(1, 0) for name in ("h", "x", "y", "z", "s", "sdg", "t", "tdg")},
    **{name: GateSpec(1, 1) for name in ("rx", "ry", "rz", "p")},
    "u3": GateSpec(1, 3),
    **{name: GateSpec(2, 0) for name in ("cx", "cy", "cz", "swap")},
    **{name: GateSpec(2, 1) for name in ("crx", "cry", "crz", "cp", "rxx", "ryy", "rzz")},
}


def one_qubit_matrix(name: str, angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the 2 x 2 matrix of a one-qubit gate.

    `angles` has shape (..., n_angles). The result is (..., 2, 2), or (2, 2) for a gate without angles.
    """
    if name in _ROTATIONS:
        return _ROTATIONS[name](angles, dtype)
    return constant(name, dtype, angles.device)


def schmidt_factors(name: str, angles: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Factor a two-qubit gate as sum_k left_k (x) right_k with as few terms as its operator-Schmidt rank.

    `angles` has shape (..., n_angles). Returns `left` and `right`, each (..., k, 2, 2) or (k, 2, 2): k = 2 for
    controlled and pair rotations, 4 for swap.
    """
    device = angles.device
    if name in CONTROLLED:
        target = one_qubit_matrix(CONTROLLED[name], angles, dtype)
        identity, z = constant("i", dtype, device), constant("z", dtype, device)
        left = torch.stack([identity + z, identity - z]) / 2
        return left, torch.stack([identity.expand_as(target), target], -3)
    if name in _PAIR:
        half = angles[..., 0, None, None, None] / 2
        pauli = torch.stack([constant("i", dtype, device), constant(_PAIR[name], dtype, device)])
        weight = torch.cat([torch.cos(half).to(dtype), -1j * torch.sin(half)], -3)
        return weight * pauli, pauli
    return unit_factors(constant(name, dtype, device))


def unit_factors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Factor any (..., 4, 4) matrix over the four matrix units: left_k = |i><j|, right_k the block (i, j)."""
    blocks = matrix.reshape(*matrix.shape[:-2], 2, 2, 2, 2)  # (..., i, a, j, b)
    right = blocks.transpose(-3, -2).reshape(*matrix.shape[:-2], 4, 2, 2)
    left = torch.eye(4, dtype=matrix.dtype, device=matrix.device).reshape(4, 2, 2)
    return left, right


def from_factors(left: Tensor, right: Tensor) -> Tensor:
    """Return sum_k left_k (x) right_k for factors (..., k, 2, 2), as (..., 4, 4)."""
    return kron(left, right).sum(-3)


def kron(left: Tensor, right: Tensor) -> Tensor:
    """Kronecker product of matrices (..., 2, 2) and (..., 2, 2), batched: (..., 4, 4)."""
    product = left[..., :, None, :, None] * right[..., None, :, None, :]
    return product.reshape(*product.shape[:-4], 4, 4)
