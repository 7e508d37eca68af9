"""Which gates of a circuit act together: the one pass that fuses gates, for all engines, and groups on few qubits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backends.circuits.circuit import Gate


@dataclass(frozen=True)
class FusedGate:
    """Neighbouring gates that act together: at most one two-qubit gate with the one-qubit gates before and after it.

    `members` are indices into the gates that were fused, in order. `qubits` has one or two entries.
    """

    qubits: tuple[int, ...]
    members: tuple[int, ...]


def fuse(gates: Sequence[Gate]) -> tuple[FusedGate, ...]:
    """Group gates so that every one-qubit gate rides on a two-qubit gate where there is one on its qubit.

    A one-qubit gate waits for the next two-qubit gate on its qubit; what waits at the end joins the last two-qubit
    gate there, or forms a gate of its own. Nothing is reordered across gates that share a qubit.
    """
    waiting: dict[int, list[int]] = defaultdict(list)
    groups: list[tuple[tuple[int, ...], list[int]]] = []
    last_on: dict[int, int] = {}
    for index, gate in enumerate(gates):
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
