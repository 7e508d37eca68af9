"""A circuit compiled for the MPS kernel: tables of operations on sites, with the centre's way through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.kernels.eager import eager
from backends.kernels.pairs import (
    OPERATION,
    Array,
    Atom,
    Constants,
    PairOperation,
    atom_table,
    operation_row,
)
from backends.mps.kernel.timestep import FAR, MOVE, SPLIT, WITHIN
from backends.mps.layout import Layout
from backends.mps.schedule import Operation, next_centre


@dataclass(frozen=True, eq=False)
class MPSProgram:
    """The tables that the kernel interprets, for states whose centre is at one given site.

    `ops` (number, 10): kind; site, the left one of several; whether the centre goes right; first and last gate; where
    the operation keeps its slot; where its rows of `far` begin and how many there are; whether a far gate's target is
    at the near end; number of its first split. `far` (number, 9): see `far.py`. `sites` (number, 4): where
    its numbers begin, left bond, 2**width, right bond. `places` (gates, 7): the pairs of numbers a gate acts on, as
    outer count and stride, inner count and stride, run; and strides of target and selector (0: none); of a far gate
    outer count and stride of the target, then of the selector, each within its own site. `operations` and `atoms` are
    those of `pairs`. `sizes`: numbers in the largest slot and in all slots, most rows and most columns of a
    matrix, the site of the centre afterwards, number of splits, numbers in the work space forward and backward.
    """

    ops: Array
    far: Array
    sites: Array
    places: Array
    operations: Array
    atoms: Array
    constants: Constants
    sizes: Array

    @property
    def centre(self) -> int:
        """Where the centre is afterwards."""
        return int(self.sizes[4])

    @property
    def numbers_in_work(self) -> int:
        """Complex numbers for each lane that a thread works on in the backward: all slots, work space, two states."""
        state = sum(int(left * width * right) for _, left, width, right in self.sites)
        return int(self.sizes[1] + self.sizes[6] + 3 * self.sizes[7]) + 2 * state

    @property
    def tables(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """The integer tables, in the order in which the kernel takes them."""
        return self.ops, self.far, self.sites, self.places, self.operations, self.atoms


def serves(schedule: Sequence[Operation[PairOperation]]) -> bool:
    """Whether the kernel has all operations: a far gate must be one that selects (not RXX, RYY, SWAP)."""
    far = (gate for operation in schedule if operation.last > operation.first + 1 for gate in operation.gates)
    return not any(gate.flips_both for gate in far)


@eager
def compile_schedule(
    schedule: Sequence[Operation[PairOperation]], constants: Constants, layout: Layout, centre: int
) -> MPSProgram:
    """Return the program of a schedule that `serves` approves of."""
    builder = _Builder(layout, centre)
    for index, operation in enumerate(schedule):
        if operation.last > operation.first + 1:
            builder.far(operation)
        elif operation.needs_centre:
            builder.split(operation, rightwards=next_centre(schedule, index) >= operation.last)
        else:
            builder.within(operation)
    return builder.finish(constants)


class _Builder:
    def __init__(self, layout: Layout, centre: int) -> None:
        self.layout, self.centre = layout, centre
        self.ops: list[list[int]] = []
        self.places: list[list[int]] = []
        self.operations: list[tuple[Any, ...]] = []
        self.atoms: list[Atom] = []
        self.slots: list[int] = []
        self.far_rows: list[list[int]] = []
        self.splits = 0
        self.forward, self.backward = 1, 1  # numbers in the work space
        self.shapes: list[tuple[int, int]] = [(1, 1)]
        sizes = [left * width * right for left, width, right in layout.shapes()]
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].tolist()
        self.sites = [[start, *shape] for start, shape in zip(starts, layout.shapes(), strict=True)]

    def within(self, operation: Operation[PairOperation]) -> None:
        """Append gates on one site."""
        self._append(WITHIN, operation.first, self._gates(operation), 0)

    def split(self, operation: Operation[PairOperation], *, rightwards: bool) -> None:
        """Move the centre to the two sites, apply gates, and split them."""
        self._move_to(min(max(self.centre, operation.first), operation.last))
        left, bond, right = self._sizes(operation.first)
        rows, columns = (left, right) if rightwards else (right, left)
        slot = bond * (left + right) + left * right + rows * (rows + 1) + rows * columns
        self._needs(rows, columns, backward=rows * columns)
        self._append(SPLIT, operation.first, self._gates(operation), slot, rightwards=rightwards, splits=1)
        self.centre = operation.last if rightwards else operation.first

    def far(self, operation: Operation[PairOperation]) -> None:
        """Move the centre to the nearer end, apply the gate, and carry the centre to the other end."""
        rightwards = self.centre - operation.first <= operation.last - self.centre
        ends = (operation.first, operation.last) if rightwards else (operation.last, operation.first)
        self._move_to(ends[0])
        begin, start = len(self.far_rows), 0
        sites = range(operation.first, operation.last + 1)
        for site in sites if rightwards else reversed(sites):
            row, start = self._far_row(site, start, rightwards, is_end=site in ends, is_last=site == ends[1])
            self.far_rows.append(row)
        (gate,) = operation.gates
        target = self.layout.find(gate.target)[0]
        far = (begin, len(sites), int(target == ends[0]))
        gates = (len(self.places), len(self.places) + 1)
        (*target_pairs, target_stride), (*selector_pairs, stride) = map(self._far_place, (gate.target, gate.selector))
        self.places.append([*target_pairs, *selector_pairs, 0, target_stride, stride])
        self.operations.append(operation_row(gate, 0, 0, self.atoms))
        self._append(FAR, operation.first, gates, start, rightwards=rightwards, splits=len(sites) - 1, far=far)
        self.centre = ends[1]

    def _far_row(
        self, site: int, start: int, rightwards: bool, *, is_end: bool, is_last: bool
    ) -> tuple[list[int], int]:
        """A row of `far`, its slots from `start` on, and where they end."""
        _, left, width, right = self.sites[site]
        near, ahead = (left, right) if rightwards else (right, left)
        size, gram = near * width * ahead, 4 * near * near
        rows, columns = near * width, 2 * ahead
        inner = 0 if is_last else 1
        sizes = [size, gram, gram, 2 * size, inner * rows * (rows + 1), inner * rows * columns]
        row = [site]
        for numbers in (*sizes, inner * ahead * columns, 2 * size if is_end else 0):
            row.append(start)
            start += numbers
        self.forward = max(self.forward, 2 * near * width * (ahead if is_last else columns), rows * columns)
        self._needs(max(rows, 2 * near), max(columns, 2 * near), backward=max(2 * size, rows * columns, gram))
        return row, start

    def _far_place(self, qubit: int | None) -> tuple[int, int, int]:
        """Outer count and stride of the pairs of a qubit within its own site, and the qubit's stride."""
        assert qubit is not None
        site, position = self.layout.find(qubit)
        _, left, width, right = self.sites[site]
        stride = right * (width >> (position + 1))
        return left * width * right // (2 * stride), 2 * stride, stride

    def _move_to(self, target: int) -> None:
        while self.centre != target:
            self._move(rightwards=self.centre < target)

    def _move(self, *, rightwards: bool) -> None:
        site = self.centre if rightwards else self.centre - 1
        left, bond, right = self._sizes(site)
        rows, other = (left, right) if rightwards else (right, left)
        self._needs(rows, max(bond, other), backward=max(rows, bond) * max(bond, other))
        slot = bond * other + rows * (bond + 1) + bond * bond
        self._append(MOVE, site, (len(self.places),) * 2, slot, rightwards=rightwards, splits=1)
        self.centre += 1 if rightwards else -1

    def _needs(self, rows: int, columns: int, *, backward: int) -> None:
        self.shapes.append((rows, columns))
        self.backward = max(self.backward, backward)

    def _sizes(self, site: int) -> tuple[int, int, int]:
        (_, left, width, bond), (_, _, next_width, right) = self.sites[site : site + 2]
        return left * width, bond, next_width * right

    def _append(
        self,
        kind: int,
        site: int,
        gates: tuple[int, int],
        slot: int,
        *,
        rightwards: bool = False,
        splits: int = 0,
        far: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.ops.append([kind, site, int(rightwards), *gates, sum(self.slots), *far, self.splits])
        self.slots.append(slot)
        self.splits += splits

    def _gates(self, operation: Operation[PairOperation]) -> tuple[int, int]:
        first = len(self.places)
        blocks = self.layout.blocks[operation.first : operation.last + 1]
        qubits = [qubit for block in blocks for qubit in block]
        left, right = self.sites[operation.first][1], self.sites[operation.last][3]
        stride = {qubit: right << (len(qubits) - 1 - k) for k, qubit in enumerate(qubits)}
        for gate in operation.gates:
            self.places.append(_place(gate, stride, left * right << len(qubits)))
            self.operations.append(operation_row(gate, 0, 0, self.atoms))
        return first, len(self.places)

    def finish(self, constants: Constants) -> MPSProgram:
        """Return the tables."""
        slots = [max([1, *self.slots]), max(1, sum(self.slots))]
        splits = [max(1, self.splits), self.forward, self.backward]
        return MPSProgram(
            ops=_table(self.ops, 10),
            far=_table(self.far_rows, 9),
            sites=_table(self.sites, 4),
            places=_table(self.places, 7),
            operations=np.array(self.operations, OPERATION),
            atoms=atom_table(self.atoms),
            constants=constants,
            sizes=np.array([*slots, *np.max(self.shapes, 0), self.centre, *splits], np.int64),
        )


def _place(gate: PairOperation, stride: dict[int, int], size: int) -> list[int]:
    """The row of `MPSProgram.places` of a gate on a tensor of `size` numbers."""
    target = stride[gate.target]
    if gate.selector is None:
        return [size // (2 * target), 2 * target, 1, 0, target, target, 0]
    selector = stride[gate.selector]
    low, high = sorted((target, selector))
    return [size // (2 * high), 2 * high, high // (2 * low), 2 * low, low, target, selector]


def _table(rows: list[list[int]], columns: int) -> Array:
    """Rows of integers as an array (number, columns), also without any row."""
    return np.array(rows, np.int64).reshape(-1, columns)
