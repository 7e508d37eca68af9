"""The compiled kernel: one timestep of a gate program on the CPU, forward and backward, for tiles of samples.

A tile is `LANES` samples side by side, **samples innermost**: whatever qubit a gate acts on, the inner loop runs over
samples and vectorises the same way, with every sample's own matrices. Real and imaginary parts lie apart.

Every gate is a *pair operation*: a 2 x 2 matrix acts on pairs of rows of the state, with one matrix where a second,
selecting qubit is 0 and another where it is 1 (`pairs.py` brings the gates into this form). The backward is the
adjoint method: it un-applies each gate from the state and from its cotangent at once, so a timestep stores one state
and nothing per gate. Per pair operation it accumulates the cotangent of the 2 x 2 matrices, lambda psi^dagger, from
which the angles' gradients follow.

**Cache blocking.** The operations are grouped into passes that touch few qubits. A pass copies the 2**k rows that these
qubits span into a buffer that stays in the first-level cache, carries out all its operations there, and writes back.

Programs are interpreted: a new circuit compiles nothing. The functions release the interpreter lock.
"""

from __future__ import annotations

import numpy as np

from backends.statevector.atoms import jit, pair_gradients, pair_matrices
from backends.statevector.simd import (
    LANES,
    add_diagonal,
    add_flips,
    add_readouts,
    copy_row,
    rotate,
    unrotate,
)


@jit
def _apply_pairs(re, im, rows, target, selector, flip_both, u, active0, active1):
    """One pair operation on `rows` rows; target and selector are strides (selector 0: none)."""
    if selector == 0:
        for x in range(0, rows, 2 * target):
            for i in range(x, x + target):
                rotate(re, im, i, i + target, u[0])
        return
    high = max(target, selector)
    low = min(target, selector)
    start0 = 0
    other0 = target + selector if flip_both else target
    start1 = selector
    other1 = target if flip_both else target + selector
    for x in range(0, rows, 2 * high):
        for y in range(x, x + high, 2 * low):
            if active0:
                for i in range(y, y + low):
                    rotate(re, im, i + start0, i + other0, u[0])
            if active1:
                for i in range(y, y + low):
                    rotate(re, im, i + start1, i + other1, u[1])


@jit
def _unapply_pairs(re, im, lr, li, rows, target, selector, flip_both, u, active0, active1, g):
    """Adjoint of `_apply_pairs`; adds the cotangents of both matrices to g (2, 8, LANES)."""
    if selector == 0:
        for x in range(0, rows, 2 * target):
            for i in range(x, x + target):
                unrotate(re, im, lr, li, i, i + target, u[0], g[0])
        return
    high = max(target, selector)
    low = min(target, selector)
    start0 = 0
    other0 = target + selector if flip_both else target
    start1 = selector
    other1 = target if flip_both else target + selector
    for x in range(0, rows, 2 * high):
        for y in range(x, x + high, 2 * low):
            if active0:
                for i in range(y, y + low):
                    unrotate(re, im, lr, li, i + start0, i + other0, u[0], g[0])
            if active1:
                for i in range(y, y + low):
                    unrotate(re, im, lr, li, i + start1, i + other1, u[1], g[1])


@jit
def _gather(source_re, source_im, base, rows, block_re, block_im):
    """Copy the rows base + rows of a state into a block."""
    for j in range(rows.shape[0]):
        copy_row(source_re, base + rows[j], block_re, j)
        copy_row(source_im, base + rows[j], block_im, j)


@jit
def _scatter(block_re, block_im, base, rows, target_re, target_im):
    """Copy a block back to the rows base + rows of a state."""
    for j in range(rows.shape[0]):
        copy_row(block_re, j, target_re, base + rows[j])
        copy_row(block_im, j, target_im, base + rows[j])


@jit
def _spread(index, mask, n_bits):
    """Distribute the bits of `index` over the set bits of `mask`, lowest first."""
    result = 0
    for bit in range(n_bits):
        if mask >> bit & 1:
            result |= (index & 1) << bit
            index >>= 1
    return result


@jit
def _run_passes(re, im, n, passes, offsets, ops, u):
    """All operations of the program on one tile."""
    for p in range(passes.shape[0]):
        first, last, width, start, mask = passes[p]
        rows = 1 << width
        if width == n:
            for o in range(first, last):
                op = ops[o]
                _apply_pairs(re, im, rows, op[0], op[1], op[2], u[o], op[7], op[8])
            continue
        block_re = np.empty((rows, LANES), re.dtype)
        block_im = np.empty((rows, LANES), re.dtype)
        rows_of = offsets[start : start + rows]
        for outer in range(1 << (n - width)):
            base = _spread(outer, ~mask, n)
            _gather(re, im, base, rows_of, block_re, block_im)
            for o in range(first, last):
                op = ops[o]
                _apply_pairs(block_re, block_im, rows, op[0], op[1], op[2], u[o], op[7], op[8])
            _scatter(block_re, block_im, base, rows_of, re, im)


@jit
def _unrun_passes(re, im, lr, li, n, passes, offsets, ops, u, g_u):
    """Un-apply all operations from state and cotangent, last first."""
    for p in range(passes.shape[0] - 1, -1, -1):
        first, last, width, start, mask = passes[p]
        rows = 1 << width
        if width == n:
            for o in range(last - 1, first - 1, -1):
                op = ops[o]
                _unapply_pairs(re, im, lr, li, rows, op[0], op[1], op[2], u[o], op[7], op[8], g_u[o])
            continue
        block_re = np.empty((rows, LANES), re.dtype)
        block_im = np.empty((rows, LANES), re.dtype)
        block_lr = np.empty((rows, LANES), re.dtype)
        block_li = np.empty((rows, LANES), re.dtype)
        rows_of = offsets[start : start + rows]
        for outer in range(1 << (n - width)):
            base = _spread(outer, ~mask, n)
            _gather(re, im, base, rows_of, block_re, block_im)
            _gather(lr, li, base, rows_of, block_lr, block_li)
            for o in range(last - 1, first - 1, -1):
                op = ops[o]
                _unapply_pairs(
                    block_re, block_im, block_lr, block_li, rows, op[0], op[1], op[2], u[o], op[7], op[8], g_u[o]
                )
            _scatter(block_re, block_im, base, rows_of, re, im)
            _scatter(block_lr, block_li, base, rows_of, lr, li)


@jit
def _load(amplitudes, first, lanes, re, im):
    """Rows of amplitudes (batch, rows, 2) into a tile; lanes beyond the batch are zero."""
    for i in range(re.shape[0]):
        for b in range(lanes):
            re[i, b] = amplitudes[first + b, i, 0]
            im[i, b] = amplitudes[first + b, i, 1]
        for b in range(lanes, LANES):
            re[i, b] = 0
            im[i, b] = 0


@jit
def _store(amplitudes, first, lanes, re, im):
    for i in range(re.shape[0]):
        for b in range(lanes):
            amplitudes[first + b, i, 0] = re[i, b]
            amplitudes[first + b, i, 1] = im[i, b]


@jit
def _load_half(half_angles, first, lanes, half):
    """cos and sin of the half angles, half_angles (batch, 2, n_angles), into (n_angles, 2, LANES)."""
    for a in range(half.shape[0]):
        for b in range(LANES):
            half[a, 0, b] = half_angles[first + b, 0, a] if b < lanes else 1
            half[a, 1, b] = half_angles[first + b, 1, a] if b < lanes else 0


@jit
def _tile_readouts(re, im, n, z, norm):
    """z (3n, LANES) of the normalised state, norm (LANES,) its squared norm."""
    sums = np.empty((4, LANES), re.dtype)
    for q in range(n):
        stride = 1 << (n - 1 - q)
        sums[:] = 0
        for block in range(0, re.shape[0], 2 * stride):
            for i in range(block, block + stride):
                add_readouts(re, im, i, i + stride, sums)
        for b in range(LANES):
            norm[b] = sums[2, b] + sums[3, b]
            scale = 1 / norm[b] if norm[b] > 0 else 0
            z[q, b] = 2 * sums[0, b] * scale
            z[n + q, b] = 2 * sums[1, b] * scale
            z[2 * n + q, b] = (sums[2, b] - sums[3, b]) * scale


@jit
def _sign_sums(g_z, first_qubit, n_bits, start, table):
    """table[i] = start + sum over the qubits first_qubit.. of +-g_z, the signs by the bits of i, highest first."""
    for b in range(LANES):
        table[0, b] = start[b]
    filled = 1
    for bit in range(n_bits):  # lowest bit first: each doubles the part of the table that is filled
        q = first_qubit + n_bits - 1 - bit
        for i in range(filled):
            for b in range(LANES):
                table[filled + i, b] = table[i, b] - g_z[q, b]
                table[i, b] += g_z[q, b]
        filled *= 2


@jit
def _readout_cotangent(re, im, lr, li, n, z, g_z, norm):
    """lambda += (2 / norm) sum_k g_k (O_k - z_k) psi; z and g_z are (3n, LANES). Scales g_z in place."""
    start = np.zeros((2, LANES), re.dtype)
    for k in range(3 * n):
        for b in range(LANES):
            g_z[k, b] *= 2 / norm[b] if norm[b] > 0 else 0
            start[1, b] -= z[k, b] * g_z[k, b]
    # All Z at once: a diagonal, tabulated for the high and for the low half of the bits.
    low_bits = n // 2
    high_bits = n - low_bits
    low = np.empty((1 << low_bits, LANES), re.dtype)
    high = np.empty((1 << high_bits, LANES), re.dtype)
    _sign_sums(g_z, 2 * n, high_bits, start[1], high)
    _sign_sums(g_z, 2 * n + high_bits, low_bits, start[0], low)
    for i in range(re.shape[0]):
        add_diagonal(re, im, lr, li, i, low, i & ((1 << low_bits) - 1), high, i >> low_bits)
    xy = np.empty((2, LANES), re.dtype)
    for q in range(n):
        stride = 1 << (n - 1 - q)
        for b in range(LANES):
            xy[0, b] = g_z[q, b]
            xy[1, b] = g_z[n + q, b]
        for block in range(0, re.shape[0], 2 * stride):
            for i in range(block, block + stride):
                add_flips(re, im, lr, li, i, i + stride, xy)


@jit
def forward(amplitudes, half_angles, n, passes, offsets, ops, atoms, fixed, out, z, norms, first_tile, last_tile):
    """One timestep of the tiles first_tile..last_tile - 1.

    amplitudes and out (batch, 2**n, 2), half_angles (batch, 2, n_angles) cosines and sines of the half angles,
    z (batch, 3n), norms (batch,).
    """
    batch, rows = amplitudes.shape[0], amplitudes.shape[1]
    re = np.empty((rows, LANES), amplitudes.dtype)
    im = np.empty((rows, LANES), amplitudes.dtype)
    half = np.empty((half_angles.shape[2], 2, LANES), amplitudes.dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), amplitudes.dtype)
    work = np.empty((2, 8, LANES), amplitudes.dtype)
    tile_z = np.empty((3 * n, LANES), amplitudes.dtype)
    norm = np.empty(LANES, amplitudes.dtype)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        lanes = min(LANES, batch - first)
        _load(amplitudes, first, lanes, re, im)
        _load_half(half_angles, first, lanes, half)
        for o in range(ops.shape[0]):
            pair_matrices(ops[o], atoms, fixed, half, u[o], work)
        _run_passes(re, im, n, passes, offsets, ops, u)
        _tile_readouts(re, im, n, tile_z, norm)
        _store(out, first, lanes, re, im)
        for b in range(lanes):
            norms[first + b] = norm[b]
            for k in range(3 * n):
                z[first + b, k] = tile_z[k, b]


@jit
def backward(
    state, cotangent, half_angles, z, norms, g_z, n, passes, offsets, ops, atoms, fixed, longest,
    before, g_before, g_angles, first_tile, last_tile,
):  # fmt: skip
    """Adjoint of `forward`.

    From the state after the timestep and the cotangents of state and readouts to the state before it (`before`), its
    cotangent (`g_before`) and g_angles (batch, n_angles).
    """
    batch, rows = state.shape[0], state.shape[1]
    dtype = state.dtype
    re = np.empty((rows, LANES), dtype)
    im = np.empty((rows, LANES), dtype)
    lr = np.empty((rows, LANES), dtype)
    li = np.empty((rows, LANES), dtype)
    half = np.empty((half_angles.shape[2], 2, LANES), dtype)
    u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    g_u = np.empty((ops.shape[0], 2, 8, LANES), dtype)
    g = np.empty((half_angles.shape[2], LANES), dtype)
    work = np.empty((3 + longest, 8, LANES), dtype)
    tile_z = np.empty((3 * n, LANES), dtype)
    tile_g = np.empty((3 * n, LANES), dtype)
    norm = np.empty(LANES, dtype)
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        lanes = min(LANES, batch - first)
        _load(state, first, lanes, re, im)
        _load(cotangent, first, lanes, lr, li)
        _load_half(half_angles, first, lanes, half)
        for b in range(LANES):
            norm[b] = norms[first + b] if b < lanes else 1
            for k in range(3 * n):
                tile_z[k, b] = z[first + b, k] if b < lanes else 0
                tile_g[k, b] = g_z[first + b, k] if b < lanes else 0
        _readout_cotangent(re, im, lr, li, n, tile_z, tile_g, norm)
        for o in range(ops.shape[0]):
            pair_matrices(ops[o], atoms, fixed, half, u[o], work)
        g_u[:] = 0
        _unrun_passes(re, im, lr, li, n, passes, offsets, ops, u, g_u)
        g[:] = 0
        for o in range(ops.shape[0]):
            pair_gradients(ops[o], atoms, fixed, half, g_u[o], g, work)
        _store(before, first, lanes, re, im)
        _store(g_before, first, lanes, lr, li)
        for b in range(lanes):
            for a in range(half.shape[0]):
                g_angles[first + b, a] = g[a, b]
