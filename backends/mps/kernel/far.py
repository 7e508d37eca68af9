"""A gate between two distant sites of a tile, forward and backward, without swaps.

The gate is a sum over k of two products: the selecting qubit is k, and a matrix u_k acts on the target. One sweep goes
from the site where the centre is, the *near* end, to the *far* end, and carries k along with the bond. What lies ahead
of a bond is not orthonormal while k is open, so the truncation weighs it with its Gram matrix E:

    M            (rows, 2 bond)   the state, kept isometry by isometry up to here; columns are k and the bond ahead
    M E M^h      the density matrix of all sites up to here, whose largest eigenvectors U_K are kept: the truncation is
                 the optimal one at the centre, and the discarded eigenvalues are its exact weight
    C = U_K^h M  goes on.

E = X X^h comes from a sweep in the other direction that keeps the triangular X, so nothing is squared; U are the left
singular vectors of M X.

**Backward.** With U_K^h dU_K = 0 as in a split, dU_K = U_D Omega, Omega = (U_D^h d(M E M^h) U_K) / (s_k^2 - s_j^2).
With R = U^h M, G = U_D^h gA + R_D gC^h and W = G / (s_k^2 - s_j^2):

    gM = U_K gC + U_D W R_K E + U_K W^h R_D E        gE = R_D^h W R_K

and E hands its cotangent on through its own sweep, E = T E' T^h. No inverse of E or X is formed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.algebra import (
    ADDS,
    SETS,
    add_scaled,
    clear,
    copy,
    multiply,
    multiply_adjoint_a,
    multiply_adjoint_b,
    scale,
    scale_rows,
    square_norms,
)
from backends.kernels.compiling import strict_inner
from backends.kernels.decomposition import first_lost, spectrum_of
from backends.kernels.reflections import CONJUGATE, apply_reflector, make_reflector
from backends.kernels.turns import neighbours, rotate_numbers, unrotate_numbers
from backends.kernels.vectors import LANES
from backends.kernels.views import (
    View,
    block,
    first_columns,
    first_rows,
    last_rows,
    matrix,
    padded,
    transposed,
    vector,
)
from backends.mps.kernel.truncation import cut, project_out, pull_back, turn


class _Legs(NamedTuple):
    """A site of a far gate: where its numbers begin, and sizes and strides of its legs.

    They are the bond towards the near end, the qubits, and the bond ahead. `row` and `column` are the strides of bond
    and qubits, and of qubits and bond ahead, as one index each, in the order in which the site holds them.
    """

    start: Any
    near: Any
    width: Any
    ahead: Any
    along_near: Any
    along_width: Any
    along_ahead: Any
    row: Any
    column: Any


@strict_inner
def _legs(site, rightwards):
    right, both = site.right, site.width * site.right
    if rightwards:
        return _Legs(site.start, site.left, site.width, right, both, right, 1, column=1, row=right)
    return _Legs(site.start, right, site.width, site.left, 1, right, both, column=right, row=1)


@strict_inner
def _numbers_of(legs):
    return legs.near * legs.width * legs.ahead


@strict_inner
def _by_qubit(array, offset, legs, j):
    """The tensor of a site for one value of its qubits: (near, ahead)."""
    start = offset + j * legs.along_width
    return View(array, start, legs.along_near, legs.along_ahead, legs.near, legs.ahead)


@strict_inner
def _from_near(array, offset, legs):
    """The tensor of a site as the matrix (near, qubits and ahead)."""
    return View(array, offset, legs.along_near, legs.column, legs.near, legs.width * legs.ahead)


@strict_inner
def _to_ahead(array, offset, legs):
    """The tensor of a site as the matrix (near and qubits, ahead)."""
    return View(array, offset, legs.row, legs.along_ahead, legs.near * legs.width, legs.ahead)


@strict_inner
def _part(m, legs, j, k):
    """Of M (near and qubits, k and ahead) what belongs to one value of the qubits and one k: (near, ahead)."""
    first, along = j * legs.along_width // legs.row, legs.along_near // legs.row
    start = m.offset + first * m.row + k * legs.ahead
    return View(m.array, start, along * m.row, 1, legs.near, legs.ahead)


class _Way(NamedTuple):
    """The way of a far gate through the sites: its stops from the near end on, and the slot that they count from."""

    stops: Any
    sites: Any
    rightwards: Any
    base: Any
    slots: Any


@strict_inner
def _way(op, tables, slots, base):
    return _Way(tables.stops[op.first_stop : op.last_stop], tables.sites, op.rightwards, base, slots)


@strict_inner
def _legs_at(way, p):
    return _legs(way.sites[way.stops[p].site], way.rightwards)


@strict_inner
def _kept(way, p, j):
    """The old site's tensor for one value of its qubits."""
    return _by_qubit(way.slots, way.base + way.stops[p].kept, _legs_at(way, p), j)


@strict_inner
def _square(way, p, offset):
    """A matrix over k and the bond towards the near end, at an offset in the slot."""
    size = 2 * _legs_at(way, p).near
    return matrix(way.slots, way.base + offset, size, size)


@strict_inner
def _merged(way, p):
    """M (near and qubits, k and ahead)."""
    legs = _legs_at(way, p)
    return matrix(way.slots, way.base + way.stops[p].merged, legs.near * legs.width, 2 * legs.ahead)


@strict_inner
def _vectors(way, p):
    """U: the left singular vectors of M X."""
    legs = _legs_at(way, p)
    return padded(way.slots, way.base + way.stops[p].vectors, legs.near * legs.width, legs.near * legs.width)


@strict_inner
def _rest(way, p):
    """R = U^h M."""
    legs = _legs_at(way, p)
    return matrix(way.slots, way.base + way.stops[p].rest, legs.near * legs.width, 2 * legs.ahead)


@strict_inner
def _carried(way, p):
    """C (ahead, k and ahead), which goes on."""
    ahead = _legs_at(way, p).ahead
    return matrix(way.slots, way.base + way.stops[p].carried, ahead, 2 * ahead)


@strict_inner
def _columns_of(m, k):
    """Half k of the columns of a matrix, whose columns are k and something else."""
    half = m.columns // 2
    return block(m, 0, k * half, m.rows, half)


@strict_inner
def _rows_of(m, k):
    """Half k of the rows likewise."""
    half = m.rows // 2
    return block(m, k * half, 0, half, m.columns)


@strict_inner
def _end_tensors(way, p, is_target, gate, u):
    """The tensors of an end site for k = 0, 1: the matrix u_k on the target, or the selecting qubit's half k."""
    stop, size = way.stops[p], _numbers_of(_legs_at(way, p))
    for k in range(2):
        at = way.base + stop.ends + k * size
        copy(vector(way.slots, way.base + stop.kept, size), vector(way.slots, at, size))
        if is_target:
            rotate_numbers(way.slots, at, neighbours(size // (2 * gate.target), gate.target), u[k])
        else:
            _clear_half(way.slots, at, size, gate.selector, 1 - k)


@strict_inner
def _clear_half(x, offset, size, shift, half):
    """Zero where the selecting qubit, whose stride is `shift`, is `half`, in a tensor of `size` numbers."""
    for i in range(size // (2 * shift)):
        clear(vector(x, offset + 2 * shift * i + half * shift, shift))


@strict_inner
def _triangle(y, x, work):
    """X, lower triangular, with X X^h = Y Y^h, to the first columns of x; Y is used up. Returns their number."""
    d, tau, tiny = work.d, vector(work.right, 0, 1), work.tiny[0]
    rank = min(y.rows, y.columns)
    for i in range(rank):
        along = transposed(block(y, i, i, 1, y.columns - i))
        make_reflector(along, tiny * tiny, d, i, tau)
        apply_reflector(along, tau, CONJUGATE, transposed(block(y, i + 1, i, y.rows - i - 1, y.columns - i)))
    for i in range(y.rows):
        for j in range(rank):
            row, source = 2 * (x.offset + i * x.row + j), 2 * (y.offset + i * y.row + j)
            for lane in range(LANES):
                x.array[row, lane] = y.array[source, lane] if j < i else d[i, lane] if j == i else 0
                x.array[row + 1, lane] = y.array[source + 1, lane] if j < i else 0
    return rank


@strict_inner
def _roots(way, ranks, y, work, saves):
    """X of every bond within, from the far end back; with `saves` E as well."""
    last = way.stops.shape[0] - 1
    for p in range(last, 0, -1):
        legs, stop = _legs_at(way, p), way.stops[p]
        rank = legs.ahead if p == last else ranks[p + 1]
        columns = legs.width * rank
        product = matrix(y, 0, 2 * legs.near, columns)
        for k in range(2):
            half = _rows_of(product, k)
            if p == last:
                ends = way.base + stop.ends + k * _numbers_of(legs)
                copy(_from_near(way.slots, ends, legs), half)
                continue
            root = first_columns(_rows_of(_square(way, p + 1, way.stops[p + 1].root), k), rank)
            for j in range(legs.width):
                multiply(block(half, 0, j * rank, legs.near, rank), _kept(way, p, j), root, SETS)
        root = _square(way, p, stop.root)
        ranks[p] = _triangle(product, root, work)
        if saves:
            root = first_columns(root, ranks[p])
            multiply_adjoint_b(_square(way, p, stop.gram), root, root, SETS)


@strict_inner
def run_far(x, op, tables, room, limits, saves):
    """Apply the gate of an operation and truncate all bonds between its ends."""
    way = _way(op, tables, room.slots, op.slot if saves else 0)
    gate, u, last = tables.operations[op.first_gate], room.u[op.first_gate], way.stops.shape[0] - 1
    ranks = np.empty(last + 1, np.int64)
    for p in range(last + 1):
        legs = _legs_at(way, p)
        size = _numbers_of(legs)
        copy(vector(x, legs.start, size), vector(way.slots, way.base + way.stops[p].kept, size))
        if p == 0 or p == last:
            _end_tensors(way, p, (p == 0) == (op.target_is_near == 1), gate, u)
    _roots(way, ranks, room.far, room.work, saves)
    for p in range(last):
        _merge(way, p)
        _cut(x, way, p, ranks[p + 1], spectrum_of(room.spectra, op.split + p), room, limits, saves)
    legs = _legs_at(way, last)
    centre, carried = _from_near(x, legs.start, legs), _carried(way, last - 1)
    for k in range(2):
        ends = way.base + way.stops[last].ends + k * _numbers_of(legs)
        multiply(centre, _columns_of(carried, k), _from_near(way.slots, ends, legs), k)
    norm, inverse = room.spectra.norm[op.split], room.work.d
    numbers = vector(x, legs.start, _numbers_of(legs))
    square_norms(transposed(numbers), norm)
    for lane in range(LANES):
        norm[0, lane] = np.sqrt(norm[0, lane]) if norm[0, lane] > 0 else 1
        inverse[0, lane] = 1 / norm[0, lane]
    scale(numbers, inverse)


@strict_inner
def _merge(way, p):
    """M of a stop: what is carried up to it, times the site's tensor; at the near end the tensors u_k T."""
    legs, m = _legs_at(way, p), _merged(way, p)
    for k in range(2):
        if p == 0:
            ends = way.base + way.stops[p].ends + k * _numbers_of(legs)
            copy(_to_ahead(way.slots, ends, legs), _columns_of(m, k))
            continue
        carried = _columns_of(_carried(way, p - 1), k)
        for j in range(legs.width):
            multiply(_part(m, legs, j, k), carried, _kept(way, p, j), SETS)


@strict_inner
def _cut(x, way, p, rank, found, room, limits, saves):
    """Truncate the bond ahead of a stop: U_K is the new site, C goes on."""
    legs, m, root = _legs_at(way, p), _merged(way, p), _square(way, p + 1, way.stops[p + 1].root)
    bond = legs.ahead
    weighed = matrix(room.far, 0, m.rows, rank)
    multiply(weighed, m, first_columns(root, rank), SETS)
    wanted = m.rows if saves else bond
    vectors, rest = first_columns(_vectors(way, p), wanted), first_rows(_rest(way, p), wanted)
    cut(m, weighed, vectors, rest, bond, limits, found, room.work)
    carried = _carried(way, p)
    copy(first_rows(rest, bond), carried)
    scale_rows(carried, found.kept)
    copy(first_columns(vectors, bond), _to_ahead(x, legs.start, legs))


@strict_inner
def unrun_far(x, g, op, tables, room, back, limits, noise):
    """Adjoint of `run_far`: g goes from cotangents of the new sites to those of the old ones, which x holds again."""
    way = _way(op, tables, room.slots, op.slot)
    last, norm = way.stops.shape[0] - 1, room.spectra.norm[op.split]
    _uncentre(x, g, way, last, norm, back)
    for p in range(last - 1, -1, -1):
        _uncut(g, way, p, spectrum_of(room.spectra, op.split + p), back, limits, noise)
        _unmerge(g, way, p, back)
    _unroots(g, way, back)
    gate, number = tables.operations[op.first_gate], op.first_gate
    for p in (0, last):
        _unend(g, way, p, (p == 0) == (op.target_is_near == 1), gate, room.u[number], back.sums[number], back.factors)
    for p in range(last + 1):
        legs = _legs_at(way, p)
        size = _numbers_of(legs)
        copy(vector(way.slots, way.base + way.stops[p].kept, size), vector(x, legs.start, size))


@strict_inner
def _uncentre(x, g, way, last, norm, back):
    """The normalisation, and the far end: M = sum_k C_k (u_k T)."""
    legs, overlap = _legs_at(way, last), back.factors[:1]
    size = _numbers_of(legs)
    numbers, cotangents = vector(x, legs.start, size), vector(g, legs.start, size)
    project_out(numbers, cotangents, overlap)
    for lane in range(LANES):
        overlap[0, lane] = 1 / norm[0, lane]
    scale(cotangents, overlap)
    # The cotangents of u_k T replace, in M's place, what is not needed again; that of C takes the place of C.
    carried, centre = _carried(way, last - 1), _from_near(g, legs.start, legs)
    pulled = matrix(back.pulled, 0, legs.near, 2 * legs.near)
    for k in range(2):
        ends = way.base + way.stops[last].ends + k * size
        multiply_adjoint_b(_columns_of(pulled, k), centre, _from_near(way.slots, ends, legs), SETS)
        end = _from_near(way.slots, way.base + way.stops[last].merged + k * size, legs)
        multiply_adjoint_a(end, _columns_of(carried, k), centre, SETS)
    copy(pulled, carried)


@strict_inner
def _uncut(g, way, p, found, back, limits, noise):
    """From the cotangents of U_K and C to those of M (in `back.merged`) and of E (in X's place)."""
    legs, rest, carried = _legs_at(way, p), _rest(way, p), _carried(way, p)
    vectors, first = _vectors(way, p), first_lost(legs.ahead, limits)
    scale_rows(carried, found.kept)
    w = turn(back.gaps, vectors, rest, _to_ahead(g, legs.start, legs), carried, found, first, noise)
    # gE = R_D^h W R_K takes the place of X, by way of W R_K.
    product = matrix(back.merged, 0, w.rows, rest.columns)
    multiply(product, w, first_rows(rest, w.columns), SETS)
    multiply_adjoint_a(_square(way, p + 1, way.stops[p + 1].root), last_rows(rest, first), product, SETS)
    # gM = U ((gC, 0) + (W^h R_D, W R_K) E)
    product = matrix(back.merged, 0, rest.rows, rest.columns)
    multiply(product, rest, _square(way, p + 1, way.stops[p + 1].gram), SETS)
    pull_back(product, matrix(back.pulled, 0, rest.rows, rest.columns), vectors, w, carried, product, first)


@strict_inner
def _unmerge(g, way, p, back):
    """M = C T: to the cotangents of C, which takes its place, and of T; at the near end to those of u_k T."""
    legs = _legs_at(way, p)
    g_m = matrix(back.merged, 0, legs.near * legs.width, 2 * legs.ahead)
    if p == 0:
        for k in range(2):
            at = way.base + way.stops[p].merged + k * _numbers_of(legs)
            copy(_columns_of(g_m, k), _to_ahead(way.slots, at, legs))
        return
    before, pulled = _carried(way, p - 1), matrix(back.pulled, 0, legs.near, 2 * legs.near)
    clear(vector(g, legs.start, _numbers_of(legs)))
    for k in range(2):
        for j in range(legs.width):
            g_part = _part(g_m, legs, j, k)
            multiply_adjoint_b(_columns_of(pulled, k), g_part, _kept(way, p, j), min(j, 1))
            multiply_adjoint_a(_by_qubit(g, legs.start, legs, j), _columns_of(before, k), g_part, ADDS)
    copy(pulled, before)


@strict_inner
def _unend(g, way, p, is_target, gate, u, sums, ones):
    """From the cotangents of the tensors u_k T of an end, in M's place, to that of T."""
    legs, stop = _legs_at(way, p), way.stops[p]
    size = _numbers_of(legs)
    first, target = way.base + stop.merged, vector(g, legs.start, size)
    for k in range(2):
        at, ends = first + k * size, way.base + stop.ends + k * size
        if is_target:
            pairs = neighbours(size // (2 * gate.target), gate.target)
            unrotate_numbers(way.slots, ends, way.slots, at, pairs, u[k], sums[k])
        else:
            _clear_half(way.slots, at, size, gate.selector, 1 - k)
    for lane in range(LANES):
        ones[0, lane] = 1
    copy(vector(way.slots, first, size), target)
    add_scaled(target, vector(way.slots, first + size, size), ones)


@strict_inner
def _unroots(g, way, back):
    """The cotangents of the Gram matrices, from the near end on: each goes on to the next and to the site between."""
    last = way.stops.shape[0] - 1
    for p in range(1, last + 1):
        legs, here = _legs_at(way, p), _square(way, p, way.stops[p].root)
        sides = matrix(back.gaps, 0, here.rows, here.rows)
        _add_adjoint(here, sides)
        if p == last:
            _unroot_end(way, p, legs, sides)
            return
        gram, g_gram = _square(way, p + 1, way.stops[p + 1].gram), _square(way, p + 1, way.stops[p + 1].root)
        through = matrix(back.pulled, 0, here.rows, gram.columns)
        for j in range(legs.width):
            kept, g_kept = _kept(way, p, j), _by_qubit(g, legs.start, legs, j)
            # Z = T E of one value of the qubit, (2 near, 2 ahead); gT += sum_k S_k Z_k.
            for k in range(2):
                multiply(_rows_of(through, k), kept, _rows_of(gram, k), SETS)
            for k in range(2):
                multiply(g_kept, _rows_of(sides, k), _columns_of(through, k), ADDS)
            # gE' += T^h gE T
            for k in range(2):
                multiply(_columns_of(through, k), _columns_of(here, k), kept, SETS)
            for k in range(2):
                multiply_adjoint_a(_rows_of(g_gram, k), kept, _rows_of(through, k), ADDS)


@strict_inner
def _add_adjoint(x, out):
    """out <- X + X^h."""
    for i in range(x.rows):
        for j in range(x.rows):
            a, b, to = 2 * (x.offset + i * x.row + j), 2 * (x.offset + j * x.row + i), 2 * (i * x.rows + j)
            for lane in range(LANES):
                out.array[to, lane] = x.array[a, lane] + x.array[b, lane]
                out.array[to + 1, lane] = x.array[a + 1, lane] - x.array[b + 1, lane]


@strict_inner
def _unroot_end(way, p, legs, sides):
    """The tensors u_k T of the far end: their cotangents, in M's place, and what E there makes of them."""
    size = _numbers_of(legs)
    for k in range(2):
        target = _from_near(way.slots, way.base + way.stops[p].merged + k * size, legs)
        for other in range(2):
            ends = _from_near(way.slots, way.base + way.stops[p].ends + other * size, legs)
            multiply(target, _columns_of(_rows_of(sides, k), other), ends, ADDS)
