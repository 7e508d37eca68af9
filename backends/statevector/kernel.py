"""The compiled kernel: one timestep of a gate program on the CPU, forward and backward, for tiles of samples.

A tile is `LANES` samples side by side, **samples innermost**: whatever qubit a gate acts on, the inner loop runs over
samples and vectorises the same way, with every sample's own matrices. Real and imaginary parts lie apart.

Every gate is a *pair operation*: a 2 x 2 matrix acts on pairs of rows of the state, with one matrix where a second,
selecting qubit is 0 and another where it is 1 (`pairs.py` brings the gates into this form). The backward is the
adjoint method: it un-applies each gate from the state and from its cotangent at once, so a timestep stores one state
and nothing per gate. Per pair operation it accumulates four numbers per matrix, from which the angles' gradients
follow (see `atoms`).

**Cache blocking.** The operations are grouped into passes that touch few qubits. A pass copies the 2**k rows that these
qubits span into a buffer that stays in the first-level cache, carries out all its operations there, and writes back.

**Sums over 2**n terms**, readouts, norm and the numbers behind the angles' gradients, are added up in the state's
precision over short runs, and in double precision over the runs (see `emitting.Sums`): added up one by one in single
precision they would be off by up to 2**n roundings.

Programs are interpreted: a new circuit compiles nothing. The functions release the interpreter lock. Large tiles are
shared by several threads: each phase takes a range of rows or of blocks (see `sharing`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.atoms import angle_gradients, matrices, pair_ends
from backends.kernels.compiling import inner, jit
from backends.kernels.emitting import Parts
from backends.kernels.rows import copy_row
from backends.kernels.sharing import shared
from backends.kernels.tiles import load_rows, samples, store_rows
from backends.kernels.turns import RowPairs, flip_pairs, readout_pairs, rotate_pairs, unrotate_pairs
from backends.kernels.vectors import LANES
from backends.statevector.readouts import CHUNK, Observable, add_observable, finish_readouts, readout_cotangents, weigh

# Tiles, rows x LANES numbers, that a thread works on: real and imaginary parts of the state, in the backward also of
# its cotangent. What `forward` and `backward` allocate below; the memory check counts with it.
FORWARD_TILES, BACKWARD_TILES = 2, 4


class Tables(NamedTuple):
    """A circuit as the kernel takes it: see `StatevectorProgram`, `Constants`."""

    n_qubits: Any
    passes: Any
    offsets: Any
    readouts: Any
    operations: Any
    atoms: Any
    fixed: Any
    turns: Any


@jit
def _new_tile(rows, dtype):
    return Parts(np.empty((rows, LANES), dtype), np.empty((rows, LANES), dtype))


@inner
def _one_qubit(bit, rows):
    """The pairs of rows that differ in a bit."""
    return RowPairs(rows // 2, bit, rows, 0, bit)


@inner
def _pairs(op, which, rows):
    """The pairs of rows that an operation's matrix `which` acts on."""
    if op.selector == 0:
        return _one_qubit(op.target, rows)
    first, second = pair_ends(op.target, op.selector, op.flips, which)
    return RowPairs(rows // 4, min(op.target, op.selector), max(op.target, op.selector), first, second)


@inner
def _gather(tile, base, rows_of, block):
    """Copy the rows base + rows_of of a tile into a block."""
    for j in range(rows_of.shape[0]):
        copy_row(tile, base + rows_of[j], block, j)


@inner
def _scatter(block, base, rows_of, tile):
    """Copy a block back to the rows base + rows_of of a tile."""
    for j in range(rows_of.shape[0]):
        copy_row(block, j, tile, base + rows_of[j])


@inner
def _spread(index, mask, n_bits):
    """Distribute the bits of `index` over the set bits of `mask`, lowest first."""
    result = 0
    for bit in range(n_bits):
        if mask >> bit & 1:
            result |= (index & 1) << bit
            index >>= 1
    return result


@jit
def run_pass(first_block, last_block, flips, psi, tables, p, u):
    """A pass on its blocks first_block..last_block - 1: operations, then readouts, added to flips (n, 2, LANES).

    flips is in double precision.
    """
    this, n = tables.passes[p], tables.n_qubits
    rows = 1 << this.width
    rows_of = tables.offsets[this.offset : this.offset + rows]
    block = psi if this.width == n else _new_tile(rows, psi.re.dtype)
    for number in range(first_block, last_block):
        base = _spread(number, ~this.mask, n)
        if this.width < n:
            _gather(psi, base, rows_of, block)
        for o in range(this.first, this.last):
            op = tables.operations[o]
            for which in range(2):
                if op.acts[which]:
                    rotate_pairs(block, _pairs(op, which, rows), u[o, which])
        for r in range(this.first_read, this.last_read):
            readout_pairs(block, _one_qubit(tables.readouts[r].stride, rows), flips[tables.readouts[r].qubit])
        if this.width < n and this.last > this.first:
            _scatter(block, base, rows_of, psi)


@jit
def unrun_pass(first_block, last_block, sums, psi, cotangent, tables, p, u, observable):
    """Adjoint of `run_pass`.

    Adds the readouts' cotangents, X and Y of this pass and in the last pass the diagonal of the observable, then
    un-applies the operations, last first. sums (operations, 2, 4, LANES) is in double precision.
    """
    this, n = tables.passes[p], tables.n_qubits
    rows = 1 << this.width
    rows_of = tables.offsets[this.offset : this.offset + rows]
    block = psi if this.width == n else _new_tile(rows, psi.re.dtype)
    behind = cotangent if this.width == n else _new_tile(rows, psi.re.dtype)
    for number in range(first_block, last_block):
        base = _spread(number, ~this.mask, n)
        if this.width < n:
            _gather(psi, base, rows_of, block)
            _gather(cotangent, base, rows_of, behind)
        if p == tables.passes.shape[0] - 1:
            add_observable(block, behind, base, rows_of, observable)
        for r in range(this.first_read, this.last_read):
            pairs, weights = _one_qubit(tables.readouts[r].stride, rows), observable.flips[tables.readouts[r].qubit]
            flip_pairs(block, behind, pairs, weights)
        for o in range(this.last - 1, this.first - 1, -1):
            op = tables.operations[o]
            for which in range(2):
                if op.acts[which]:
                    unrotate_pairs(block, behind, _pairs(op, which, rows), u[o, which], sums[o, which])
        if this.width < n:
            _scatter(behind, base, rows_of, cotangent)
            if this.last > this.first:
                _scatter(block, base, rows_of, psi)


@jit
def load(begin, end, _, amplitudes, first, psi):
    """Rows begin..end - 1 of amplitudes (batch, rows, 2) into a tile; lanes beyond the batch repeat the last sample."""
    load_rows(samples(amplitudes, first), begin, end, psi)


@jit
def store(begin, end, _, amplitudes, first, psi):
    """The way back; lanes that repeat a sample write what it writes."""
    store_rows(samples(amplitudes, first), begin, end, psi)


# The phases as `forward` and `backward` call them.
share_load, share_store = shared(load, unit=LANES // 2), shared(store, unit=LANES // 2)
share_weigh = shared(weigh, unit=CHUNK)
share_run_pass, share_unrun_pass = shared(run_pass), shared(unrun_pass)


@jit
def forward(amplitudes, half, arrays, results, first_tile, last_tile, team=None):
    """One timestep of the tiles first_tile..last_tile - 1.

    amplitudes (batch, 2**n, 2), half (tiles, 2, n_angles, LANES) cosines and sines of the half angles, arrays: those
    of `Tables`; results: amplitudes, z (batch, 3n), norms (batch,).
    """
    tables, (out, z, norms) = Tables(*arrays), results
    n, ops, rows, dtype = tables.n_qubits, tables.operations, amplitudes.shape[1], amplitudes.dtype
    psi = _new_tile(rows, dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    flips = np.empty((n, 2, LANES), np.float64)
    weights = np.empty((n + 1, LANES), np.float64)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        share_load(team, rows, None, amplitudes, first, psi)
        matrices(ops, tables.atoms, tables.fixed, half[tile], u)
        flips[:] = 0
        for p in range(tables.passes.shape[0]):
            share_run_pass(team, rows >> tables.passes[p]["width"], flips, psi, tables, p, u)
        weights[:] = 0
        share_weigh(team, rows, weights, psi, n)
        finish_readouts(first, flips, weights, z, norms)
        share_store(team, rows, None, out, first, psi)


@jit
def backward(state, half, arrays, given, results, first_tile, last_tile, team=None):
    """Adjoint of `forward`.

    From the state after the timestep and what is given, the cotangent of the state, z, norms and the cotangent of z, to
    the results: the state before the timestep, its cotangent and that of the angles (batch, n_angles). A cotangent of
    batch 0 is zero; so is the wish for a state or a cotangent of batch 0.
    """
    tables, (cotangent, z, norms, g_z), (before, g_before, g_angles) = Tables(*arrays), given, results
    n, ops, rows, dtype = tables.n_qubits, tables.operations, state.shape[1], state.dtype
    psi, behind = _new_tile(rows, dtype), _new_tile(rows, dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    sums = np.empty((ops.shape[0], 2, 4, LANES), np.float64)
    high, low = np.empty((1 << (n - n // 2), LANES), dtype), np.empty((1 << (n // 2), LANES), dtype)
    observable = Observable(np.empty((n, 2, LANES), dtype), high, low)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        share_load(team, rows, None, state, first, psi)
        if cotangent.shape[0] > 0:
            share_load(team, rows, None, cotangent, first, behind)
        else:
            behind.re[:] = 0
            behind.im[:] = 0
        readout_cotangents(first, z, norms, g_z, observable)
        matrices(ops, tables.atoms, tables.fixed, half[tile], u)
        sums[:] = 0
        for p in range(tables.passes.shape[0] - 1, -1, -1):
            blocks = rows >> tables.passes[p]["width"]
            share_unrun_pass(team, blocks, sums, psi, behind, tables, p, u, observable)
        angle_gradients(ops, tables.atoms, tables.turns, half[tile], sums, first, g_angles)
        if before.shape[0] > 0:
            share_store(team, rows, None, before, first, psi)
        if g_before.shape[0] > 0:
            share_store(team, rows, None, g_before, first, behind)
