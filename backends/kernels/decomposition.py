"""The left singular vectors of a matrix, for all samples of a tile at once.

M = H_1 ... H_k B P with Householder reflectors and a real bidiagonal B; the eigenvectors Z of the tridiagonal B B^T by
implicit QL steps; U = H_1 ... H_k Z. B is computed in the precision of M and B B^T in double precision, so that nothing
is lost by squaring a single precision matrix. Right vectors are not needed: S V^h = U^h M.

All lanes take the same steps; a lane whose eigenvalue has converged waits for the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.algebra import clear, copy_without_tiny
from backends.kernels.compiling import strict_inner
from backends.kernels.reflections import (
    CONJUGATE,
    PLAIN,
    apply_reflector,
    chase,
    find_negligible,
    make_reflector,
    rotate_columns,
)
from backends.kernels.vectors import LANES
from backends.kernels.views import block, padded, transposed, vector

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
def _bidiagonalise(a, work, tiny):
    """A becomes its left reflectors, below and on the diagonal; B goes to d and e, real rows."""
    for i in range(min(a.rows, a.columns)):
        down, tau = block(a, i, i, a.rows - i, 1), vector(work.tau, i, 1)
        make_reflector(down, tiny, work.d, i, tau)
        count = a.columns - i - 1
        if count > 0:
            apply_reflector(down, tau, CONJUGATE, block(a, i, i + 1, a.rows - i, count))
            across, tau = transposed(block(a, i, i + 1, 1, count)), vector(work.right, 0, 1)
            make_reflector(across, tiny, work.e, i, tau)
            apply_reflector(across, tau, CONJUGATE, transposed(block(a, i + 1, i + 1, a.rows - i - 1, count)))


@strict_inner
def _square(work, k, columns):
    """B B^T in double precision, its diagonal and what is beside it."""
    d, e, diagonal, beside, floor = work.d, work.e, work.squares, work.beside, work.floor
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
def _diagonalise(work, k):
    """Eigenvalues of the tridiagonal matrix to `squares`, eigenvectors to the columns of `vectors`, in no order.

    Raises ArithmeticError where a lane does not converge.
    """
    diagonal, beside, z, stride = work.squares, work.beside, work.vectors, k + 1
    ends = np.empty((1, LANES), np.float64)
    at_ends = np.empty((1, LANES), np.float64)
    for i in range(k):
        for j in range(k):
            for b in range(LANES):
                z[i * stride + j, b] = 1 if i == j else 0
    for first in range(k - 1):
        for _ in range(_MAX_STEPS):
            find_negligible(diagonal, beside, first, k, work.floor, _RELATIVE, ends)
            top = first
            for b in range(LANES):
                end = int(ends[0, b])
                at_ends[0, b] = diagonal[end, b]
                top = max(top, end)
            if top == first:
                break
            chase(diagonal, beside, first, top, ends, at_ends, work.cosines, work.sines)
            for b in range(LANES):
                if ends[0, b] > first:
                    beside[int(ends[0, b]), b] = 0
            rotate_columns(z, stride, k, first, top, work.cosines, work.sines)
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
def left_vectors(m, u, work):
    """The first left singular vectors of M, largest value first, to the columns of U, as many as it has.

    `work` is what `workspace` returns; the squares of the singular values are in it afterwards.
    """
    k, tiny = min(m.rows, m.columns), work.tiny[0]
    a = padded(work.matrix, 0, m.rows, m.columns)
    copy_without_tiny(m, a, tiny)
    _bidiagonalise(a, work, tiny * tiny)
    _square(work, k, m.columns)
    _diagonalise(work, k)
    _order(work.squares, k, work.order)
    for i in range(u.rows):
        for j in range(u.columns):
            row = 2 * (u.offset + i * u.row + j * u.column)
            for b in range(LANES):
                inside = i < k and j < k
                u.array[row, b] = work.vectors[i * (k + 1) + work.order[j, b], b] if inside else 1 if i == j else 0
                u.array[row + 1, b] = 0
    for i in range(k - 1, -1, -1):
        down = block(a, i, i, a.rows - i, 1)
        apply_reflector(down, vector(work.tau, i, 1), PLAIN, block(u, i, 0, u.rows - i, u.columns))


@strict_inner
def orthonormal_columns(m, u, work):
    """Householder's QR: an orthonormal basis of the columns of M, whose rows are no fewer, to those of U."""
    tiny = work.tiny[0]
    a = padded(work.matrix, 0, m.rows, m.columns)
    copy_without_tiny(m, a, tiny)
    for i in range(a.columns):
        down, tau = block(a, i, i, a.rows - i, 1), vector(work.tau, i, 1)
        make_reflector(down, tiny * tiny, work.d, i, tau)
        apply_reflector(down, tau, CONJUGATE, block(a, i, i + 1, a.rows - i, a.columns - i - 1))
    clear(u)
    for i in range(u.columns):
        for b in range(LANES):
            u.array[2 * (u.offset + i * (u.row + u.column)), b] = 1
    for i in range(u.columns - 1, -1, -1):
        down = block(a, i, i, a.rows - i, 1)
        apply_reflector(down, vector(work.tau, i, 1), PLAIN, block(u, i, i, u.rows - i, u.columns - i))


class Spectrum(NamedTuple):
    """What a truncation found, arrays (number, LANES): Schmidt values, which of them are kept (1 or 0), and in one row
    the norm of what is kept and the discarded weight, in double precision.
    """

    values: Any
    kept: Any
    norm: Any
    discarded: Any


@strict_inner
def select(squares, rows, rank, bond, limits, found):
    """Fill in a spectrum but for its norm, from `rank` squares in double precision, followed by zeros up to `rows`.

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
            found.values[k, lane] = np.sqrt(weight)
            keeps = k == 0
            if 0 < k < bond:
                keeps = limits[0] == 0 or weight > limits[0] * total
                keeps = keeps and lost + weight > limits[1] * total
            found.kept[k, lane] = 1 if keeps else 0
            if not keeps:
                lost += weight
        found.discarded[0, lane] = lost / total if total > 0 else 0


@strict_inner
def spectrum_of(spectra, k):
    """Number k of spectra that share arrays."""
    return Spectrum(spectra.values[k], spectra.kept[k], spectra.norm[k], spectra.discarded[k])


@strict_inner
def first_lost(bond, limits):
    """The first value that `select` may have discarded."""
    return bond if limits[0] == 0 and limits[1] < 0 else 0


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
