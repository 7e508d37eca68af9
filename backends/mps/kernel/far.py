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
from backends.kernels.compiling import strict_inner
from backends.kernels.decomposition import copy, left_vectors, select
from backends.kernels.reflections import apply_reflector, make_reflector
from backends.kernels.simd import LANES
from backends.kernels.turns import neighbours, rotate_numbers, unrotate_numbers

# Columns of the table `far`: one row for each site of an operation, from the near end on. The site; where its numbers
# are kept, X and E of its bond towards the near end, M, U, R and C, and the two tensors of an end.
SITE, KEPT, ROOT, GRAM, MERGED, VECTORS, REST, CARRIED, ENDS = range(9)


@strict_inner
def _legs(site, rightwards):
    """Start, sizes and strides of a site's legs: the bond towards the near end, its qubits, the bond ahead."""
    start, left, width, right = site
    if rightwards:
        return start, left, width, right, width * right, right, 1
    return start, right, width, left, 1, right, width * right


@strict_inner
def _end_tensors(w, origin, ends, size, place, is_target, u):
    """The tensors of an end site for k = 0, 1: the matrix u_k on the target, or the selecting qubit's half k."""
    for k in range(2):
        at = ends + k * size
        copy(w, origin, 1, 1, w, at, 1, 1, size, 1)
        if is_target:
            rotate_numbers(w, at, neighbours(place[0], place[5]), u[k])
        else:
            _clear_half(w, at, place[2], place[6], 1 - k)


@strict_inner
def _clear_half(x, offset, outer, shift, half):
    """Zero where the selecting qubit, whose stride is `shift`, is `half`."""
    for i in range(outer):
        for j in range(shift):
            row = 2 * (offset + 2 * shift * i + half * shift + j)
            for lane in range(LANES):
                x[row, lane] = 0
                x[row + 1, lane] = 0


@strict_inner
def _triangle(y, rows, columns, x, xo, d, tau, tiny):
    """X (rows, min(rows, columns)), lower triangular, rows of `rows` numbers, with X X^h = Y Y^h; Y is used up."""
    rank = min(rows, columns)
    for i in range(rank):
        at = i * columns + i
        make_reflector(y, at, 1, columns - i, tiny * tiny, d, i, tau, 0)
        apply_reflector(y, at, 1, columns - i, tau, 0, 1, y, at + columns, 1, columns, rows - i - 1)
    for i in range(rows):
        for j in range(rank):
            row, source = 2 * (xo + i * rows + j), 2 * (i * columns + j)
            for lane in range(LANES):
                x[row, lane] = y[source, lane] if j < i else d[i, lane] if j == i else 0
                x[row + 1, lane] = y[source + 1, lane] if j < i else 0
    return rank


@strict_inner
def _roots(w, base, far, first, count, sites, rightwards, saves, y, work, ranks):
    """X of every bond within, from the far end back; with `saves` E as well."""
    d, tau, tiny = work.d, work.right, work.tiny[0]
    for p in range(count - 1, 0, -1):
        row = far[first + p]
        _, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
        size = near * width * ahead
        if p == count - 1:
            columns = width * ahead
            for k in range(2):
                # The qubits and the bond ahead are one index of one stride, in the order in which the site holds them.
                step = sy if rightwards else sw
                copy(w, base + row[ENDS] + k * size, sx, step, y, k * near * columns, columns, 1, near, columns)
        else:
            ahead_row = far[first + p + 1]
            rank = ranks[p + 1]
            columns = width * rank
            for k in range(2):
                for j in range(width):
                    multiply(
                        y, k * near * columns + j * rank, columns, 1, w, base + row[KEPT] + j * sw, sx, sy,
                        w, base + ahead_row[ROOT] + k * ahead * 2 * ahead, 2 * ahead, 1, near, rank, ahead, 0,
                    )  # fmt: skip
        n, x = 2 * near, base + row[ROOT]
        ranks[p] = _triangle(y, n, columns, w, x, d, tau, tiny)
        if saves:
            multiply_conj_b(w, base + row[GRAM], n, 1, w, x, n, 1, w, x, 1, n, n, n, ranks[p], 0)


@strict_inner
def run_far(x, op, far, sites, place, u, w, saves, limits, values, kept, norm, eps, work, y):
    """Apply the gate of an operation and truncate all bonds between its ends."""
    base, first, count, rightwards = op[5], op[6], op[7], op[2]
    ranks = np.empty(count, np.int64)
    for p in range(count):
        start, near, width, ahead, _, _, _ = _legs(sites[far[first + p, SITE]], rightwards)
        size = near * width * ahead
        copy(x, start, 1, 1, w, base + far[first + p, KEPT], 1, 1, size, 1)
        if p == 0 or p == count - 1:
            origin, ends = base + far[first + p, KEPT], base + far[first + p, ENDS]
            _end_tensors(w, origin, ends, size, place, (p == 0) == (op[8] == 1), u)
    _roots(w, base, far, first, count, sites, rightwards, saves, y, work, ranks)
    bond = 0
    for p in range(count - 1):
        row = far[first + p]
        start, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
        merged, rows, columns = base + row[MERGED], near * width, 2 * ahead
        row_step, column_step = (ahead, 1) if rightwards else (1, sy)
        for k in range(2):
            if p == 0:
                ends = base + row[ENDS] + k * near * width * ahead
                copy(w, ends, row_step, column_step, w, merged + k * ahead, columns, 1, rows, ahead)
                continue
            carried = base + far[first + p - 1, CARRIED] + k * near
            for j in range(width):
                row_of = j if rightwards else j * near
                multiply(
                    w, merged + row_of * columns + k * ahead, (width if rightwards else 1) * columns, 1,
                    w, carried, 2 * near, 1, w, base + row[KEPT] + j * sw, sx, sy, near, ahead, near, 0,
                )  # fmt: skip
        bond = ahead
        ahead_row, rank = far[first + p + 1], ranks[p + 1]
        multiply(y, 0, rank, 1, w, merged, columns, 1, w, base + ahead_row[ROOT], columns, 1, rows, rank, columns, 0)
        wanted = rows if saves else bond
        v = p if saves else 0
        left_vectors(y, 0, rank, 1, rows, rank, wanted, work, w, base + row[VECTORS], rows + 1)
        select(work.squares, rows, min(rows, rank), bond, limits, values[v], kept[v], eps[p])
        vectors, rest = base + row[VECTORS], base + row[REST]
        multiply_conj_a(
            w, rest, columns, 1, w, vectors, 1, rows + 1, w, merged, columns, 1, wanted, columns, rows, 0
        )  # fmt: skip
        copy(w, rest, columns, 1, w, base + row[CARRIED], columns, 1, bond, columns)
        scale_lanes(w, base + row[CARRIED], columns, 1, bond, columns, kept[v], 1)
        copy(w, vectors, rows + 1, 1, x, start, row_step, column_step, rows, bond)
    row = far[first + count - 1]
    start, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
    step, columns = sy if rightwards else sw, width * ahead
    carried = base + far[first + count - 2, CARRIED]
    for k in range(2):
        ends = base + row[ENDS] + k * near * columns
        multiply(
            x, start, sx, step, w, carried + k * near, 2 * near, 1, w, ends, sx, step, near, columns, near, k
        )  # fmt: skip
    square_norms(x, start, 1, 1, 1, near * columns, norm, 0)
    for lane in range(LANES):
        norm[0, lane] = np.sqrt(norm[0, lane]) if norm[0, lane] > 0 else 1
        work.d[0, lane] = 1 / norm[0, lane]
    scale_lanes(x, start, 1, 1, near * columns, 1, work.d, 0)


@strict_inner
def unrun_far(x, g, op, far, sites, place, u, w, limits, noise, values, kept, norm, sums, scratch):
    """Adjoint of `run_far`: g goes from cotangents of the new sites to those of the old ones, which x holds again."""
    gaps, pulled, merged, factors = scratch
    base, first, count, rightwards = op[5], op[6], op[7], op[2]
    row = far[first + count - 1]
    start, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
    step, columns = sy if rightwards else sw, width * ahead
    size = near * columns
    # The normalisation.
    overlap = factors[:1]
    real_overlap(x, start, 1, 1, g, start, 1, 1, size, 1, overlap)
    for lane in range(LANES):
        overlap[0, lane] = -overlap[0, lane]
    add_scaled(g, start, 1, 1, x, start, 1, 1, size, 1, overlap)
    for lane in range(LANES):
        overlap[0, lane] = 1 / norm[0, lane]
    scale_lanes(g, start, 1, 1, size, 1, overlap, 0)
    # The far end: M = sum_k C_k (u_k T); the cotangents of u_k T replace, in x's place of it, what is not needed again.
    carried = base + far[first + count - 2, CARRIED]
    for k in range(2):
        ends = base + row[ENDS] + k * size
        multiply_conj_b(
            pulled, k * near, 2 * near, 1, g, start, sx, step, w, ends, step, sx, near, near, columns, 0
        )  # fmt: skip
        multiply_conj_a(
            merged, k * size, sx, step, w, carried + k * near, 1, 2 * near, g, start, sx, step, near, columns, near, 0
        )  # fmt: skip
    copy(pulled, 0, 1, 1, w, carried, 1, 1, near * 2 * near, 1)  # C is not needed again: its cotangent takes its place
    end = base + row[MERGED]
    copy(merged, 0, 1, 1, w, end, 1, 1, 2 * size, 1)
    for p in range(count - 2, -1, -1):
        row, ahead_row = far[first + p], far[first + p + 1]
        start, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
        rows, columns, bond = near * width, 2 * ahead, ahead
        row_step, column_step = (ahead, 1) if rightwards else (1, sy)
        vectors, rest, carried = base + row[VECTORS], base + row[REST], base + row[CARRIED]
        gram, g_gram = base + ahead_row[GRAM], base + ahead_row[ROOT]
        begin = bond if limits[0] == 0 and limits[1] < 0 else 0
        lost, lost_rows = rows - begin, rest + begin * columns
        scale_lanes(w, carried, columns, 1, bond, columns, kept[p], 1)
        multiply_conj_a(
            gaps, 0, bond, 1, w, vectors + begin, 1, rows + 1, g, start, row_step, column_step, lost, bond, rows, 0
        )  # fmt: skip
        multiply_conj_b(gaps, 0, bond, 1, w, lost_rows, columns, 1, w, carried, 1, columns, lost, bond, columns, 1)
        divide_gaps(gaps, 0, bond, values[p], kept[p], begin, lost, bond, noise)
        # gE = R_D^h W R_K takes the place of X, by way of W R_K.
        multiply(merged, 0, columns, 1, gaps, 0, bond, 1, w, rest, columns, 1, lost, columns, bond, 0)
        multiply_conj_a(
            w, g_gram, columns, 1, w, lost_rows, 1, columns, merged, 0, columns, 1, columns, columns, lost, 0
        )
        # gM = U ((gC, 0) + (W^h R_D, W R_K) E)
        multiply(merged, 0, columns, 1, w, rest, columns, 1, w, gram, columns, 1, rows, columns, columns, 0)
        clear(pulled, 2 * rows * columns)
        copy(w, carried, columns, 1, pulled, 0, columns, 1, bond, columns)
        multiply_conj_a(
            pulled, 0, columns, 1, gaps, 0, 1, bond, merged, begin * columns, columns, 1, bond, columns, lost, 1
        )  # fmt: skip
        multiply(
            pulled, begin * columns, columns, 1, gaps, 0, bond, 1, merged, 0, columns, 1, lost, columns, bond, 1
        )  # fmt: skip
        multiply(merged, 0, columns, 1, w, vectors, rows + 1, 1, pulled, 0, columns, 1, rows, columns, rows, 0)
        if p == 0:
            for k in range(2):
                at = base + row[MERGED] + k * rows * ahead
                copy(merged, k * ahead, columns, 1, w, at, row_step, column_step, rows, ahead)
            continue
        # M = C T: to the cotangents of C, which takes its place, and of T.
        before, kept_t = base + far[first + p - 1, CARRIED], base + row[KEPT]
        clear(g[2 * start : 2 * (start + near * width * ahead)], 2 * near * width * ahead)
        along = (width if rightwards else 1) * columns
        for k in range(2):
            for j in range(width):
                at = (j if rightwards else j * near) * columns + k * ahead
                multiply_conj_b(
                    pulled, k * near, 2 * near, 1, merged, at, along, 1, w, kept_t + j * sw, sy, sx, near, near, ahead,
                    min(j, 1),
                )  # fmt: skip
                multiply_conj_a(
                    g, start + j * sw, sx, sy, w, before + k * near, 1, 2 * near, merged, at, along, 1, near, ahead,
                    near, 1,
                )  # fmt: skip
        copy(pulled, 0, 1, 1, w, before, 1, 1, 2 * near * near, 1)
    _unroots(g, base, far, first, count, sites, rightwards, w, scratch)
    for end in range(2):
        p = 0 if end == 0 else count - 1
        row = far[first + p]
        start, near, width, ahead, _, _, _ = _legs(sites[row[SITE]], rightwards)
        size = near * width * ahead
        ends, cotangents = base + row[ENDS], base + row[MERGED]
        for k in range(2):
            at = cotangents + k * size
            if (p == 0) == (op[8] == 1):
                unrotate_numbers(w, ends + k * size, w, at, neighbours(place[0], place[5]), u[k], sums[k])
            else:
                _clear_half(w, at, place[2], place[6], 1 - k)
        for lane in range(LANES):
            factors[0, lane] = 1
        copy(w, cotangents, 1, 1, g, start, 1, 1, size, 1)
        add_scaled(g, start, 1, 1, w, cotangents + size, 1, 1, size, 1, factors)
    for p in range(count):
        start, near, width, ahead, _, _, _ = _legs(sites[far[first + p, SITE]], rightwards)
        copy(w, base + far[first + p, KEPT], 1, 1, x, start, 1, 1, near * width * ahead, 1)


@strict_inner
def _unroots(g, base, far, first, count, sites, rightwards, w, scratch):
    """The cotangents of the Gram matrices, from the near end on: each goes on to the next and to the site between."""
    sides, through, _, _ = scratch
    for p in range(1, count):
        row = far[first + p]
        start, near, width, ahead, sx, sw, sy = _legs(sites[row[SITE]], rightwards)
        n, here = 2 * near, base + row[ROOT]
        # S = gE + gE^h
        for i in range(n):
            for j in range(n):
                a, b, to = 2 * (here + i * n + j), 2 * (here + j * n + i), 2 * (i * n + j)
                for lane in range(LANES):
                    sides[to, lane] = w[a, lane] + w[b, lane]
                    sides[to + 1, lane] = w[a + 1, lane] - w[b + 1, lane]
        if p == count - 1:
            columns, step = width * ahead, sy if rightwards else sw
            size = near * columns
            for k in range(2):
                for other in range(2):
                    multiply(
                        w, base + row[MERGED] + k * size, sx, step, sides, k * near * n + other * near, n, 1,
                        w, base + row[ENDS] + other * size, sx, step, near, columns, near, 1,
                    )  # fmt: skip
            return
        ahead_row, m, kept_t = far[first + p + 1], 2 * ahead, base + row[KEPT]
        gram, g_gram = base + ahead_row[GRAM], base + ahead_row[ROOT]
        for j in range(width):
            # Z = T E of one value of the qubit, (2 near, 2 ahead); gT += sum_k S_k Z_k.
            for k in range(2):
                multiply(
                    through, k * near * m, m, 1, w, kept_t + j * sw, sx, sy, w, gram + k * ahead * m, m, 1, near, m,
                    ahead, 0,
                )  # fmt: skip
            for k in range(2):
                multiply(
                    g, start + j * sw, sx, sy, sides, k * near * n, n, 1, through, k * ahead, m, 1, near, ahead, n, 1
                )  # fmt: skip
            # gE' += T^h gE T
            for k in range(2):
                multiply(
                    through, k * ahead, m, 1, w, here + k * near, n, 1, w, kept_t + j * sw, sx, sy, n, ahead, near, 0
                )  # fmt: skip
            for k in range(2):
                multiply_conj_a(
                    w, g_gram + k * ahead * m, m, 1, w, kept_t + j * sw, sy, sx, through, k * near * m, m, 1, ahead, m,
                    near, 1,
                )  # fmt: skip
