"""What the backends must compute, written from the formulas: dense complex128 tensors, differentiable, nothing of ours.

Qubit 0 is the most significant bit of a basis state, a controlled gate takes its control first, the first qubit of a
gate is the more significant bit of its matrix, angles are radians. A gate is `(name, qubits)`; a fixed unitary is
`("unitary", qubits, matrix)`. Angle vectors are consumed in the order of the gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

GateTuple = tuple[Any, ...]  # (name, qubits) or ("unitary", qubits, matrix)


def _complex(rows: list[list[complex]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.complex128)


PAULI = {
    "I": _complex([[1, 0], [0, 1]]),
    "X": _complex([[0, 1], [1, 0]]),
    "Y": _complex([[0, -1j], [1j, 0]]),
    "Z": _complex([[1, 0], [0, -1]]),
}
_ONE = (PAULI["I"] - PAULI["Z"]) / 2  # |1><1|


def _kron(*matrices: Tensor) -> Tensor:
    return reduce(torch.kron, matrices)


def _pair(letter: str) -> Tensor:
    return _kron(PAULI[letter], PAULI[letter])


def _rotation(generator: Tensor, angles: Tensor) -> Tensor:
    """exp(-i angle generator) for angles (batch, 1), through the eigenvectors of the generator.

    Not `torch.linalg.matrix_exp`: of a single complex128 matrix of small norm it is off by up to 2e-10 (torch 2.13).
    """
    values, vectors = torch.linalg.eigh(generator)
    return (vectors * torch.exp(-1j * angles * values)[:, None, :]) @ vectors.mH


def _fixed_rotation(generator: Tensor, angle: float) -> Tensor:
    return _rotation(generator, torch.tensor([[angle]], dtype=torch.float64))[0]


# gate = exp(-i angle generator); angle is fixed for the gates that take none.
_PI = torch.pi
_GENERATORS: dict[str, Tensor] = {
    "rx": PAULI["X"] / 2,
    "ry": PAULI["Y"] / 2,
    "rz": PAULI["Z"] / 2,
    "p": -_ONE,
    "crx": _kron(_ONE, PAULI["X"] / 2),
    "cry": _kron(_ONE, PAULI["Y"] / 2),
    "crz": _kron(_ONE, PAULI["Z"] / 2),
    "cp": -_kron(_ONE, _ONE),
    "rxx": _pair("X") / 2,
    "ryy": _pair("Y") / 2,
    "rzz": _pair("Z") / 2,
}
_FIXED: dict[str, Tensor] = {
    "h": (PAULI["X"] + PAULI["Z"]) / 2**0.5,
    "x": PAULI["X"],
    "y": PAULI["Y"],
    "z": PAULI["Z"],
    **{name: _fixed_rotation(_ONE, -angle)
       for name, angle in {"s": _PI / 2, "sdg": -_PI / 2, "t": _PI / 4, "tdg": -_PI / 4}.items()},
    # exp(i pi |1><1| (1 - P) / 2) = |0><0| (x) 1 + |1><1| (x) P, for P^2 = 1
    **{f"c{letter.lower()}": _fixed_rotation(_kron(_ONE, (PAULI["I"] - PAULI[letter]) / 2), -_PI)
       for letter in "XYZ"},
    "swap": (_pair("I") + _pair("X") + _pair("Y") + _pair("Z")) / 2,
}  # fmt: skip

N_ANGLES: dict[str, int] = {**dict.fromkeys(_FIXED, 0), **dict.fromkeys(_GENERATORS, 1), "u3": 3, "unitary": 0}
ONE_QUBIT = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "p", "u3")
TWO_QUBIT = ("cx", "cy", "cz", "swap", "crx", "cry", "crz", "cp", "rxx", "ryy", "rzz")


def gate_matrix(name: str, angles: Tensor) -> Tensor:
    """Matrices (batch, d, d) of a gate for angles (batch, number of its angles)."""
    if name in _FIXED:
        return _FIXED[name].expand(angles.shape[0], -1, -1)
    if name == "u3":  # OpenQASM 2: U(theta, phi, lambda) = P(phi) RY(theta) P(lambda)
        theta, phi, lam = angles.split(1, dim=1)
        return gate_matrix("p", phi) @ gate_matrix("ry", theta) @ gate_matrix("p", lam)
    return _rotation(_GENERATORS[name], angles)


def apply(matrix: Tensor, psi: Tensor, qubits: Sequence[int]) -> Tensor:
    """Apply matrices (batch, 2**k, 2**k) to k qubits of amplitudes (batch, 2**n)."""
    n = psi.shape[1].bit_length() - 1
    order = [0, *[1 + q for q in qubits], *[1 + q for q in range(n) if q not in qubits]]
    inverse = sorted(range(n + 1), key=order.__getitem__)
    moved = psi.reshape(-1, *[2] * n).permute(order)
    acted = matrix @ moved.reshape(psi.shape[0], 2 ** len(qubits), -1)
    return acted.reshape(moved.shape).permute(inverse).reshape(psi.shape)


def evolve(gates: Sequence[GateTuple], psi: Tensor, angles: Tensor) -> Tensor:
    """U(angles) psi for amplitudes (batch, 2**n) and angles (batch, n_angles)."""
    psi, angles, used = psi.to(torch.complex128), angles.double(), 0
    for name, qubits, *fixed in gates:
        taken = angles[:, used : used + N_ANGLES[name]]
        used += N_ANGLES[name]
        psi = apply(fixed[0].expand(len(psi), -1, -1) if fixed else gate_matrix(name, taken), psi, qubits)
    assert used == angles.shape[1]
    return psi


def unitary(gates: Sequence[GateTuple], n_qubits: int, angles: Tensor) -> Tensor:
    """The matrix U(angles) of one sample, (2**n, 2**n), for angles (n_angles,)."""
    columns = torch.eye(2**n_qubits, dtype=torch.complex128)
    return evolve(gates, columns, angles.expand(len(columns), -1)).T


def zero_state(n_qubits: int, batch: int) -> Tensor:
    """|0...0>, (batch, 2**n)."""
    return torch.eye(1, 2**n_qubits, dtype=torch.complex128).repeat(batch, 1)


def expectation(psi: Tensor, string: str) -> Tensor:
    """<psi|P|psi> of a Pauli string, one letter per qubit, of normalised states: (batch,)."""
    acted = psi
    for qubit, letter in enumerate(string):
        acted = apply(PAULI[letter], acted, [qubit])
    return ((psi.conj() * acted).sum(1) / (psi.conj() * psi).sum(1)).real


def readouts(psi: Tensor) -> Tensor:
    """All X, then all Y, then all Z: (batch, 3 n)."""
    n = psi.shape[1].bit_length() - 1
    strings = ["I" * q + letter + "I" * (n - q - 1) for letter in "XYZ" for q in range(n)]
    return torch.stack([expectation(psi, string) for string in strings], 1)


def fidelity(a: Tensor, b: Tensor) -> Tensor:
    """|<a|b>|^2 / (<a|a> <b|b>), (batch,)."""
    overlap = (a.conj() * b).sum(1).abs() ** 2
    return overlap / ((a.conj() * a).sum(1) * (b.conj() * b).sum(1)).real


def entropies(psi: Tensor) -> Tensor:
    """Von Neumann entropies in nats of the cuts 0..i | i+1..n-1, (batch, n - 1)."""
    n = psi.shape[1].bit_length() - 1
    cuts = []
    for k in range(1, n):
        p = torch.linalg.svdvals(psi.reshape(-1, 2**k, 2 ** (n - k))) ** 2
        p = p / p.sum(1, keepdim=True)
        cuts.append(-(p * torch.log(p.clamp(min=1e-300))).sum(1))
    return torch.stack(cuts, 1) if cuts else psi.real.new_zeros(len(psi), 0)
