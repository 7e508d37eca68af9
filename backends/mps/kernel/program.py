"""A circuit compiled for the MPS kernel: tables of operations on sites, with the centre's way through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.kernels.eager import eager
from backends.kernels.pairs import OPERATION, Atom, Constants, PairOperation, atom_table, operation_row
from backends.mps.kernel.tables import FAR, MOVE, SPLIT, WITHIN, Op, Place, Site, Sizes, Stop, Tables, records
from backends.mps.layout import Layout
from backends.mps.schedule import Operation, next_centre


@dataclass(frozen=True, eq=False)
class MPSProgram:
    """What the kernel interprets, for states whose centre is at one given site."""

    tables: Tables
    constants: Constants

    @property
    def centre(self) -> int:
        """Where the centre is afterwards."""
        return self.tables.sizes.centre

    @property
    def numbers_in_work(self) -> int:
        """Complex numbers for each lane that a thread works on in the backward: all slots, work space, two states."""
        state = sum(int(site["left"] * site["width"] * site["right"]) for site in self.tables.sites)
        sizes = self.tables.sizes
        return sizes.slots + sizes.far + 3 * sizes.area + 2 * state


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
        self.ops: list[Op] = []
        self.places: list[Place] = []
        self.operations: list[tuple[Any, ...]] = []
        self.atoms: list[Atom] = []
        self.slots: list[int] = []
        self.stops: list[Stop] = []
        self.splits = 0
        self.forward, self.backward = 1, 1  # numbers in the work space
        self.shapes: list[tuple[int, int]] = [(1, 1)]
        sizes = [left * width * right for left, width, right in layout.shapes()]
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].tolist()
        self.sites = [Site(start, *shape) for start, shape in zip(starts, layout.shapes(), strict=True)]

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
        first, start = len(self.stops), 0
        sites = range(operation.first, operation.last + 1)
        for site in sites if rightwards else reversed(sites):
            stop, start = self._stop(site, start, rightwards, is_end=site in ends, is_last=site == ends[1])
            self.stops.append(stop)
        (gate,) = operation.gates
        stops = (first, len(self.stops), int(self.layout.find(gate.target)[0] == ends[0]))
        gates = (len(self.places), len(self.places) + 1)
        self.places.append(Place(0, 0, 0, 0, 0))  # each of its qubits acts within a site of its own
        strides = self._stride(gate.target), self._stride(gate.selector)
        self.operations.append(operation_row(gate, *strides, self.atoms))
        self._append(FAR, operation.first, gates, start, rightwards=rightwards, splits=len(sites) - 1, stops=stops)
        self.centre = ends[1]

    def _stop(self, site: int, start: int, rightwards: bool, *, is_end: bool, is_last: bool) -> tuple[Stop, int]:
        """A stop, its matrices from `start` on, and where they end."""
        _, left, width, right = self.sites[site]
        near, ahead = (left, right) if rightwards else (right, left)
        size, gram = near * width * ahead, 4 * near * near
        rows, columns = near * width, 2 * ahead
        inner = 0 if is_last else 1
        sizes = [size, gram, gram, 2 * size, inner * rows * (rows + 1), inner * rows * columns]
        sizes += [inner * ahead * columns, 2 * size if is_end else 0]
        *starts, end = (start + np.cumsum([0, *sizes])).tolist()
        self.forward = max(self.forward, 2 * near * width * (ahead if is_last else columns), rows * columns)
        self._needs(max(rows, 2 * near), max(columns, 2 * near), backward=max(2 * size, rows * columns, gram))
        return Stop(site, *starts), end

    def _stride(self, qubit: int | None) -> int:
        """The stride of a qubit within its own site."""
        assert qubit is not None
        site, position = self.layout.find(qubit)
        return self.sites[site].right * (self.sites[site].width >> (position + 1))

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
        stops: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.ops.append(Op(kind, site, int(rightwards), *gates, sum(self.slots), self.splits, *stops))
        self.slots.append(slot)
        self.splits += splits

    def _gates(self, operation: Operation[PairOperation]) -> tuple[int, int]:
        first = len(self.places)
        blocks = self.layout.blocks[operation.first : operation.last + 1]
        qubits = [qubit for block in blocks for qubit in block]
        left, right = self.sites[operation.first].left, self.sites[operation.last].right
        stride = {qubit: right << (len(qubits) - 1 - k) for k, qubit in enumerate(qubits)}
        for gate in operation.gates:
            target, selector = stride[gate.target], 0 if gate.selector is None else stride[gate.selector]
            self.places.append(_place(target, selector, left * right << len(qubits)))
            self.operations.append(operation_row(gate, target, selector, self.atoms))
        return first, len(self.places)

    def finish(self, constants: Constants) -> MPSProgram:
        """Return the program."""
        rows, columns = np.max(self.shapes, 0).tolist()
        sizes = Sizes(
            slot=max([1, *self.slots]),
            slots=max(1, sum(self.slots)),
            rows=rows,
            columns=columns,
            centre=self.centre,
            splits=max(1, self.splits),
            far=self.forward,
            area=self.backward,
        )
        tables = Tables(
            records(Op, self.ops),
            records(Stop, self.stops),
            records(Site, self.sites),
            records(Place, self.places),
            np.array(self.operations, OPERATION),
            atom_table(self.atoms),
            sizes,
        )
        return MPSProgram(tables, constants)


def _place(target: int, selector: int, size: int) -> Place:
    """The pairs of a gate with these strides (0: none) on a tensor of `size` numbers."""
    if selector == 0:
        return Place(size // (2 * target), 2 * target, 1, 0, target)
    low, high = sorted((target, selector))
    return Place(size // (2 * high), 2 * high, high // (2 * low), 2 * low, low)
