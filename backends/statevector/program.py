"""A circuit compiled for the statevector's kernel: its pair operations, grouped into passes over few qubits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backends.circuits.circuit import Gate
from backends.circuits.fusion import group_by_qubits
from backends.kernels.eager import eager
from backends.kernels.pairs import (
    OPERATION,
    Array,
    Atom,
    Constants,
    PairOperation,
    atom_table,
    operation_row,
    pair_operations,
)

# A pass keeps 2**8 rows of state and cotangent in 32 KiB of single precision: a usual first-level cache. In double
# precision twice as much: the second-level cache costs less than more passes. (7 is slower from 10 qubits on.)
PASS_WIDTH = 8

# Rows of the kernel's tables. A pass: first and last operation, number of qubits, where its rows begin in `offsets`,
# bit mask of its qubits, first and last readout. Every qubit is read out once, in a pass behind which no operation
# follows. A readout: its qubit, and that one's stride within the pass.
_PASS = ("first", "last", "width", "offset", "mask", "first_read", "last_read")
PASS = np.dtype([(name, np.int64) for name in _PASS])
READOUT = np.dtype([(name, np.int64) for name in ("qubit", "stride")])


@dataclass(frozen=True, eq=False)
class StatevectorProgram:
    """The tables that the kernel interprets: passes, their operations, the operations' atoms.

    `offsets`: rows of a pass, relative to its first. `operations`: strides are those within the pass.
    """

    n_qubits: int
    passes: Array
    offsets: Array
    readouts: Array
    operations: Array
    atoms: Array
    constants: Constants

    def arrays(self, dtype: torch.dtype) -> tuple[Any, ...]:
        """What the kernel takes, for the real precision `dtype` (see `kernel.Tables`)."""
        tables = self.passes, self.offsets, self.readouts, self.operations, self.atoms
        return self.n_qubits, *tables, *self.constants.arrays(dtype)

    @property
    def row_updates(self) -> int:
        """How many rows all operations update in one tile: a measure of the work."""
        return len(self.operations) << self.n_qubits


@eager
def compile_gates(n: int, gates: Sequence[Gate], pass_width: int = PASS_WIDTH) -> StatevectorProgram:
    """Return the kernel program of gates on `n` qubits, its passes spanning at most `pass_width` qubits (2 or more)."""
    pairs, constants = pair_operations(gates)
    passes: list[tuple[int, ...]] = []
    offsets: list[int] = []
    operations: list[tuple[Any, ...]] = []
    atoms: list[Atom] = []
    readouts: list[tuple[int, int]] = []
    for group, bits, read in _passes(n, pairs, min(pass_width, n)):
        mask = sum(1 << bit for bit in bits)
        place = len(operations), len(operations) + len(group), len(bits), len(offsets), mask
        passes.append((*place, len(readouts), len(readouts) + len(read)))
        readouts += [(n - 1 - bit, 1 << bits.index(bit)) for bit in read]
        offsets += [sum(1 << bit for k, bit in enumerate(bits) if row >> k & 1) for row in range(2 ** len(bits))]
        stride = {None: 0} | {n - 1 - bit: 1 << k for k, bit in enumerate(bits)}
        for operation in group:
            operations.append(operation_row(operation, stride[operation.target], stride[operation.selector], atoms))
    return StatevectorProgram(
        n_qubits=n,
        passes=np.array(passes, PASS),
        offsets=np.array(offsets, np.int64),
        readouts=np.array(readouts, READOUT),
        operations=np.array(operations, OPERATION),
        atoms=atom_table(atoms),
        constants=constants,
    )


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
