"""Gates on the qubits of one dense tensor, and one-qubit readouts from it. Shared by all backends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from backends.planning import ContractionPlan, ContractionPlanner, Labels
from backends.sums import total


def apply_gates(
    planner: ContractionPlanner,
    tensor: Tensor,  # (batch, left, 2**width, right)
    gates: Sequence[tuple[tuple[int, ...], Tensor]],
) -> Tensor:  # (batch, left, 2**width, right)
    """Apply gates, given as (qubits counted within the tensor, matrix), in order, as one planned contraction.

    A matrix is (2**k, 2**k), or (batch, 2**k, 2**k) with its own values for every sample. Axes of size 2 between these,
    (batch, 2, ..., 2**k, 2**k), stand for the first qubits that the gate does not act on: a matrix for each of their
    values.
    """
    if not gates:
        return tensor
    legs = [matrix.reshape(*matrix.shape[:-2], *[2] * (2 * len(qubits))) for qubits, matrix in gates]
    batch, left, size, right = tensor.shape
    split = tensor.reshape(batch, left, *[2] * (size.bit_length() - 1), right)
    return plan_gates(planner, tuple(tensor.shape), gates)(split, *legs).reshape(tensor.shape)


def plan_gates(
    planner: ContractionPlanner, shape: tuple[int, ...], gates: Sequence[tuple[tuple[int, ...], Tensor]]
) -> ContractionPlan:
    """Return the plan by which `apply_gates` serves a tensor of this shape (batch, left, 2**width, right)."""
    batch, left, size, right = shape
    width = size.bit_length() - 1
    inputs, output = _labels(width, tuple((qubits, matrix.dim() - 2) for qubits, matrix in gates))
    legs = [(*matrix.shape[:-2], *[2] * (2 * len(qubits))) for qubits, matrix in gates]
    return planner.plan(inputs, output, [(batch, left, *[2] * width, right), *legs])


@lru_cache(maxsize=1024)
def _labels(width: int, gates: tuple[tuple[tuple[int, ...], int], ...]) -> tuple[tuple[Labels, ...], Labels]:
    """Index labels: wire k carries `k.0`, `k.1`, ... from gate to gate."""
    version = [0] * width
    inputs: list[Labels] = [("batch", "left", *[f"{k}.0" for k in range(width)], "right")]
    for qubits, leading in gates:
        others = [f"{k}.{version[k]}" for k in range(width) if k not in qubits]
        before = [f"{qubit}.{version[qubit]}" for qubit in qubits]
        for qubit in qubits:
            version[qubit] += 1
        after = [f"{qubit}.{version[qubit]}" for qubit in qubits]
        inputs.append((*["batch", *others][:leading], *after, *before))
    return tuple(inputs), ("batch", "left", *[f"{k}.{version[k]}" for k in range(width)], "right")


def one_qubit_readouts(
    bra: Tensor,  # (batch, left, 2**width, right)
    ket: Tensor,  # (batch, left, 2**width, right)
) -> tuple[Tensor, Tensor, Tensor]:  # each (batch, width)
    """Return X, Y and Z of the qubits of a tensor, not normalised, in double precision.

    `ket` is `bra` times Hermitian environments, or `bra` itself where the environments are identities. With
    rho = ket bra^dagger of one qubit: X = 2 Re rho_10, Y = 2 Im rho_10, Z = rho_00 - rho_11.
    """
    batch, left, size, _ = bra.shape
    xs, ys, zs = [], [], []
    for k in range(size.bit_length() - 1):
        split = (batch, left * 2**k, 2, -1)
        bra_0, bra_1 = bra.reshape(split).unbind(2)
        ket_0, ket_1 = ket.reshape(split).unbind(2)
        flip = _inner(bra_0, ket_1)
        xs.append(2 * flip.real)
        ys.append(2 * flip.imag)
        zs.append((_inner(bra_0, ket_0) - _inner(bra_1, ket_1)).real)
    return torch.stack(xs, -1), torch.stack(ys, -1), torch.stack(zs, -1)


def _inner(bra: Tensor, ket: Tensor) -> Tensor:
    """<bra|ket> of tensors (batch, ...), (batch,) in double precision."""
    return total(bra.conj() * ket)
