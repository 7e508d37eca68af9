"""The compiled kernel of the MPS: the gates of one timestep on the CPU, forward and backward, for tiles of samples.

A tile is `LANES` samples side by side (see `lanes`); the site tensors of a tile lie one after the other in one array.
Programs are interpreted, as those of the statevector's kernel: a table of *operations* (see `program`), each of them

    WITHIN   gates on the qubits of one site
    SPLIT    gates on two neighbouring sites: merge, apply, truncate at the centre, normalise
    MOVE     the centre goes to a neighbouring site
    FAR      one gate between two sites that are not neighbours (see `far`)

Splitting and moving are one formula (see `split`): M = U S V^h, the isometry U_K stays, U_K^h M goes on. The backward
carries out the timestep once more and keeps per operation what its adjoint needs; a timestep stores only the state it
began with. Functions release the interpreter lock.
"""

from __future__ import annotations

import numpy as np

from backends.kernels.algebra import (
    add_scaled,
    clear,
    divide_gaps,
    multiply,
    multiply_conj_a,
    multiply_conj_b,
    real_overlap,
    scale_lanes,
    square_norms,
)
from backends.kernels.atoms import angle_gradients, matrices, pair_ends
from backends.kernels.compiling import strict_inner, strict_jit
from backends.kernels.decomposition import copy, left_vectors, orthonormal_columns, select, workspace
from backends.kernels.simd import LANES
from backends.kernels.tiles import load_numbers, samples, store_numbers
from backends.kernels.turns import NumberPairs, rotate_numbers, unrotate_numbers
from backends.mps.kernel.far import run_far, unrun_far
from backends.mps.kernel.readouts import finish, read, readout_space, unread

WITHIN, SPLIT, MOVE, FAR = range(4)


@strict_inner
def _apply_gates(x, offset, first, last, places, operations, u):
    for g in range(first, last):
        for which in range(2):
            if operations[g].acts[which]:
                rotate_numbers(x, offset, _pairs(places[g], operations[g], which), u[g, which])


@strict_inner
def _unapply_gates(x, offset, y, y_offset, first, last, places, operations, u, sums):
    for g in range(last - 1, first - 1, -1):
        for which in range(2):
            if operations[g].acts[which]:
                pairs = _pairs(places[g], operations[g], which)
                unrotate_numbers(x, offset, y, y_offset, pairs, u[g, which], sums[g, which])


@strict_inner
def _pairs(place, op, which):
    """The pairs of numbers that an operation's matrix `which` acts on."""
    first, second = pair_ends(place[5], place[6], op.flips, which)
    return NumberPairs(place[0], place[1], place[2], place[3], place[4], first, second)


@strict_inner
def _geometry(op, sites):
    """Where an operation on the bond right of a site finds what: all it needs to know of offsets and strides.

    The isometry is (rows, bond), the part that goes on (bond, other).
    """
    site, rightwards = op[1], op[2]
    a, b = sites[site], sites[site + 1]
    left, bond, right = a[1] * a[2], a[3], b[2] * b[3]
    if rightwards:
        return left, bond, right, a[0], bond, 1, b[0], right, 1
    return right, bond, left, b[0], 1, right, a[0], 1, bond


@strict_inner
def _split(x, op, sites, places, operations, u, w, saves, limits, values, kept, norm, eps, work):
    rows, bond, other, iso, ir, ic, onward, kr, kc = _geometry(op, sites)
    site, rightwards, slot = op[1], op[2], op[5]
    a, b = sites[site], sites[site + 1]
    left, right = a[1] * a[2], b[2] * b[3]
    theta = slot + bond * (left + right)
    vectors = theta + left * right
    rest = vectors + rows * (rows + 1)
    if saves:
        copy(x, a[0], 1, 1, w, slot, 1, 1, left * bond, 1)
        copy(x, b[0], 1, 1, w, slot + left * bond, 1, 1, bond * right, 1)
    multiply(w, theta, right, 1, x, a[0], bond, 1, x, b[0], right, 1, left, right, bond, 0)
    _apply_gates(w, theta, op[3], op[4], places, operations, u)
    mr, mc = (right, 1) if rightwards else (1, right)
    wanted = rows if saves else bond
    left_vectors(w, theta, mr, mc, rows, other, wanted, work, w, vectors, rows + 1)
    select(work.squares, rows, min(rows, other), bond, limits, values, kept, eps)
    multiply_conj_a(w, rest, other, 1, w, vectors, 1, rows + 1, w, theta, mr, mc, wanted, other, rows, 0)
    factors = work.d
    square_norms(w, rest, other, 1, bond, other, factors, 0)
    for lane in range(LANES):
        total = factors.dtype.type(0)
        for k in range(bond):
            total += factors[k, lane] * kept[k, lane]
        norm[0, lane] = np.sqrt(total) if total > 0 else 1
        for k in range(bond):
            factors[k, lane] = kept[k, lane] / norm[0, lane]
    copy(w, vectors, rows + 1, 1, x, iso, ir, ic, rows, bond)
    copy(w, rest, other, 1, x, onward, kr, kc, bond, other)
    scale_lanes(x, onward, kr, kc, bond, other, factors, 1)


@strict_inner
def _move(x, op, sites, w, saves, triangular, values, work):
    rows, bond, other, iso, ir, ic, onward, kr, kc = _geometry(op, sites)
    neighbour = op[5]
    vectors = neighbour + bond * other
    rest = vectors + rows * (bond + 1)
    if triangular:
        orthonormal_columns(x, iso, ir, ic, rows, bond, work, w, vectors, bond + 1)
    else:
        left_vectors(x, iso, ir, ic, rows, bond, bond, work, w, vectors, bond + 1)
    multiply_conj_a(w, rest, bond, 1, w, vectors, 1, bond + 1, x, iso, ir, ic, bond, bond, rows, 0)
    if saves:
        for lane in range(LANES):
            for k in range(bond):
                values[k, lane] = np.sqrt(max(work.squares[k, lane], 0.0))
    copy(x, onward, 1, 1, w, neighbour, 1, 1, bond * other, 1)
    multiply(x, onward, kr, kc, w, rest, bond, 1, w, neighbour, kr, kc, bond, other, bond, 0)
    copy(w, vectors, bond + 1, 1, x, iso, ir, ic, rows, bond)


@strict_inner
def _run(
    x, ops, far, sites, places, operations, u, w, saves, triangular, limits, values, kept, norms, epsilons, work, y
):
    """All operations on a tile. With `saves`, each has a slot of its own in w; else they share the first."""
    for o in range(ops.shape[0]):
        op = ops[o]
        split = op[9]
        v = split if saves else 0
        if op[0] == WITHIN:
            _apply_gates(x, sites[op[1], 0], op[3], op[4], places, operations, u)
        elif op[0] == SPLIT:
            _split(
                x, op, sites, places, operations, u, w, saves, limits, values[v], kept[v], norms[v], epsilons[split],
                work,
            )  # fmt: skip
        elif op[0] == MOVE:
            _move(x, op, sites, w, saves, triangular, values[v], work)
        else:
            gate = op[3]
            run_far(
                x, op, far, sites, places[gate], u[gate], w, saves, limits, values[v:], kept[v:], norms[v],
                epsilons[split:], work, y,
            )  # fmt: skip


@strict_inner
def _unsplit(x, g, op, sites, places, operations, u, w, limits, noise, values, kept, norm, sums, scratch):
    """Adjoint of `_split`: from cotangents g of the new sites to those of the old, which x holds again afterwards."""
    gaps, pulled, merged, factors = scratch
    rows, bond, other, iso, ir, ic, onward, kr, kc = _geometry(op, sites)
    site, rightwards, slot = op[1], op[2], op[5]
    a, b = sites[site], sites[site + 1]
    left, right = a[1] * a[2], b[2] * b[3]
    theta = slot + bond * (left + right)
    vectors = theta + left * right
    rest = vectors + rows * (rows + 1)
    # The normalisation: B = K / |K|.
    overlap = factors[:1]
    real_overlap(x, onward, kr, kc, g, onward, kr, kc, bond, other, overlap)
    for lane in range(LANES):
        overlap[0, lane] = -overlap[0, lane]
    add_scaled(g, onward, kr, kc, x, onward, kr, kc, bond, other, overlap)
    for lane in range(LANES):
        for k in range(bond):
            factors[k, lane] = kept[k, lane] / norm[0, lane]
    scale_lanes(g, onward, kr, kc, bond, other, factors, 1)
    # W: how the kept subspace turns into the discarded one.
    start = bond if limits[0] == 0 and limits[1] < 0 else 0
    lost = rows - start
    lost_rows = rest + start * other
    multiply_conj_a(gaps, 0, bond, 1, w, vectors + start, 1, rows + 1, g, iso, ir, ic, lost, bond, rows, 0)
    multiply_conj_b(gaps, 0, bond, 1, w, lost_rows, other, 1, g, onward, kc, kr, lost, bond, other, 1)
    divide_gaps(gaps, 0, bond, values, kept, start, lost, bond, noise)
    # The cotangent of M in the basis U.
    clear(pulled, 2 * rows * other)
    copy(g, onward, kr, kc, pulled, 0, other, 1, bond, other)
    multiply_conj_a(pulled, 0, other, 1, gaps, 0, 1, bond, w, lost_rows, other, 1, bond, other, lost, 1)
    multiply(pulled, start * other, other, 1, gaps, 0, bond, 1, w, rest, other, 1, lost, other, bond, 1)
    mr, mc = (right, 1) if rightwards else (1, right)
    multiply(merged, 0, mr, mc, w, vectors, rows + 1, 1, pulled, 0, other, 1, rows, other, rows, 0)
    _unapply_gates(w, theta, merged, 0, op[3], op[4], places, operations, u, sums)
    old_a, old_b = slot, slot + left * bond
    multiply_conj_b(g, a[0], bond, 1, merged, 0, right, 1, w, old_b, 1, right, left, bond, right, 0)
    multiply_conj_a(g, b[0], right, 1, w, old_a, 1, bond, merged, 0, right, 1, bond, right, left, 0)
    copy(w, old_a, 1, 1, x, a[0], 1, 1, left * bond, 1)
    copy(w, old_b, 1, 1, x, b[0], 1, 1, bond * right, 1)


@strict_inner
def _unmove(x, g, op, sites, w, noise, values, scratch):
    """Adjoint of `_move`."""
    small, moved, centre, factors = scratch
    rows, bond, other, iso, ir, ic, onward, kr, kc = _geometry(op, sites)
    neighbour = op[5]
    vectors = neighbour + bond * other
    rest = vectors + rows * (bond + 1)
    # What lies outside the isometry, times 1 / S^2.
    multiply_conj_a(small, 0, bond, 1, w, vectors, 1, bond + 1, g, iso, ir, ic, bond, bond, rows, 0)
    for lane in range(LANES):
        factors[0, lane] = -1
    scale_lanes(small, 0, bond, 1, bond, bond, factors, 0)
    multiply(g, iso, ir, ic, w, vectors, bond + 1, 1, small, 0, bond, 1, rows, bond, bond, 1)
    for lane in range(LANES):
        # In double precision: the compiler may square 1 / (s^4 + level), which leaves the range of single precision.
        level = (np.float64(noise) * values[0, lane]) ** 4 + 1e-300
        for k in range(bond):
            square = np.float64(values[k, lane]) ** 2
            inverse = square / (square * square + level)
            factors[k, lane] = square * inverse * inverse
    scale_lanes(g, iso, ic, ir, bond, rows, factors, 1)
    multiply(centre, 0, bond, 1, g, iso, ir, ic, w, rest, bond, 1, rows, bond, bond, 0)
    multiply_conj_b(small, 0, bond, 1, g, onward, kr, kc, w, neighbour, kc, kr, bond, bond, other, 0)
    multiply(centre, 0, bond, 1, w, vectors, bond + 1, 1, small, 0, bond, 1, rows, bond, bond, 1)
    copy(centre, 0, bond, 1, g, iso, ir, ic, rows, bond)
    multiply_conj_a(moved, 0, other, 1, w, rest, 1, bond, g, onward, kr, kc, bond, other, bond, 0)
    copy(moved, 0, other, 1, g, onward, kr, kc, bond, other)
    multiply(x, iso, ir, ic, w, vectors, bond + 1, 1, w, rest, bond, 1, rows, bond, bond, 0)
    copy(w, neighbour, 1, 1, x, onward, 1, 1, bond * other, 1)


@strict_jit
def forward(
    batch, half, ops, far, sites, places, operations, atoms, fixed, sizes, tiny, limits, triangular, out, z, ledger,
    first_tile, last_tile,
):  # fmt: skip
    """One timestep of the tiles first_tile..last_tile - 1.

    batch and out (samples, numbers, 2), half (tiles, 2, n_angles, LANES) cosines and sines of half the angles,
    z (samples, 3n), ledger (samples, 3): the sums of the discarded weights and of their angles, and how often a
    discarded weight was above limits[1]. For the tables and
    `sizes` see `MPSProgram`. Where no backward follows, moves may be `triangular`: another gauge, half the work.
    """
    dtype, numbers = batch.dtype, batch.shape[1]
    x = np.empty((2 * numbers, LANES), dtype)
    u = np.empty((operations.shape[0], 2, 8, LANES), dtype)
    w = np.empty((2 * sizes[0], LANES), dtype)
    values = np.empty((1, sizes[2], LANES), dtype)
    kept = np.empty((1, sizes[2], LANES), dtype)
    norms = np.empty((1, 1, LANES), dtype)
    epsilons = np.zeros((sizes[5], 1, LANES), np.float64)
    y = np.empty((2 * sizes[6], LANES), dtype)
    work = workspace(sizes[2], sizes[3], tiny)
    space = readout_space(sites, dtype)
    shared = ops.copy()
    shared[:, 5] = 0
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load_numbers(samples(batch, first), numbers, x)
        matrices(operations, atoms, fixed, half[tile], u)
        _run(
            x, shared, far, sites, places, operations, u, w, np.int64(0), triangular, limits, values, kept, norms,
            epsilons, work, y,
        )  # fmt: skip
        store_numbers(samples(out, first), numbers, x)
        read(x, sites, sizes[4], space)
        finish(space, first, z)
        for lane in range(min(LANES, ledger.shape[0] - first)):
            for k in range(sizes[5]):
                ledger[first + lane, 0] += epsilons[k, 0, lane]
                ledger[first + lane, 1] += np.arcsin(np.sqrt(min(epsilons[k, 0, lane], 1.0)))
                if limits[1] >= 0 and epsilons[k, 0, lane] > limits[1]:
                    ledger[first + lane, 2] += 1


@strict_jit
def backward(
    batch, g_out, g_z, half, ops, far, sites, places, operations, atoms, fixed, turns, sizes, tiny, limits, noise,
    g_batch, g_angles, first_tile, last_tile,
):  # fmt: skip
    """Adjoint of `forward`: from the incoming state and the cotangents of what went out to those of state and angles.

    A `g_out` of no samples is zero; so is the wish for a `g_batch` of no samples.
    """
    dtype, numbers, count = batch.dtype, batch.shape[1], ops.shape[0]
    x = np.empty((2 * numbers, LANES), dtype)
    g = np.empty((2 * numbers, LANES), dtype)
    u = np.empty((operations.shape[0], 2, 8, LANES), dtype)
    sums = np.empty((operations.shape[0], 2, 4, LANES), dtype)
    w = np.empty((2 * sizes[1], LANES), dtype)
    values = np.empty((sizes[5], sizes[2], LANES), dtype)
    kept = np.empty((sizes[5], sizes[2], LANES), dtype)
    norms = np.empty((sizes[5], 1, LANES), dtype)
    epsilons = np.empty((sizes[5], 1, LANES), np.float64)
    y = np.empty((2 * sizes[6], LANES), dtype)
    work = workspace(sizes[2], sizes[3], tiny)
    area = 2 * sizes[7]
    space = readout_space(sites, dtype)
    scratch = (
        np.empty((area, LANES), dtype),
        np.empty((area, LANES), dtype),
        np.empty((area, LANES), dtype),
        np.empty((sizes[2], LANES), dtype),
    )
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load_numbers(samples(batch, first), numbers, x)
        clear(g, 2 * numbers)
        if g_out.shape[0] > 0:
            load_numbers(samples(g_out, first), numbers, g)
        matrices(operations, atoms, fixed, half[tile], u)
        _run(
            x, ops, far, sites, places, operations, u, w, np.int64(1), np.int64(0), limits, values, kept, norms,
            epsilons, work, y,
        )  # fmt: skip
        read(x, sites, sizes[4], space)
        unread(x, g, sites, sizes[4], space, first, g_z)
        for gate in range(operations.shape[0]):
            for which in range(2):
                clear(sums[gate, which], 4)
        for o in range(count - 1, -1, -1):
            op = ops[o]
            v, gate = op[9], op[3]
            if op[0] == WITHIN:
                at = sites[op[1], 0]
                _unapply_gates(x, at, g, at, op[3], op[4], places, operations, u, sums)
            elif op[0] == SPLIT:
                _unsplit(
                    x, g, op, sites, places, operations, u, w, limits, noise, values[v], kept[v], norms[v], sums,
                    scratch,
                )  # fmt: skip
            elif op[0] == MOVE:
                _unmove(x, g, op, sites, w, noise, values[v], scratch)
            else:
                unrun_far(
                    x, g, op, far, sites, places[gate], u[gate], w, limits, noise, values[v:], kept[v:], norms[v],
                    sums[gate], scratch,
                )  # fmt: skip
        angle_gradients(operations, atoms, turns, half[tile], sums, first, g_angles)
        if g_batch.shape[0] > 0:
            store_numbers(samples(g_batch, first), numbers, g)
