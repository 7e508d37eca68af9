"""The left singular vectors of a matrix, for all samples of a tile at once.

M = H_1 ... H_k B P with Householder reflectors and a real bidiagonal B; the eigenvectors Z of the tridiagonal B B^T by
implicit QL steps; U = H_1 ... H_k Z. B is computed in the precision of M and B B^T in double precision, so that nothing
is lost by squaring a single precision matrix. Right vectors are not needed: S V^h = U^h M.

All lanes take the same steps; a lane whose eigenvalue has converged waits for the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.algebra import copy_lanes
from backends.kernels.compiling import strict_inner
from backends.kernels.reflections import apply_reflector, chase, find_negligible, make_reflector, rotate_columns
from backends.kernels.simd import LANES

# Numbers below these are taken as zero: their squares would leave the range of normal numbers.
TINY = {np.dtype(np.float32): np.array([2e-18], np.float32), np.dtype(np.float64): np.array([1e-150])}
# Relative size of an off-diagonal entry that is negligible beside its two neighbours on the diagonal.
_RELATIVE = 1e-15
# And beside the largest entry of all: squared Schmidt values below this fraction of the largest are not told apart.
_FLOOR = 1e-18
# QL steps for one eigenvalue. Two or three are usual: Wilkinson's shift is proved to converge. What overflows does not.
_MAX_STEPS = 60


class Work(NamedTuple):
    """Arrays that a decomposition works in; `squares` are afterwards the squared singular values, largest first."""

    matrix: Any
    tau: Any
    right: Any
    d: Any
    e: Any
    squares: Any
    beside: Any
    floor: Any
    vectors: Any
    cosines: Any
    sines: Any
    order: Any
    tiny: Any


@strict_inner
def copy(source, so, sr, sc, target, to, tr, tc, m, n):
    """target[i, j] <- source[i, j] of m x n matrices in lanes."""
    copy_lanes(source, so, sr, sc, target, to, tr, tc, m, n, source.dtype.type(0))


@strict_inner
def _bidiagonalise(a, rows, columns, stride, tau, right, d, e, tiny):
    """a (rows, columns) becomes its left reflectors, below and on the diagonal; B goes to d and e, real rows."""
    k = min(rows, columns)
    for i in range(k):
        make_reflector(a, i * stride + i, stride, rows - i, tiny, d, i, tau, i)
        if i + 1 < columns:
            count = columns - i - 1
            apply_reflector(a, i * stride + i, stride, rows - i, tau, i, 1, a, i * stride + i + 1, stride, 1, count)
            make_reflector(a, i * stride + i + 1, 1, count, tiny, e, i, right, 0)
            below = (i + 1) * stride + i + 1
            apply_reflector(a, i * stride + i + 1, 1, count, right, 0, 1, a, below, 1, stride, rows - i - 1)


@strict_inner
def _square(d, e, k, columns, diagonal, beside, floor):
    """B B^T in double precision."""
    for b in range(LANES):
        floor[0, b] = 0
    for i in range(k):
        for b in range(LANES):
            value = np.float64(d[i, b])
            off = np.float64(e[i, b]) if i + 1 < columns else 0.0
            diagonal[i, b] = value * value + off * off
            beside[i, b] = off * np.float64(d[i + 1, b]) if i + 1 < k else 0.0
            floor[0, b] = max(floor[0, b], _FLOOR * diagonal[i, b])


@strict_inner
def _diagonalise(diagonal, beside, k, floor, z, stride, cosines, sines):
    """Eigenvalues of a tridiagonal matrix to `diagonal`, eigenvectors to the columns of z (k, k), in no order.

    Raises ArithmeticError where a lane does not converge.
    """
    ends = np.empty((1, LANES), np.float64)
    at_ends = np.empty((1, LANES), np.float64)
    for i in range(k):
        for j in range(k):
            for b in range(LANES):
                z[i * stride + j, b] = 1 if i == j else 0
    for first in range(k - 1):
        for _ in range(_MAX_STEPS):
            find_negligible(diagonal, beside, first, k, floor, _RELATIVE, ends)
            top = first
            for b in range(LANES):
                end = int(ends[0, b])
                at_ends[0, b] = diagonal[end, b]
                top = max(top, end)
            if top == first:
                break
            chase(diagonal, beside, first, top, ends, at_ends, cosines, sines)
            for b in range(LANES):
                if ends[0, b] > first:
                    beside[int(ends[0, b]), b] = 0
            rotate_columns(z, stride, k, first, top, cosines, sines)
        else:
            raise ArithmeticError("the singular values of a bond do not converge")


@strict_inner
def _order(diagonal, k, order):
    """order (k, LANES): the places of the eigenvalues, largest first; the eigenvalues are sorted with them."""
    for b in range(LANES):
        for i in range(k):
            value = diagonal[i, b]
            j = i
            while j > 0 and diagonal[j - 1, b] < value:
                diagonal[j, b] = diagonal[j - 1, b]
                order[j, b] = order[j - 1, b]
                j -= 1
            diagonal[j, b] = value
            order[j, b] = i


@strict_inner
def left_vectors(m, mo, mr, mc, rows, columns, wanted, work, u, uo, stride):
    """The first `wanted` left singular vectors, largest value first, of m (rows, columns), to the columns of u.

    `work` is what `workspace` returns; u has rows of `stride` numbers.
    """
    a, tau, right, d, e, diagonal, beside, floor, z, cosines, sines, order, least = work
    k, tiny = min(rows, columns), least[0]
    copy_lanes(m, mo, mr, mc, a, 0, columns + 1, 1, rows, columns, tiny)
    _bidiagonalise(a, rows, columns, columns + 1, tau, right, d, e, tiny * tiny)
    _square(d, e, k, columns, diagonal, beside, floor)
    _diagonalise(diagonal, beside, k, floor, z, k + 1, cosines, sines)
    _order(diagonal, k, order)
    for i in range(rows):
        for j in range(wanted):
            row = 2 * (uo + i * stride + j)
            for b in range(LANES):
                u[row, b] = z[i * (k + 1) + order[j, b], b] if i < k and j < k else 1 if i == j else 0
                u[row + 1, b] = 0
    for i in range(k - 1, -1, -1):
        along = columns + 1
        apply_reflector(a, i * along + i, along, rows - i, tau, i, 0, u, uo + i * stride, stride, 1, wanted)


@strict_inner
def orthonormal_columns(m, mo, mr, mc, rows, columns, work, u, uo, stride):
    """Householder's QR: an orthonormal basis of the columns of m (rows, columns), rows >= columns, to those of u."""
    a, tau, d, least = work.matrix, work.tau, work.d, work.tiny
    along = columns + 1
    copy_lanes(m, mo, mr, mc, a, 0, along, 1, rows, columns, least[0])
    for i in range(columns):
        at = i * along + i
        make_reflector(a, at, along, rows - i, least[0] * least[0], d, i, tau, i)
        apply_reflector(a, at, along, rows - i, tau, i, 1, a, at + 1, along, 1, columns - i - 1)
    clear_matrix(u, uo, stride, rows, columns)
    for i in range(columns):
        for b in range(LANES):
            u[2 * (uo + i * stride + i), b] = 1
    for i in range(columns - 1, -1, -1):
        at = i * along + i
        apply_reflector(a, at, along, rows - i, tau, i, 0, u, uo + i * stride + i, stride, 1, columns - i)


@strict_inner
def clear_matrix(x, offset, stride, rows, columns):
    """Zeros."""
    for i in range(rows):
        for j in range(2 * (offset + i * stride), 2 * (offset + i * stride + columns)):
            for b in range(LANES):
                x[j, b] = 0


@strict_inner
def select(squares, rows, rank, bond, limits, values, kept, eps):
    """Schmidt values, which are kept (1 or 0), and the discarded weight, from the squares in double precision.

    Kept are those among the first `bond` whose share of the squares is above limits[0], as few as leave a discarded
    weight of at most limits[1] (negative: no such limit), at least one.
    """
    for lane in range(LANES):
        total = 0.0
        for k in range(rank):
            total += max(squares[k, lane], 0.0)
        lost = 0.0
        for k in range(rows - 1, -1, -1):
            weight = max(squares[k, lane], 0.0) if k < rank else 0.0
            values[k, lane] = np.sqrt(weight)
            keeps = k == 0
            if 0 < k < bond:
                keeps = limits[0] == 0 or weight > limits[0] * total
                keeps = keeps and lost + weight > limits[1] * total
            kept[k, lane] = 1 if keeps else 0
            if not keeps:
                lost += weight
        eps[0, lane] = lost / total if total > 0 else 0


@strict_inner
def workspace(rows, columns, tiny):
    """Arrays for matrices of up to `rows` x `columns` in the precision of `tiny` (1,)."""
    dtype, k = tiny.dtype, max(rows, columns)
    return Work(
        np.empty((2 * rows * (columns + 1), LANES), dtype),
        np.empty((2 * k, LANES), dtype),
        np.empty((2, LANES), dtype),
        np.empty((k, LANES), dtype),
        np.empty((k, LANES), dtype),
        np.empty((k, LANES), np.float64),
        np.empty((k, LANES), np.float64),
        np.empty((1, LANES), np.float64),
        np.empty((k * (k + 1), LANES), dtype),
        np.empty((k, LANES), dtype),
        np.empty((k, LANES), dtype),
        np.empty((k, LANES), np.int64),
        tiny,
    )
