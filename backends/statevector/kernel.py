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
precision over short runs, and in double precision over the runs (see `simd.Sums`): added up one by one in single
precision they would be off by up to 2**n roundings.

Programs are interpreted: a new circuit compiles nothing. The functions release the interpreter lock.
"""

from __future__ import annotations

import numpy as np

from backends.kernels.atoms import pair_gradients, pair_matrices
from backends.kernels.compiling import inner, jit
from backends.kernels.simd import (
    LANES,
    add_diagonal,
    copy_row,
    flip_pairs,
    fold_rows,
    load_rows,
    readout_pairs,
    rotate_pairs,
    square_rows,
    store_rows,
    unrotate_pairs,
)

# Rows whose squares are folded at a time: 8 KiB in single precision.
_CHUNK_BITS = 8
CHUNK = 1 << _CHUNK_BITS

# Tiles, rows x LANES numbers, that a thread works on: real and imaginary parts of the state, in the backward also of
# its cotangent. What `forward` and `backward` allocate below; the memory check counts with it.
FORWARD_TILES, BACKWARD_TILES = 2, 4


@inner
def _apply_pairs(re, im, rows, op, u):
    """One pair operation on `rows` rows."""
    target, selector, flips_both = op[0], op[1], op[2]
    if selector == 0:
        rotate_pairs(re, im, rows // 2, target, rows, 0, target, u[0])
        return
    low = min(target, selector)
    high = max(target, selector)
    if op[7]:
        rotate_pairs(re, im, rows // 4, low, high, 0, target + selector if flips_both else target, u[0])
    if op[8]:
        rotate_pairs(re, im, rows // 4, low, high, selector, target if flips_both else target + selector, u[1])


@inner
def _unapply_pairs(re, im, lr, li, rows, op, u, sums):
    """Adjoint of `_apply_pairs`; adds the sums that the gradients follow from to sums (2, 4, LANES)."""
    target, selector, flips_both = op[0], op[1], op[2]
    if selector == 0:
        unrotate_pairs(re, im, lr, li, rows // 2, target, rows, 0, target, u[0], sums[0])
        return
    low = min(target, selector)
    high = max(target, selector)
    if op[7]:
        other = target + selector if flips_both else target
        unrotate_pairs(re, im, lr, li, rows // 4, low, high, 0, other, u[0], sums[0])
    if op[8]:
        other = target if flips_both else target + selector
        unrotate_pairs(re, im, lr, li, rows // 4, low, high, selector, other, u[1], sums[1])


@inner
def _gather(source_re, source_im, base, rows, block_re, block_im):
    """Copy the rows base + rows of a state into a block."""
    for j in range(rows.shape[0]):
        copy_row(source_re, base + rows[j], block_re, j)
        copy_row(source_im, base + rows[j], block_im, j)


@inner
def _scatter(block_re, block_im, base, rows, target_re, target_im):
    """Copy a block back to the rows base + rows of a state."""
    for j in range(rows.shape[0]):
        copy_row(block_re, j, target_re, base + rows[j])
        copy_row(block_im, j, target_im, base + rows[j])


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
def run_pass(re, im, n, passes, p, offsets, readouts, ops, u, first_block, last_block, flips):
    """A pass on its blocks first_block..last_block - 1: operations, then readouts, added to flips (n, 2, LANES).

    flips is in double precision.
    """
    first, last, width, start = passes[p, 0], passes[p, 1], passes[p, 2], passes[p, 3]
    mask, first_read, last_read = passes[p, 4], passes[p, 5], passes[p, 6]
    rows = 1 << width
    rows_of = offsets[start : start + rows]
    block_re, block_im = re, im
    if width < n:
        block_re = np.empty((rows, LANES), re.dtype)
        block_im = np.empty((rows, LANES), re.dtype)
    for block in range(first_block, last_block):
        base = _spread(block, ~mask, n)
        if width < n:
            _gather(re, im, base, rows_of, block_re, block_im)
        for o in range(first, last):
            _apply_pairs(block_re, block_im, rows, ops[o], u[o])
        for r in range(first_read, last_read):
            readout_pairs(block_re, block_im, rows // 2, readouts[r, 1], flips[readouts[r, 0]])
        if width < n and last > first:
            _scatter(block_re, block_im, base, rows_of, re, im)


@jit
def unrun_pass(
    re, im, lr, li, n, passes, p, offsets, readouts, ops, u, flips, high, low, first_block, last_block, sums
):  # fmt: skip
    """Adjoint of `run_pass`.

    Adds the readouts' cotangents, x X + y Y with flips (n, 2, LANES) and in the last pass the diagonal high + low of
    all Z, then un-applies the operations, last first. sums (operations, 2, 4, LANES) is in double precision.
    """
    first, last, width, start = passes[p, 0], passes[p, 1], passes[p, 2], passes[p, 3]
    mask, first_read, last_read = passes[p, 4], passes[p, 5], passes[p, 6]
    rows = 1 << width
    rows_of = offsets[start : start + rows]
    block_re, block_im, block_lr, block_li = re, im, lr, li
    if width < n:
        block_re = np.empty((rows, LANES), re.dtype)
        block_im = np.empty((rows, LANES), re.dtype)
        block_lr = np.empty((rows, LANES), re.dtype)
        block_li = np.empty((rows, LANES), re.dtype)
    for block in range(first_block, last_block):
        base = _spread(block, ~mask, n)
        if width < n:
            _gather(re, im, base, rows_of, block_re, block_im)
            _gather(lr, li, base, rows_of, block_lr, block_li)
        if p == passes.shape[0] - 1:
            _add_diagonal(block_re, block_im, block_lr, block_li, base, rows_of, high, low)
        for r in range(first_read, last_read):
            weights = flips[readouts[r, 0]]
            flip_pairs(block_re, block_im, block_lr, block_li, rows // 2, readouts[r, 1], weights)
        for o in range(last - 1, first - 1, -1):
            _unapply_pairs(block_re, block_im, block_lr, block_li, rows, ops[o], u[o], sums[o])
        if width < n:
            _scatter(block_lr, block_li, base, rows_of, lr, li)
            if last > first:
                _scatter(block_re, block_im, base, rows_of, re, im)


@inner
def _add_diagonal(re, im, lr, li, base, rows_of, high, low):
    """lambda += D psi on a block, D from its tables for the high and for the low bits of the row."""
    low_bits = 0
    while 1 << low_bits < low.shape[0]:
        low_bits += 1
    for j in range(rows_of.shape[0]):
        row = base + rows_of[j]
        add_diagonal(re, im, lr, li, j, low, row & (low.shape[0] - 1), high, row >> low_bits)


@jit
def load(amplitudes, first, begin, end, re, im):
    """Rows begin..end - 1 of amplitudes (batch, rows, 2) into a tile; lanes beyond the batch repeat the last sample."""
    last = amplitudes.shape[0] - 1
    rows = re.shape[0]
    if rows % (LANES // 2) == 0:
        load_rows(amplitudes, first, last, rows, begin, end, re, im)
        return
    for b in range(LANES):
        for i in range(begin, end):
            re[i, b] = amplitudes[min(first + b, last), i, 0]
            im[i, b] = amplitudes[min(first + b, last), i, 1]


@jit
def store(amplitudes, first, begin, end, re, im):
    """The way back; lanes that repeat a sample write what it writes."""
    last = amplitudes.shape[0] - 1
    rows = re.shape[0]
    if rows % (LANES // 2) == 0:
        store_rows(amplitudes, first, last, rows, begin, end, re, im)
        return
    for b in range(LANES):
        for i in range(begin, end):
            amplitudes[min(first + b, last), i, 0] = re[i, b]
            amplitudes[min(first + b, last), i, 1] = im[i, b]


@jit
def weigh(re, im, n, begin, end, z, norm):
    """Add the rows begin..end - 1 to z (n, LANES), the sums of +-|psi|^2 by every qubit's bit, and to norm (1, LANES).

    The rows are folded in chunks that stay in the first-level cache; both ends are multiples of a chunk. z and norm are
    in double precision.
    """
    bits = min(n, _CHUNK_BITS)
    chunk = 1 << bits
    weights = np.empty((chunk, LANES), re.dtype)
    for first in range(begin, end, chunk):
        square_rows(re, im, first, chunk, weights)
        for bit in range(bits):
            q = n - 1 - bit
            fold_rows(weights, chunk >> (bit + 1), z[q : q + 1])
        for bit in range(bits, n):
            q = n - 1 - bit
            for b in range(LANES):
                z[q, b] += weights[0, b] if not first >> bit & 1 else -weights[0, b]
        for b in range(LANES):
            norm[0, b] += weights[0, b]


@jit
def finish_readouts(n, first, flips, weights, norm, z, norms):
    """From the sums of a tile to z (batch, 3n) of the normalised state and norms (batch,)."""
    for b in range(min(LANES, z.shape[0] - first)):
        norms[first + b] = norm[0, b]
        scale = 1 / norm[0, b] if norm[0, b] > 0 else 0
        for q in range(n):
            z[first + b, q] = 2 * flips[q, 0, b] * scale
            z[first + b, n + q] = 2 * flips[q, 1, b] * scale
            z[first + b, 2 * n + q] = weights[q, b] * scale


@jit
def readout_cotangents(n, first, z, norms, g_z, flips, high, low):
    """From g_z (batch, 3n) to the operator that acts on psi: (2 / norm) sum_k g_k (O_k - z_k).

    Its X and Y parts go to flips (n, 2, LANES), the rest, a diagonal, to its tables for the high and the low bits.
    """
    weights = np.empty((n, LANES), z.dtype)
    start = np.zeros((2, LANES), z.dtype)
    last = z.shape[0] - 1
    for b in range(LANES):
        sample = min(first + b, last)
        scale = 2 / norms[sample] if norms[sample] > 0 else 0
        for q in range(n):
            flips[q, 0, b] = scale * g_z[sample, q]
            flips[q, 1, b] = scale * g_z[sample, n + q]
            weights[q, b] = scale * g_z[sample, 2 * n + q]
        for k in range(3 * n):
            start[1, b] -= scale * g_z[sample, k] * z[sample, k]
    low_bits = n // 2
    _sign_sums(weights, 0, n - low_bits, start[1], high)
    _sign_sums(weights, n - low_bits, low_bits, start[0], low)


@inner
def _sign_sums(weights, first_qubit, n_bits, start, table):
    """table[i] = start + sum over the qubits first_qubit.. of +-weights, the signs by the bits of i, highest first."""
    for b in range(LANES):
        table[0, b] = start[b]
    filled = 1
    for bit in range(n_bits):  # lowest bit first: each doubles the part of the table that is filled
        q = first_qubit + n_bits - 1 - bit
        for i in range(filled):
            for b in range(LANES):
                table[filled + i, b] = table[i, b] - weights[q, b]
                table[i, b] += weights[q, b]
        filled *= 2


@jit
def matrices(ops, atoms, fixed, half, u):
    """The matrices u (operations, 2, 8, LANES) of all operations, for half (2, n_angles, LANES)."""
    for o in range(ops.shape[0]):
        pair_matrices(ops[o], atoms, fixed, half, u[o])


@jit
def angle_gradients(ops, atoms, turns, half, sums, first, g_angles):
    """From sums (operations, 2, 4, LANES) to the gradients of a tile's angles, g_angles (batch, n_angles)."""
    g = np.zeros((half.shape[1], LANES), np.float64)
    for o in range(ops.shape[0]):
        pair_gradients(ops[o], atoms, turns, half, sums[o], g)
    for b in range(min(LANES, g_angles.shape[0] - first)):
        for a in range(g.shape[0]):
            g_angles[first + b, a] = g[a, b]


@jit
def forward(
    amplitudes, half, n, passes, offsets, readouts, ops, atoms, fixed, out, z, norms, first_tile, last_tile
):  # fmt: skip
    """One timestep of the tiles first_tile..last_tile - 1.

    amplitudes and out (batch, 2**n, 2), half (tiles, 2, n_angles, LANES) cosines and sines of the half angles,
    z (batch, 3n), norms (batch,).
    """
    rows, dtype = amplitudes.shape[1], amplitudes.dtype
    re = np.empty((rows, LANES), dtype)
    im = np.empty((rows, LANES), dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    flips = np.empty((n, 2, LANES), np.float64)
    weights = np.empty((n, LANES), np.float64)
    norm = np.empty((1, LANES), np.float64)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load(amplitudes, first, 0, rows, re, im)
        matrices(ops, atoms, fixed, half[tile], u)
        flips[:] = 0
        for p in range(passes.shape[0]):
            run_pass(re, im, n, passes, p, offsets, readouts, ops, u, 0, rows >> passes[p, 2], flips)
        weights[:] = 0
        norm[:] = 0
        weigh(re, im, n, 0, rows, weights, norm)
        finish_readouts(n, first, flips, weights, norm, z, norms)
        store(out, first, 0, rows, re, im)


@jit
def backward(
    state, cotangent, half, z, norms, g_z, n, passes, offsets, readouts, ops, atoms, fixed, turns,
    before, g_before, g_angles, first_tile, last_tile,
):  # fmt: skip
    """Adjoint of `forward`.

    From the state after the timestep and the cotangents of state and readouts to the state before it (`before`), its
    cotangent (`g_before`) and g_angles (batch, n_angles). A `cotangent` of batch 0 is zero; so is the wish for a
    `before` or `g_before` of batch 0.
    """
    rows, dtype = state.shape[1], state.dtype
    re = np.empty((rows, LANES), dtype)
    im = np.empty((rows, LANES), dtype)
    lr = np.zeros((rows, LANES), dtype)
    li = np.zeros((rows, LANES), dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    sums = np.empty((ops.shape[0], 2, 4, LANES), np.float64)
    flips = np.empty((n, 2, LANES), dtype)
    high = np.empty((1 << (n - n // 2), LANES), dtype)
    low = np.empty((1 << (n // 2), LANES), dtype)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load(state, first, 0, rows, re, im)
        if cotangent.shape[0] > 0:
            load(cotangent, first, 0, rows, lr, li)
        elif tile > first_tile:
            lr[:] = 0
            li[:] = 0
        readout_cotangents(n, first, z, norms, g_z, flips, high, low)
        matrices(ops, atoms, fixed, half[tile], u)
        sums[:] = 0
        for p in range(passes.shape[0] - 1, -1, -1):
            blocks = rows >> passes[p, 2]
            unrun_pass(
                re, im, lr, li, n, passes, p, offsets, readouts, ops, u, flips, high, low, 0, blocks, sums
            )  # fmt: skip
        angle_gradients(ops, atoms, turns, half[tile], sums, first, g_angles)
        if before.shape[0] > 0:
            store(before, first, 0, rows, re, im)
        if g_before.shape[0] > 0:
            store(g_before, first, 0, rows, lr, li)
