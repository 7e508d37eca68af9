"""A gate program arranged for an MPS: what happens on one block, on two neighbouring blocks, and farther apart.

Gates are gathered as long as they act within the same one or two neighbouring blocks, so that they cost one
contraction and, for two blocks, one truncation. Gates on different blocks commute; nothing else is reordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from backends.circuits.fusion import G
from backends.mps.layout import Layout


@dataclass(frozen=True)
class Operation(Generic[G]):
    """Gates on the sites `first..last`. More than two sites means one single gate between the two ends."""

    first: int
    last: int
    gates: tuple[G, ...]

    @property
    def needs_centre(self) -> bool:
        """Whether a bond is truncated, so that the canonical centre must be within the sites."""
        return self.last > self.first


@dataclass
class _Group(Generic[G]):
    first: int
    last: int
    gates: list[G] = field(default_factory=list)


def next_centre(operations: Sequence[Operation[Any]], index: int) -> int:
    """First site of the next operation that truncates, after number `index` and looking on into the next timestep."""
    following = (*operations[index + 1 :], *operations)
    return next(operation.first for operation in following if operation.needs_centre)


def schedule(gates: Iterable[G], layout: Layout) -> tuple[Operation[G], ...]:
    """Return the operations that carry out the gates on this layout, in order."""
    open_groups: list[_Group[G]] = []
    done: list[Operation[G]] = []

    def close(groups: list[_Group[G]]) -> None:
        for group in sorted(groups, key=lambda group: group.first):
            open_groups.remove(group)
            done.append(Operation(group.first, group.last, tuple(group.gates)))

    for gate in gates:
        sites = [layout.find(qubit)[0] for qubit in gate.qubits]
        first, last = min(sites), max(sites)
        touched = [group for group in open_groups if group.first <= last and group.last >= first]
        union = _Group[G](min([first, *(g.first for g in touched)]), max([last, *(g.last for g in touched)]))
        if union.last - union.first > 1:
            close(touched)
            union, touched = _Group[G](first, last), []
        for group in touched:
            open_groups.remove(group)
            union.gates += group.gates
        union.gates.append(gate)
        open_groups.append(union)
        if last - first > 1:
            close([union])
    close(list(open_groups))
    return tuple(done)
