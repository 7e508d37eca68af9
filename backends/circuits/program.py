"""A circuit compiled for simulation: one-qubit gates fused into two-qubit ones, matrices built per sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from backends.circuits.circuit import Circuit, Gate
from backends.circuits.gates import (
    from_factors,
    kron,
    one_qubit_matrix,
    schmidt_factors,
    unit_factors,
)


@dataclass(frozen=True)
class FusedGate:
    """Neighbouring gates that act together: at most one two-qubit gate with the one-qubit gates before and after it.

    `members` are indices into `Circuit.gates`, in order. `qubits` has one or two entries.
    """

    qubits: tuple[int, ...]
    members: tuple[int, ...]


def fuse(circuit: Circuit) -> tuple[FusedGate, ...]:
    """Group the gates so that every one-qubit gate rides on a two-qubit gate where there is one on its qubit.

    A one-qubit gate waits for the next two-qubit gate on its qubit; what waits at the end joins the last two-qubit
    gate there, or forms a gate of its own. Nothing is reordered across gates that share a qubit.
    """
    waiting: dict[int, list[int]] = defaultdict(list)
    groups: list[tuple[tuple[int, ...], list[int]]] = []
    last_on: dict[int, int] = {}
    for index, gate in enumerate(circuit.gates):
        if len(gate.qubits) == 1:
            waiting[gate.qubits[0]].append(index)
            continue
        members = [*sorted(waiting.pop(gate.qubits[0], []) + waiting.pop(gate.qubits[1], [])), index]
        last_on |= dict.fromkeys(gate.qubits, len(groups))
        groups.append((gate.qubits, members))
    for qubit, members in sorted(waiting.items()):
        if qubit in last_on:
            groups[last_on[qubit]][1].extend(members)
        else:
            groups.append(((qubit,), members))
    return tuple(FusedGate(qubits, tuple(members)) for qubits, members in groups)


class _OnQubits(Protocol):
    @property
    def qubits(self) -> Collection[int]: ...


G = TypeVar("G", bound=_OnQubits)


def group_by_qubits(gates: Iterable[G], width: int) -> list[tuple[tuple[int, ...], list[G]]]:
    """Group gates so that a group acts on at most `width` qubits, greedily; returns (sorted qubits, gates) of each.

    A gate that does not fit into a group waits for a later one, and so does all that shares a qubit with it.
    """
    groups, rest = [], list(gates)
    while rest:
        qubits, blocked = set[int](), set[int]()
        now, later = list[G](), list[G]()
        for gate in rest:
            if blocked & set(gate.qubits) or len(qubits | set(gate.qubits)) > width:
                blocked |= set(gate.qubits)
                later.append(gate)
            else:
                qubits |= set(gate.qubits)
                now.append(gate)
        groups.append((tuple(sorted(qubits)), now))
        rest = later
    return groups


class GateProgram:
    """The fused gates of a circuit and their matrices for given angles.

    Matrices of gates of the same name are built in one call for all of them; a matrix without angles has no batch axis.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.gates: tuple[Gate, ...] = circuit.gates
        self.fused: tuple[FusedGate, ...] = fuse(circuit)
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for index, gate in enumerate(self.gates):
            if gate.slots:
                self._by_name[gate.name].append(index)

    def bind(self, angles: Tensor, dtype: torch.dtype) -> BoundProgram:
        """Build the pieces of every gate for `angles` (batch, n_angles), in complex `dtype`."""
        pieces: dict[int, Tensor | tuple[Tensor, Tensor]] = {}
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
        return BoundProgram(self, pieces)


def _unbind(name: str, values: Tensor, dtype: torch.dtype) -> list[Tensor] | list[tuple[Tensor, Tensor]]:
    """Pieces of all gates called `name` from values (batch, gates, n_angles): matrices, or pairs of Schmidt factors."""
    if name in ("rx", "ry", "rz", "p", "u3"):
        return list(one_qubit_matrix(name, values, dtype).unbind(1))
    left, right = schmidt_factors(name, values, dtype)
    lefts = left.unbind(1) if left.dim() == 5 else [left] * values.shape[1]
    rights = right.unbind(1) if right.dim() == 5 else [right] * values.shape[1]
    return list(zip(lefts, rights, strict=True))


class BoundProgram:
    """A gate program with its angles filled in."""

    def __init__(self, program: GateProgram, pieces: dict[int, Tensor | tuple[Tensor, Tensor]]) -> None:
        self._gates = program.gates
        self._pieces = pieces

    def matrix(self, fused: FusedGate) -> Tensor:
        """Return the matrix of a fused gate: (2, 2) or (4, 4), with a leading batch axis where it has angles."""
        if len(fused.qubits) == 1:
            return _product([self._one_qubit(member) for member in fused.members])
        (before_left, before_right), pair, (after_left, after_right) = self._parts(fused)
        matrix = from_factors(*pair)
        matrix = _times(matrix, _kron(before_left, before_right, matrix))
        return _times(_kron(after_left, after_right, matrix), matrix)

    def factors(self, fused: FusedGate) -> tuple[Tensor, Tensor]:
        """Return operator-Schmidt factors (..., k, 2, 2) of a fused two-qubit gate, first and second qubit."""
        (before_left, before_right), (left, right), (after_left, after_right) = self._parts(fused)
        return _dress(left, before_left, after_left), _dress(right, before_right, after_right)

    def _one_qubit(self, member: int) -> Tensor:
        piece = self._pieces[member]
        assert isinstance(piece, Tensor)
        return piece

    def _parts(
        self, fused: FusedGate
    ) -> tuple[tuple[Tensor | None, Tensor | None], tuple[Tensor, Tensor], tuple[Tensor | None, Tensor | None]]:
        """One-qubit products before, the Schmidt factors of the two-qubit gate, one-qubit products after."""
        centre = next(k for k, member in enumerate(fused.members) if len(self._gates[member].qubits) == 2)
        before, after = fused.members[:centre], fused.members[centre + 1 :]
        pair = self._pieces[fused.members[centre]]
        assert isinstance(pair, tuple)
        return self._products(before, fused.qubits), pair, self._products(after, fused.qubits)

    def _products(self, members: tuple[int, ...], qubits: tuple[int, ...]) -> tuple[Tensor | None, Tensor | None]:
        first, second = ([m for m in members if self._gates[m].qubits[0] == qubit] for qubit in qubits)
        return (
            _product([self._one_qubit(m) for m in first]) if first else None,
            _product([self._one_qubit(m) for m in second]) if second else None,
        )


def _product(matrices: list[Tensor]) -> Tensor:
    """Product of matrices that act one after the other, the first in the list first."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = matrix @ result
    return result


def _kron(left: Tensor | None, right: Tensor | None, like: Tensor) -> Tensor | None:
    if left is None and right is None:
        return None
    identity = torch.eye(2, dtype=like.dtype, device=like.device)
    return kron(identity if left is None else left, identity if right is None else right)


def _times(left: Tensor | None, right: Tensor | None) -> Tensor:
    if left is None or right is None:
        result = right if left is None else left
        assert result is not None
        return result
    return left @ right


def _dress(factors: Tensor, before: Tensor | None, after: Tensor | None) -> Tensor:
    """after @ factor_k @ before for every k; (..., k, 2, 2)."""
    if before is not None:
        factors = factors @ before.unsqueeze(-3)
    return factors if after is None else after.unsqueeze(-3) @ factors
