"""A circuit compiled for the kernel: pair operations, grouped into passes over few qubits.

A pair operation applies a 2 x 2 matrix to the pairs of amplitudes that differ in the target qubit (or, `flips_both`, in
target and selector together), one matrix where the selector is 0 and another where it is 1. Every gate has this form:

    one-qubit gates       no selector; neighbours on one qubit are multiplied into one matrix
    controlled gates      selector = control: (1, gate); waiting one-qubit gates of the target are multiplied into both
    rzz                   (RZ(a), RZ(-a)), likewise
    rxx, ryy              flips both: (RX(a), RX(a)) and (RX(-a), RX(a))
    swap                  flips both: (nothing, X)
    unitary on two        three pair operations by its cosine-sine decomposition

The matrices are products of *atoms*, rotations and fixed matrices, so that the kernel can turn a matrix's cotangent
into angles'. Atoms that both matrices begin with stand once. U3(a, b, c) is P(b) RY(a) P(c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from scipy.linalg import cossin

from backends.circuits.circuit import Gate
from backends.circuits.gates import CONTROLLED, constant
from backends.circuits.program import group_by_qubits

# Kinds of atoms, as the kernel numbers them.
RX, RY, RZ, P, FIXED = range(5)
_KINDS = {"rx": RX, "ry": RY, "rz": RZ, "p": P}

# A pass keeps 2**8 rows of state and cotangent in 32 KiB of single precision: a usual first-level cache. In double
# precision twice as much: the second-level cache costs less than more passes. (7 is slower from 10 qubits on.)
PASS_WIDTH = 8

Array = np.ndarray[Any, Any]
_PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@dataclass(frozen=True)
class Atom:
    """One factor of a matrix: its kind, the sign of its angle, its angle slot or the number of its fixed matrix."""

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
    def shared(self) -> int:
        """How many atoms both matrices begin with; without a selector there is no second matrix to share with."""
        if self.selector is None:
            return 0
        return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(*self.atoms, strict=False)))

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
            self._waiting.setdefault(gate.qubits[0], []).extend(self._atoms(gate))
        elif gate.matrix is not None:
            self._add_unitary(gate)
        elif gate.name in CONTROLLED:
            control, target = gate.qubits
            before = self._take(target)
            self._flush(control)
            atoms = self._named(CONTROLLED[gate.name], gate.slots)
            self._append(target, control, before, [*before, *atoms])
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
            return [], self._named("x", ())
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

    def _atoms(self, gate: Gate) -> list[Atom]:
        return [self._fixed(gate.matrix.numpy())] if gate.matrix is not None else self._named(gate.name, gate.slots)

    def _named(self, name: str, slots: tuple[int, ...]) -> list[Atom]:
        if name == "u3":
            return [Atom(P, 1, slots[2]), Atom(RY, 1, slots[0]), Atom(P, 1, slots[1])]
        if name in _KINDS:
            return [Atom(_KINDS[name], 1, slots[0])]
        return [self._fixed(constant(name, torch.complex128, torch.device("cpu")).numpy())]

    def _fixed(self, matrix: Array) -> Atom:
        self.fixed.append(np.ascontiguousarray(matrix, dtype=np.complex128).view(np.float64).reshape(8))
        return Atom(FIXED, 1, len(self.fixed) - 1)


@dataclass(frozen=True, eq=False)
class Constants:
    """Matrices without angles, `fixed` (number, 8), real and imaginary parts, and what they do to the Paulis.

    `turns` (number, 9) are the rotations V X_k V^dagger = sum_j turns[j, k] X_j of X, Y, Z that they are.
    """

    fixed: Array
    turns: Array

    @classmethod
    def of(cls, matrices: list[Array]) -> Constants:
        """Return the constants of matrices (8,)."""
        turns = np.array([_turn(matrix) for matrix in matrices]).reshape(-1, 9)
        return cls(np.array(matrices).reshape(-1, 8), turns)

    def arrays(self, dtype: torch.dtype) -> tuple[Array, Array]:
        """Both in the real precision `dtype`, converted once."""
        return _converted(self, dtype)


@lru_cache(maxsize=512)
def _converted(constants: Constants, dtype: torch.dtype) -> tuple[Array, Array]:
    fixed, turns = (torch.from_numpy(values).to(dtype).numpy() for values in (constants.fixed, constants.turns))
    return fixed, turns


@dataclass(frozen=True, eq=False)
class KernelProgram:
    """The tables that the kernel interprets.

    `passes` (number, 7): first and last operation, number of qubits, start in `offsets`, bit mask of the qubits, first
    and last readout. Every qubit is read out once, in a pass behind which no operation follows. `readouts` (number, 2):
    qubit, its stride within the pass.
    `offsets`: rows of a pass, relative to its first. `operations` (number, 9): strides of target and selector within
    the pass (0: none), whether both flip; where the atoms begin that both matrices share, those of the first alone,
    those of the second alone, and where these end; whether each matrix acts at all. `atoms` (number, 3): kind, sign,
    slot.
    """

    n_qubits: int
    passes: Array
    offsets: Array
    readouts: Array
    operations: Array
    atoms: Array
    constants: Constants

    @property
    def tables(self) -> tuple[Array, Array, Array, Array, Array]:
        """The integer tables, in the order in which the kernel takes them."""
        return self.passes, self.offsets, self.readouts, self.operations, self.atoms

    @property
    def row_updates(self) -> int:
        """How many rows all operations update in one tile: a measure of the work."""
        return len(self.operations) << self.n_qubits


def pair_operations(gates: Iterable[Gate]) -> tuple[list[PairOperation], Constants]:
    """Return the pair operations that carry out the gates, in order, and the matrices without angles among them."""
    compiler = _Compiler()
    for gate in gates:
        compiler.add(gate)
    compiler.finish()
    return compiler.operations, Constants.of(compiler.fixed)


def append_atoms(operation: PairOperation, atoms: list[Atom]) -> list[int]:
    """Append an operation's atoms; return the columns of `KernelProgram.operations` behind the strides."""
    shared, starts = operation.shared, [len(atoms)]
    for factors in (operation.atoms[0][:shared], *[both[shared:] for both in operation.atoms]):
        atoms += factors
        starts.append(len(atoms))
    return [int(operation.flips_both), *starts, *[int(bool(factors)) for factors in operation.atoms]]


def atom_table(atoms: list[Atom]) -> Array:
    """Atoms as the kernel reads them (number, 3): kind, sign, slot."""
    return table([[atom.kind, atom.sign, atom.slot] for atom in atoms], 3)


def compile_gates(n: int, gates: Iterable[Gate], pass_width: int = PASS_WIDTH) -> KernelProgram:
    """Return the kernel program of gates on `n` qubits, its passes spanning at most `pass_width` qubits (2 or more)."""
    pairs, constants = pair_operations(gates)
    passes: list[list[int]] = []
    offsets: list[int] = []
    operations: list[list[int]] = []
    atoms: list[Atom] = []
    readouts: list[list[int]] = []
    for group, bits, read in _passes(n, pairs, min(pass_width, n)):
        mask = sum(1 << bit for bit in bits)
        place = [len(operations), len(operations) + len(group), len(bits), len(offsets), mask]
        passes.append([*place, len(readouts), len(readouts) + len(read)])
        readouts += [[n - 1 - bit, 1 << bits.index(bit)] for bit in read]
        offsets += [sum(1 << bit for k, bit in enumerate(bits) if row >> k & 1) for row in range(2 ** len(bits))]
        stride = {n - 1 - bit: 1 << k for k, bit in enumerate(bits)}
        for operation in group:
            selector = 0 if operation.selector is None else stride[operation.selector]
            operations.append([stride[operation.target], selector, *append_atoms(operation, atoms)])
    return KernelProgram(
        n_qubits=n,
        passes=table(passes, 7),
        offsets=np.array(offsets, np.int64),
        readouts=table(readouts, 2),
        operations=table(operations, 9),
        atoms=atom_table(atoms),
        constants=constants,
    )


def _turn(matrix: Array) -> Array:
    """The rotation (9,) of the Paulis by a unitary (8,): its entry j, k is the part of X_j in V X_k V^dagger."""
    v = matrix.view(np.complex128).reshape(2, 2)
    turned = np.einsum("ab,kbc,dc->kad", v, _PAULIS, v.conj())
    turn: Array = np.einsum("jab,kba->jk", _PAULIS, turned).real.reshape(9) / 2
    return turn


def table(rows: list[list[int]], columns: int) -> Array:
    """Rows of integers as an array (number, columns), also without any row."""
    return np.array(rows, np.int64).reshape(-1, columns)


def _passes(
    n: int, operations: list[PairOperation], width: int
) -> Iterator[tuple[list[PairOperation], list[int], list[int]]]:
    """Yield passes over `width` qubits: their operations, the bits they span, and the bits that they read out."""
    *groups, (last_qubits, last) = group_by_qubits(operations, width) or [((), [])]
    for qubits, group in groups:
        yield group, _bits({n - 1 - qubit for qubit in qubits}, n, width), []
    unread, used = set(range(n)), {n - 1 - qubit for qubit in last_qubits}
    while unread:
        bits = _bits(used or set(sorted(unread)[-width:]), n, width)
        yield last, bits, sorted(unread & set(bits))
        unread -= set(bits)
        last, used = [], set()


def _bits(used: set[int], n: int, width: int) -> list[int]:
    """Bit positions of a pass, lowest first, filled up with the lowest free ones so that copied rows lie together."""
    spare = [bit for bit in range(n) if bit not in used][: width - len(used)]
    return sorted(used | set(spare))
