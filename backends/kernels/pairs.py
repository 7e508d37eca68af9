"""Gates compiled for the kernels: pair operations.

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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np
import torch

from backends.circuits.circuit import Gate
from backends.circuits.fusion import fuse
from backends.circuits.gates import CONTROLLED, constant

# Kinds of atoms, as the kernel numbers them.
RX, RY, RZ, P, FIXED = range(5)
_KINDS = {"rx": RX, "ry": RY, "rz": RZ, "p": P}

# Rows of the kernels' tables. An operation: strides of target and selector (0: none), whether both flip; where the
# atoms begin that both matrices share, those of the first alone, those of the second alone, and where these end;
# whether each matrix acts at all.
ATOM = np.dtype([(name, np.int64) for name in ("kind", "sign", "slot")])
_OPERATION = ("target", "selector", "flips", "shared", "zero", "one", "end")
OPERATION = np.dtype([*[(name, np.int64) for name in _OPERATION], ("acts", np.int64, 2)])

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
    """Turns fused gates into pair operations; a two-qubit gate takes along what its qubits wait with, if it can."""

    def __init__(self) -> None:
        self.operations: list[PairOperation] = []
        self.fixed: list[Array] = []
        self._waiting: dict[int, list[Atom]] = {}  # atoms of one-qubit gates, by qubit

    def add(self, gates: Iterable[Gate]) -> None:
        """Append the gates of one fused gate."""
        for gate in gates:
            if len(gate.qubits) == 1:
                self._waiting.setdefault(gate.qubits[0], []).extend(self._atoms(gate))
            elif gate.matrix is not None:
                self._add_unitary(gate)
            else:
                self._add_pair(gate)
        self._flush(*sorted(self._waiting))

    def _add_pair(self, gate: Gate) -> None:
        first, second = gate.qubits
        if gate.name in CONTROLLED:
            before = self._take(second)
            self._append(second, first, before, [*before, *self._named(CONTROLLED[gate.name], gate.slots)])
        elif gate.name == "rzz":
            before, (slot,) = self._take(first), gate.slots
            self._append(first, second, [*before, Atom(RZ, 1, slot)], [*before, Atom(RZ, -1, slot)])
        elif gate.name == "swap":
            self._append(first, second, [], self._named("x", ()), flips_both=True)
        else:
            (slot,), sign = gate.slots, 1 if gate.name == "rxx" else -1
            self._append(first, second, [Atom(RX, sign, slot)], [Atom(RX, 1, slot)], flips_both=True)

    def _add_unitary(self, gate: Gate) -> None:
        """A two-qubit matrix as diag(u1, u2) [[c, -s], [s, c]] diag(v1, v2), the blocks selected by the first qubit."""
        from scipy.linalg import cossin  # takes a moment to import, which other gates do without

        assert gate.matrix is not None
        first, second = gate.qubits
        u, middle, vh = cossin(gate.matrix.numpy(), p=2, q=2)
        rotations = [middle[np.ix_([k, k + 2], [k, k + 2])] for k in (0, 1)]
        outer = [(matrix[:2, :2], matrix[2:, 2:]) for matrix in (vh, u)]
        for target, selector, pair in (
            (second, first, outer[0]),
            (first, second, rotations),
            (second, first, outer[1]),
        ):
            self._append(target, selector, *[[self._fixed(matrix)] for matrix in pair])

    def _append(
        self, target: int, selector: int, zero: list[Atom], one: list[Atom], *, flips_both: bool = False
    ) -> None:
        """Append an operation, behind what still waits on its qubits."""
        self._flush(target, selector)
        self.operations.append(PairOperation(target, selector, flips_both, (tuple(zero), tuple(one))))

    def _take(self, qubit: int) -> list[Atom]:
        return self._waiting.pop(qubit, [])

    def _flush(self, *qubits: int) -> None:
        for qubit in qubits:
            atoms = self._take(qubit)
            if atoms:
                self.operations.append(PairOperation(qubit, None, False, (tuple(atoms), ())))

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


def pair_operations(gates: Sequence[Gate]) -> tuple[list[PairOperation], Constants]:
    """Return the pair operations that carry out the gates, in order, and the matrices without angles among them."""
    compiler = _Compiler()
    for fused in fuse(gates):
        compiler.add(gates[member] for member in fused.members)
    return compiler.operations, Constants.of(compiler.fixed)


def operation_row(operation: PairOperation, target: int, selector: int, atoms: list[Atom]) -> tuple[Any, ...]:
    """An operation's row of the table `OPERATION`, with the strides of its qubits; appends its atoms."""
    shared, starts = operation.shared, [len(atoms)]
    for factors in (operation.atoms[0][:shared], *[both[shared:] for both in operation.atoms]):
        atoms += factors
        starts.append(len(atoms))
    return (target, selector, operation.flips_both, *starts, [bool(factors) for factors in operation.atoms])


def atom_table(atoms: list[Atom]) -> Array:
    """Atoms as the kernel reads them."""
    return np.array([(atom.kind, atom.sign, atom.slot) for atom in atoms], ATOM)


def _turn(matrix: Array) -> Array:
    """The rotation (9,) of the Paulis by a unitary (8,): its entry j, k is the part of X_j in V X_k V^dagger."""
    v = matrix.view(np.complex128).reshape(2, 2)
    turned = np.einsum("ab,kbc,dc->kad", v, _PAULIS, v.conj())
    turn: Array = np.einsum("jab,kba->jk", _PAULIS, turned).real.reshape(9) / 2
    return turn
