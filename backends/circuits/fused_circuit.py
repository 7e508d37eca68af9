"""The matrices of fused gates, built per sample, for engines that work with torch's operations."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from backends.circuits.circuit import Circuit, Gate
from backends.circuits.fusion import FusedGate, fuse
from backends.circuits.gates import from_factors, one_qubit_matrix, schmidt_factors, unit_factors


class FusedCircuit:
    """The fused gates of a circuit and their matrices for given angles.

    Matrices of gates of the same name are built in one call for all of them; a matrix without angles has no batch axis.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.gates: tuple[Gate, ...] = circuit.gates
        self.fused: tuple[FusedGate, ...] = fuse(circuit.gates)
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for index, gate in enumerate(self.gates):
            if gate.slots:
                self._by_name[gate.name].append(index)

    def bind(self, angles: Tensor, dtype: torch.dtype) -> BoundCircuit:
        """Build the pieces of every gate for `angles` (batch, n_angles), in complex `dtype`."""
        pieces: dict[int, Any] = {}  # matrices of one-qubit gates, Schmidt factors of others
        for name, indices in self._by_name.items():
            slots = [self.gates[index].slots for index in indices]
            values = angles[:, torch.tensor(slots, device=angles.device)]  # (batch, gates, n_angles)
            pieces |= zip(indices, _unbind(name, values, dtype), strict=True)
        for index, gate in enumerate(self.gates):
            if gate.matrix is not None:
                matrix = gate.matrix.to(angles.device, dtype)
                pieces[index] = matrix if len(gate.qubits) == 1 else unit_factors(matrix)
            elif not gate.slots:
                one_qubit = len(gate.qubits) == 1
                pieces[index] = (one_qubit_matrix if one_qubit else schmidt_factors)(gate.name, angles[:, :0], dtype)
        return BoundCircuit(self, pieces)


def _unbind(name: str, values: Tensor, dtype: torch.dtype) -> list[Tensor] | list[tuple[Tensor, Tensor]]:
    """Pieces of all gates called `name` from values (batch, gates, n_angles): matrices, or pairs of Schmidt factors."""
    if name in ("rx", "ry", "rz", "p", "u3"):
        return list(one_qubit_matrix(name, values, dtype).unbind(1))
    left, right = schmidt_factors(name, values, dtype)
    lefts = left.unbind(1) if left.dim() == 5 else [left] * values.shape[1]
    rights = right.unbind(1) if right.dim() == 5 else [right] * values.shape[1]
    return list(zip(lefts, rights, strict=True))


class BoundCircuit:
    """A fused circuit with its angles filled in."""

    def __init__(self, circuit: FusedCircuit, pieces: dict[int, Any]) -> None:
        self._gates = circuit.gates
        self._pieces = pieces

    def matrix(self, fused: FusedGate) -> Tensor:
        """Return the matrix of a fused gate: (2, 2) or (4, 4), with a leading batch axis where it has angles."""
        if len(fused.qubits) == 2:
            return from_factors(*self.factors(fused))
        first, *others = fused.members
        matrix: Tensor = reduce(lambda product, member: self._pieces[member] @ product, others, self._pieces[first])
        return matrix

    def factors(self, fused: FusedGate) -> tuple[Tensor, Tensor]:
        """Return operator-Schmidt factors (..., k, 2, 2) of a fused two-qubit gate, first and second qubit."""
        centre = next(k for k, member in enumerate(fused.members) if len(self._gates[member].qubits) == 2)
        left, right = self._pieces[fused.members[centre]]
        factors = dict(zip(fused.qubits, (left, right), strict=True))
        for member in reversed(fused.members[:centre]):
            (qubit,) = self._gates[member].qubits
            factors[qubit] = factors[qubit] @ self._pieces[member].unsqueeze(-3)
        for member in fused.members[centre + 1 :]:
            (qubit,) = self._gates[member].qubits
            factors[qubit] = self._pieces[member].unsqueeze(-3) @ factors[qubit]
        first, second = fused.qubits
        return factors[first], factors[second]
