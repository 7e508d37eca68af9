"""A circuit compiled for the MPS kernel: tables of operations on sites, with the centre's way through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.mps.kernel import MOVE, SPLIT, WITHIN
from backends.mps.layout import Layout
from backends.mps.schedule import Operation, next_centre
from backends.statevector.pairs import Array, Atom, Constants, PairOperation, append_atoms, atom_table, table


@dataclass(frozen=True, eq=False)
class MPSProgram:
    """The tables that the kernel interprets, for states whose centre is at one given site.

    `ops` (number, 6): kind; site, the left one of two; whether the centre goes right; first and last gate; where the
    operation keeps its slot. `sites` (number, 4): where its numbers begin, left bond, 2**width, right bond. `places`
    (gates, 7): the pairs of numbers that a gate acts on, as outer count and stride, inner count and stride, run; and
    strides of target and selector (0: none). `operations` and `atoms` are those of `KernelProgram`. `sizes`: numbers in
    the largest slot and in all slots, most rows and most columns of a matrix, the site of the centre afterwards.
    """

    ops: Array
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
    def tables(self) -> tuple[Array, Array, Array, Array, Array]:
        """The integer tables, in the order in which the kernel takes them."""
        return self.ops, self.sites, self.places, self.operations, self.atoms


def compile_schedule(
    schedule: Sequence[Operation[PairOperation]], constants: Constants, layout: Layout, centre: int
) -> MPSProgram:
    """Return the program of a schedule whose operations act on at most two neighbouring sites each."""
    builder = _Builder(layout, centre)
    for index, operation in enumerate(schedule):
        if operation.needs_centre:
            builder.split(operation, rightwards=next_centre(schedule, index) >= operation.last)
        else:
            builder.within(operation)
    return builder.finish(constants)


class _Builder:
    def __init__(self, layout: Layout, centre: int) -> None:
        self.layout, self.centre = layout, centre
        self.ops: list[list[int]] = []
        self.places: list[list[int]] = []
        self.operations: list[list[int]] = []
        self.atoms: list[Atom] = []
        self.slots: list[int] = []
        self.shapes: list[tuple[int, int]] = [(1, 1)]
        sizes = [left * width * right for left, width, right in layout.shapes()]
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].tolist()
        self.sites = [[start, *shape] for start, shape in zip(starts, layout.shapes(), strict=True)]

    def within(self, operation: Operation[PairOperation]) -> None:
        """Append gates on one site."""
        self._append(WITHIN, operation.first, False, self._gates(operation), 0)

    def split(self, operation: Operation[PairOperation], *, rightwards: bool) -> None:
        """Move the centre to the two sites, apply gates, and split them."""
        target = min(max(self.centre, operation.first), operation.last)
        while self.centre != target:
            self._move(rightwards=self.centre < target)
        left, bond, right = self._sizes(operation.first)
        rows, columns = (left, right) if rightwards else (right, left)
        slot = bond * (left + right) + left * right + rows * (rows + 1) + rows * columns
        self.shapes.append((rows, columns))
        self._append(SPLIT, operation.first, rightwards, self._gates(operation), slot)
        self.centre = operation.last if rightwards else operation.first

    def _move(self, *, rightwards: bool) -> None:
        site = self.centre if rightwards else self.centre - 1
        left, bond, right = self._sizes(site)
        rows, other = (left, right) if rightwards else (right, left)
        self.shapes.append((rows, max(bond, other)))
        self._append(MOVE, site, rightwards, (len(self.places),) * 2, bond * other + rows * (bond + 1) + bond * bond)
        self.centre += 1 if rightwards else -1

    def _sizes(self, site: int) -> tuple[int, int, int]:
        (_, left, width, bond), (_, _, next_width, right) = self.sites[site : site + 2]
        return left * width, bond, next_width * right

    def _append(self, kind: int, site: int, rightwards: bool, gates: tuple[int, int], slot: int) -> None:
        self.ops.append([kind, site, int(rightwards), *gates, sum(self.slots)])
        self.slots.append(slot)

    def _gates(self, operation: Operation[PairOperation]) -> tuple[int, int]:
        first = len(self.places)
        blocks = self.layout.blocks[operation.first : operation.last + 1]
        qubits = [qubit for block in blocks for qubit in block]
        left, right = self.sites[operation.first][1], self.sites[operation.last][3]
        stride = {qubit: right << (len(qubits) - 1 - k) for k, qubit in enumerate(qubits)}
        for gate in operation.gates:
            self.places.append(_place(gate, stride, left * right << len(qubits)))
            self.operations.append([0, 0, *append_atoms(gate, self.atoms)])
        return first, len(self.places)

    def finish(self, constants: Constants) -> MPSProgram:
        """Return the tables."""
        return MPSProgram(
            ops=table(self.ops, 6),
            sites=table(self.sites, 4),
            places=table(self.places, 7),
            operations=table(self.operations, 9),
            atoms=atom_table(self.atoms),
            constants=constants,
            sizes=np.array(
                [max([1, *self.slots]), max(1, sum(self.slots)), *np.max(self.shapes, 0), self.centre], np.int64
            ),
        )


def _place(gate: PairOperation, stride: dict[int, int], size: int) -> list[int]:
    """The row of `MPSProgram.places` of a gate on a tensor of `size` numbers."""
    target = stride[gate.target]
    if gate.selector is None:
        return [size // (2 * target), 2 * target, 1, 0, target, target, 0]
    selector = stride[gate.selector]
    low, high = sorted((target, selector))
    return [size // (2 * high), 2 * high, high // (2 * low), 2 * low, low, target, selector]
