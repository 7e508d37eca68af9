"""A circuit compiled for the kernel: pair operations, grouped into passes over few qubits.

A pair operation applies a 2 x 2 matrix to the pairs of amplitudes that differ in the target qubit (or, `flips_both`, in
target and selector together), one matrix where the selector is 0 and another where it is 1. Every gate has this form:

    one-qubit gates       no selector; neighbours on one qubit are multiplied into one matrix
    controlled gates      selector = control: (1, gate); waiting one-qubit gates of the target are multiplied into both
    rzz                   (RZ(a), RZ(-a)), likewise
    rxx, ryy              flips both: (RX(a), RX(a)) and (RX(-a), RX(a))
    swap                  flips both: (nothing, X)
    unitary on two        three pair operations by its cosine-sine decomposition

The matrices are products of *atoms*, one per gate, so that the kernel can turn a matrix's cotangent into angles'.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import cossin

from backends.circuit import Gate
from backends.gates import CONTROLLED, constant

# Kinds of atoms, as the kernel numbers them.
RX, RY, RZ, P, U3, FIXED = range(6)
_KINDS = {"rx": RX, "ry": RY, "rz": RZ, "p": P, "u3": U3}

# A pass keeps 2**7 rows of state and cotangent in 16 KiB of single precision: half of a usual first-level cache.
PASS_WIDTH = 7

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Atom:
    """One gate's matrix: its kind, the sign of its angle, its first angle slot or the number of its fixed matrix."""

    kind: int
    sign: int
    slot: int


@dataclass(frozen=True)
class PairOperation:
    """See the module's docstring; `atoms` holds the factors of both matrices, the first to act first."""

    target: int
    selector: int | None
    flips_both: bool
    atoms: tuple[tuple[Atom, ...], tuple[Atom, ...]]

    @property
    def qubits(self) -> set[int]:
        """The qubits it acts on."""
        return {self.target} if self.selector is None else {self.target, self.selector}


class _Compiler:
    """Walks through the gates; one-qubit gates wait until a two-qubit gate takes them along."""

    def __init__(self) -> None:
        self.operations: list[PairOperation] = []
        self.fixed: list[Array] = []
        self._waiting: dict[int, list[Atom]] = {}

    def add(self, gate: Gate) -> None:
        if len(gate.qubits) == 1:
            self._waiting.setdefault(gate.qubits[0], []).append(self._atom(gate))
        elif gate.matrix is not None:
            self._add_unitary(gate)
        elif gate.name in CONTROLLED:
            control, target = gate.qubits
            before = self._take(target)
            self._flush(control)
            atom = self._named(CONTROLLED[gate.name], gate.slots)
            self._append(target, control, before, [*before, atom])
        elif gate.name == "rzz":
            target, selector = gate.qubits
            before = self._take(target)
            self._flush(selector)
            (slot,) = gate.slots
            self._append(target, selector, [*before, Atom(RZ, 1, slot)], [*before, Atom(RZ, -1, slot)])
        else:
            self._flush(*gate.qubits)
            (target, selector), (zero, one) = gate.qubits, self._exchange(gate)
            self._append(target, selector, zero, one, flips_both=True)

    def _exchange(self, gate: Gate) -> tuple[list[Atom], list[Atom]]:
        if gate.name == "swap":
            return [], [self._named("x", ())]
        (slot,) = gate.slots
        return [Atom(RX, 1 if gate.name == "rxx" else -1, slot)], [Atom(RX, 1, slot)]

    def _add_unitary(self, gate: Gate) -> None:
        """A two-qubit matrix as diag(u1, u2) [[c, -s], [s, c]] diag(v1, v2), the blocks selected by the first qubit."""
        assert gate.matrix is not None
        first, second = gate.qubits
        self._flush(first, second)
        u, middle, vh = cossin(gate.matrix.numpy(), p=2, q=2)
        for outer in (vh, None, u):
            if outer is not None:
                blocks = outer[:2, :2], outer[2:, 2:]
                self._append(second, first, *[[self._fixed(block)] for block in blocks])
            else:
                rotations = [middle[np.ix_([k, k + 2], [k, k + 2])] for k in (0, 1)]
                self._append(first, second, *[[self._fixed(rotation)] for rotation in rotations])

    def finish(self) -> None:
        self._flush(*sorted(self._waiting))

    def _append(
        self, target: int, selector: int | None, zero: list[Atom], one: list[Atom], *, flips_both: bool = False
    ) -> None:
        self.operations.append(PairOperation(target, selector, flips_both, (tuple(zero), tuple(one))))

    def _take(self, qubit: int) -> list[Atom]:
        return self._waiting.pop(qubit, [])

    def _flush(self, *qubits: int) -> None:
        for qubit in qubits:
            atoms = self._take(qubit)
            if atoms:
                self._append(qubit, None, atoms, [])

    def _atom(self, gate: Gate) -> Atom:
        return self._fixed(gate.matrix.numpy()) if gate.matrix is not None else self._named(gate.name, gate.slots)

    def _named(self, name: str, slots: tuple[int, ...]) -> Atom:
        if name in _KINDS:
            return Atom(_KINDS[name], 1, slots[0])
        return self._fixed(constant(name, torch.complex128, torch.device("cpu")).numpy())

    def _fixed(self, matrix: Array) -> Atom:
        self.fixed.append(np.ascontiguousarray(matrix, dtype=np.complex128).view(np.float64).reshape(8))
        return Atom(FIXED, 1, len(self.fixed) - 1)


@dataclass(frozen=True, eq=False)
class KernelProgram:
    """The tables that the kernel interprets.

    `passes` (number, 5): first and last operation, number of qubits, start in `offsets`, bit mask of the qubits.
    `offsets`: rows of a pass, relative to its first. `operations` (number, 9): strides of target and selector within
    the pass (0: none), whether both flip, ranges of the atoms of both matrices, whether each acts at all.
    `atoms` (number, 3): kind, sign, slot. `fixed` (number, 8): matrices without angles. `longest`: most atoms in a
    product.
    """

    n_qubits: int
    passes: Array
    offsets: Array
    operations: Array
    atoms: Array
    fixed: Array
    longest: int

    @property
    def row_updates(self) -> int:
        """How many rows all operations update in one tile: a measure of the work."""
        return len(self.operations) << self.n_qubits


def compile_gates(n: int, gates: Iterable[Gate], pass_width: int = PASS_WIDTH) -> KernelProgram:
    """Return the kernel program of gates on `n` qubits, its passes spanning at most `pass_width` qubits (2 or more)."""
    compiler = _Compiler()
    for gate in gates:
        compiler.add(gate)
    compiler.finish()
    passes: list[list[int]] = []
    offsets: list[int] = []
    operations: list[list[int]] = []
    atoms: list[Atom] = []
    for group in _passes(compiler.operations, pass_width):
        bits = _bits(group, n, min(pass_width, n))
        mask = sum(1 << bit for bit in bits)
        passes.append([len(operations), len(operations) + len(group), len(bits), len(offsets), mask])
        offsets += [sum(1 << bit for k, bit in enumerate(bits) if row >> k & 1) for row in range(2 ** len(bits))]
        stride = {n - 1 - bit: 1 << k for k, bit in enumerate(bits)}
        for operation in group:
            ranges = []
            for factors in operation.atoms:
                ranges += [len(atoms), len(atoms) + len(factors)]
                atoms += factors
            selector = 0 if operation.selector is None else stride[operation.selector]
            active = [int(bool(factors)) for factors in operation.atoms]
            operations.append([stride[operation.target], selector, int(operation.flips_both), *ranges, *active])
    return KernelProgram(
        n_qubits=n,
        passes=_table(passes, 5),
        offsets=np.array(offsets, np.int64),
        operations=_table(operations, 9),
        atoms=_table([[atom.kind, atom.sign, atom.slot] for atom in atoms], 3),
        fixed=np.array(compiler.fixed, np.float64).reshape(-1, 8),
        longest=max((len(factors) for operation in compiler.operations for factors in operation.atoms), default=1),
    )


def _table(rows: list[list[int]], columns: int) -> Array:
    return np.array(rows, np.int64).reshape(-1, columns)


def _passes(operations: list[PairOperation], width: int) -> list[list[PairOperation]]:
    """Group operations greedily; one that does not fit waits, and so does all that shares a qubit with it."""
    passes, rest = [], list(operations)
    while rest:
        qubits, blocked = set[int](), set[int]()
        now, later = list[PairOperation](), list[PairOperation]()
        for operation in rest:
            if operation.qubits & blocked or len(qubits | operation.qubits) > width:
                blocked |= operation.qubits
                later.append(operation)
            else:
                qubits |= operation.qubits
                now.append(operation)
        passes.append(now)
        rest = later
    return passes


def _bits(group: list[PairOperation], n: int, width: int) -> list[int]:
    """Bit positions of a pass, lowest first, filled up with the lowest free ones so that copied rows lie together."""
    used = {n - 1 - qubit for operation in group for qubit in operation.qubits}
    spare = [bit for bit in range(n) if bit not in used][: width - len(used)]
    return sorted(used | set(spare))
