"""The compiled kernel of the MPS: the gates of one timestep on the CPU, forward and backward, for tiles of samples.

A tile is `LANES` samples side by side (see `views`); the site tensors of a tile lie one after the other in one array.
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

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.algebra import (
    ADDS,
    SETS,
    clear,
    copy,
    multiply,
    multiply_adjoint_a,
    multiply_adjoint_b,
    scale,
    scale_rows,
    square_norms,
)
from backends.kernels.atoms import angle_gradients, matrices, pair_ends
from backends.kernels.compiling import strict_inner, strict_jit
from backends.kernels.decomposition import (
    Spectrum,
    first_lost,
    left_vectors,
    orthonormal_columns,
    spectrum_of,
    workspace,
)
from backends.kernels.tiles import load_numbers, samples, store_numbers
from backends.kernels.turns import NumberPairs, rotate_numbers, unrotate_numbers
from backends.kernels.vectors import LANES
from backends.kernels.views import (
    View,
    elsewhere,
    first_columns,
    first_rows,
    matrix,
    padded,
    transposed,
    vector,
)
from backends.mps.kernel.far import run_far, unrun_far
from backends.mps.kernel.readouts import finish, read, readout_space, unread
from backends.mps.kernel.tables import MOVE, SPLIT, WITHIN
from backends.mps.kernel.truncation import cut, project_out, pull_back, turn


class Room(NamedTuple):
    """What a thread works in: the operations' matrices u, all slots, their spectra, and arrays to work on."""

    u: Any
    slots: Any
    spectra: Spectrum
    work: Any
    far: Any


class BackRoom(NamedTuple):
    """What the backward works in beside that: sums for the gates' angles (see `atoms`), three areas, and real rows."""

    sums: Any
    gaps: Any
    pulled: Any
    merged: Any
    factors: Any


@strict_inner
def _room(tables, splits, numbers, tiny):
    """A room with so many numbers in its slots."""
    dtype, sizes = tiny.dtype, tables.sizes
    spectra = Spectrum(
        np.empty((splits, sizes.rows, LANES), dtype),
        np.empty((splits, sizes.rows, LANES), dtype),
        np.empty((splits, 1, LANES), dtype),
        np.zeros((splits, 1, LANES), np.float64),
    )
    return Room(
        np.empty((tables.operations.shape[0], 2, 8, LANES), dtype),
        np.empty((2 * numbers, LANES), dtype),
        spectra,
        workspace(sizes.rows, sizes.columns, tiny),
        np.empty((2 * sizes.far, LANES), dtype),
    )


@strict_inner
def _apply_gates(x, offset, op, tables, u):
    for g in range(op.first_gate, op.last_gate):
        for which in range(2):
            if tables.operations[g].acts[which]:
                rotate_numbers(x, offset, _pairs(tables, g, which), u[g, which])


@strict_inner
def _unapply_gates(x, offset, y, y_offset, op, tables, u, sums):
    for g in range(op.last_gate - 1, op.first_gate - 1, -1):
        for which in range(2):
            if tables.operations[g].acts[which]:
                unrotate_numbers(x, offset, y, y_offset, _pairs(tables, g, which), u[g, which], sums[g, which])


@strict_inner
def _pairs(tables, g, which):
    """The pairs of numbers that a gate's matrix `which` acts on."""
    place, gate = tables.places[g], tables.operations[g]
    first, second = pair_ends(gate.target, gate.selector, gate.flips, which)
    return NumberPairs(place.outer, place.outer_stride, place.inner, place.inner_stride, place.run, first, second)


@strict_inner
def _sites_of(x, op, sites):
    """The two site tensors at a bond as matrices (left, bond) and (bond, right)."""
    a, b = sites[op.site], sites[op.site + 1]
    return matrix(x, a.start, a.left * a.width, a.right), matrix(x, b.start, b.left, b.width * b.right)


@strict_inner
def _bond(x, op, sites):
    """Likewise, the way the centre goes: (rows, bond), which becomes an isometry, and (bond, other)."""
    left, right = _sites_of(x, op, sites)
    if op.rightwards:
        return left, right
    return transposed(right), transposed(left)


class _Split(NamedTuple):
    """The matrices of a split in its slot: the sites before, their product, U and U^h M."""

    left: View
    right: View
    theta: View
    vectors: View
    rest: View


@strict_inner
def _split_slot(op, slot, sites, w):
    left, right = _sites_of(w, op, sites)
    m, bond, n = left.rows, left.columns, right.columns
    rows, other = (m, n) if op.rightwards else (n, m)
    theta = slot + bond * (m + n)
    vectors = theta + m * n
    return _Split(
        matrix(w, slot, m, bond),
        matrix(w, slot + m * bond, bond, n),
        matrix(w, theta, m, n),
        padded(w, vectors, rows, rows),
        matrix(w, vectors + rows * (rows + 1), rows, other),
    )


@strict_inner
def _turned(theta, op):
    """The product of two sites as the matrix M whose left singular vectors stay behind."""
    if op.rightwards:
        return theta
    return transposed(theta)


@strict_inner
def _split(x, op, tables, room, limits, saves):
    left, right = _sites_of(x, op, tables.sites)
    isometry, onward = _bond(x, op, tables.sites)
    slot = _split_slot(op, op.slot if saves else 0, tables.sites, room.slots)
    if saves:
        copy(left, slot.left)
        copy(right, slot.right)
    multiply(slot.theta, left, right, SETS)
    _apply_gates(room.slots, slot.theta.offset, op, tables, room.u)
    m, bond = _turned(slot.theta, op), isometry.columns
    wanted = m.rows if saves else bond
    vectors = first_columns(slot.vectors, wanted)
    found = spectrum_of(room.spectra, op.split)
    cut(m, m, vectors, first_rows(slot.rest, wanted), bond, limits, found, room.work)
    rest, factors = first_rows(slot.rest, bond), room.work.d
    square_norms(rest, factors)
    for lane in range(LANES):
        total = factors.dtype.type(0)
        for k in range(bond):
            total += factors[k, lane] * found.kept[k, lane]
        found.norm[0, lane] = np.sqrt(total) if total > 0 else 1
        for k in range(bond):
            factors[k, lane] = found.kept[k, lane] / found.norm[0, lane]
    copy(first_columns(slot.vectors, bond), isometry)
    copy(rest, onward)
    scale_rows(onward, factors)


@strict_inner
def _move_slot(slot, isometry, onward, w):
    """The matrices of a move in its slot: the neighbour before, the isometry U, and U^h M."""
    rows, bond = isometry.rows, isometry.columns
    vectors = slot + bond * onward.columns
    return (
        elsewhere(onward, w, slot),
        padded(w, vectors, rows, bond),
        matrix(w, vectors + rows * (bond + 1), bond, bond),
    )


@strict_inner
def _move(x, op, tables, room, saves, triangular):
    isometry, onward = _bond(x, op, tables.sites)
    neighbour, vectors, rest = _move_slot(op.slot if saves else 0, isometry, onward, room.slots)
    if triangular:
        orthonormal_columns(isometry, vectors, room.work)
    else:
        left_vectors(isometry, vectors, room.work)
    multiply_adjoint_a(rest, vectors, isometry, SETS)
    if saves:
        values = room.spectra.values[op.split]
        for lane in range(LANES):
            for k in range(isometry.columns):
                values[k, lane] = np.sqrt(max(room.work.squares[k, lane], 0.0))
    copy(onward, neighbour)
    multiply(onward, rest, neighbour, SETS)
    copy(vectors, isometry)


@strict_inner
def _run(x, tables, room, limits, saves, triangular):
    """All operations on a tile. With `saves`, each has a slot of its own; else they share the first."""
    for op in tables.ops:
        if op.kind == WITHIN:
            _apply_gates(x, tables.sites[op.site].start, op, tables, room.u)
        elif op.kind == SPLIT:
            _split(x, op, tables, room, limits, saves)
        elif op.kind == MOVE:
            _move(x, op, tables, room, saves, triangular)
        else:
            run_far(x, op, tables, room, limits, saves)


@strict_inner
def _unsplit(x, g, op, tables, room, back, limits, noise):
    """Adjoint of `_split`: from cotangents g of the new sites to those of the old, which x holds again afterwards."""
    onward = _bond(x, op, tables.sites)[1]
    g_isometry, g_onward = _bond(g, op, tables.sites)
    slot, found = _split_slot(op, op.slot, tables.sites, room.slots), spectrum_of(room.spectra, op.split)
    rows, bond, other = g_isometry.rows, g_isometry.columns, g_onward.columns
    # The normalisation: B = K / |K|.
    overlap, factors = back.factors[:1], back.factors
    project_out(onward, g_onward, overlap)
    for lane in range(LANES):
        for k in range(bond):
            factors[k, lane] = found.kept[k, lane] / found.norm[0, lane]
    scale_rows(g_onward, factors)
    first = first_lost(bond, limits)
    w = turn(back.gaps, slot.vectors, slot.rest, g_isometry, g_onward, found, first, noise)
    g_theta, pulled = elsewhere(slot.theta, back.merged, 0), matrix(back.pulled, 0, rows, other)
    pull_back(_turned(g_theta, op), pulled, slot.vectors, w, g_onward, slot.rest, first)
    _unapply_gates(room.slots, slot.theta.offset, back.merged, 0, op, tables, room.u, back.sums)
    left, right = _sites_of(x, op, tables.sites)
    g_left, g_right = _sites_of(g, op, tables.sites)
    multiply_adjoint_b(g_left, g_theta, slot.right, SETS)
    multiply_adjoint_a(g_right, slot.left, g_theta, SETS)
    copy(slot.left, left)
    copy(slot.right, right)


@strict_inner
def _unmove(x, g, op, tables, room, back, noise):
    """Adjoint of `_move`."""
    isometry, onward = _bond(x, op, tables.sites)
    g_isometry, g_onward = _bond(g, op, tables.sites)
    neighbour, vectors, rest = _move_slot(op.slot, isometry, onward, room.slots)
    bond, values, factors = isometry.columns, room.spectra.values[op.split], back.factors
    # What lies outside the isometry, times 1 / S^2.
    small = matrix(back.gaps, 0, bond, bond)
    multiply_adjoint_a(small, vectors, g_isometry, SETS)
    for lane in range(LANES):
        factors[0, lane] = -1
    scale(small, factors)
    multiply(g_isometry, vectors, small, ADDS)
    for lane in range(LANES):
        # In double precision: the compiler may square 1 / (s^4 + level), which leaves the range of single precision.
        level = (np.float64(noise) * values[0, lane]) ** 4 + 1e-300
        for k in range(bond):
            square = np.float64(values[k, lane]) ** 2
            inverse = square / (square * square + level)
            factors[k, lane] = square * inverse * inverse
    scale_rows(transposed(g_isometry), factors)
    centre, moved = matrix(back.merged, 0, isometry.rows, bond), matrix(back.pulled, 0, bond, onward.columns)
    multiply(centre, g_isometry, rest, SETS)
    multiply_adjoint_b(small, g_onward, neighbour, SETS)
    multiply(centre, vectors, small, ADDS)
    copy(centre, g_isometry)
    multiply_adjoint_a(moved, rest, g_onward, SETS)
    copy(moved, g_onward)
    multiply(isometry, vectors, rest, SETS)
    copy(neighbour, onward)


@strict_jit
def forward(batch, half, tables, fixed, tiny, limits, triangular, out, z, ledger, first_tile, last_tile):
    """One timestep of the tiles first_tile..last_tile - 1.

    batch and out (samples, numbers, 2), half (tiles, 2, n_angles, LANES) cosines and sines of half the angles,
    z (samples, 3n), ledger (samples, 3): the sums of the discarded weights and of their angles, and how often a
    discarded weight was above limits[1]. Where no backward follows, moves may be `triangular`: another gauge, half the
    work.
    """
    numbers, sizes, sites = batch.shape[1], tables.sizes, tables.sites
    x = np.empty((2 * numbers, LANES), batch.dtype)
    room, space = _room(tables, sizes.splits, sizes.slot, tiny), readout_space(sites, batch.dtype)
    discarded = room.spectra.discarded
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load_numbers(samples(batch, first), numbers, x)
        matrices(tables.operations, tables.atoms, fixed, half[tile], room.u)
        _run(x, tables, room, limits, False, triangular)
        store_numbers(samples(out, first), numbers, x)
        read(x, sites, sizes.centre, space)
        finish(space, first, z)
        for lane in range(min(LANES, ledger.shape[0] - first)):
            for k in range(sizes.splits):
                weight = discarded[k, 0, lane]
                ledger[first + lane, 0] += weight
                ledger[first + lane, 1] += np.arcsin(np.sqrt(min(weight, 1.0)))
                if limits[1] >= 0 and weight > limits[1]:
                    ledger[first + lane, 2] += 1


@strict_jit
def backward(
    batch, g_out, g_z, half, tables, fixed, turns, tiny, limits, noise, g_batch, g_angles, first_tile, last_tile
):
    """Adjoint of `forward`: from the incoming state and the cotangents of what went out to those of state and angles.

    A `g_out` of no samples is zero; so is the wish for a `g_batch` of no samples.
    """
    dtype, numbers, sizes, sites = batch.dtype, batch.shape[1], tables.sizes, tables.sites
    x = np.empty((2 * numbers, LANES), dtype)
    g = np.empty((2 * numbers, LANES), dtype)
    room, space = _room(tables, sizes.splits, sizes.slots, tiny), readout_space(sites, dtype)
    back = BackRoom(
        np.empty((tables.operations.shape[0], 2, 4, LANES), dtype),
        np.empty((2 * sizes.area, LANES), dtype),
        np.empty((2 * sizes.area, LANES), dtype),
        np.empty((2 * sizes.area, LANES), dtype),
        np.empty((sizes.rows, LANES), dtype),
    )
    for tile in range(first_tile, last_tile):
        first = tile * LANES
        load_numbers(samples(batch, first), numbers, x)
        clear(vector(g, 0, numbers))
        if g_out.shape[0] > 0:
            load_numbers(samples(g_out, first), numbers, g)
        matrices(tables.operations, tables.atoms, fixed, half[tile], room.u)
        _run(x, tables, room, limits, True, False)
        read(x, sites, sizes.centre, space)
        unread(x, g, sites, sizes.centre, space, first, g_z)
        for gate in range(tables.operations.shape[0]):
            for which in range(2):
                clear(vector(back.sums[gate, which], 0, 2))
        for o in range(tables.ops.shape[0] - 1, -1, -1):
            op = tables.ops[o]
            if op.kind == WITHIN:
                at = sites[op.site].start
                _unapply_gates(x, at, g, at, op, tables, room.u, back.sums)
            elif op.kind == SPLIT:
                _unsplit(x, g, op, tables, room, back, limits, noise)
            elif op.kind == MOVE:
                _unmove(x, g, op, tables, room, back, noise)
            else:
                unrun_far(x, g, op, tables, room, back, limits, noise)
        angle_gradients(tables.operations, tables.atoms, turns, half[tile], back.sums, first, g_angles)
        if g_batch.shape[0] > 0:
            store_numbers(samples(g_batch, first), numbers, g)
