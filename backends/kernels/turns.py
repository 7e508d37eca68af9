"""Gates in lanes: 2 x 2 matrices on pairs of numbers, forward and backward.

The numbers are amplitudes, whose parts are rows of two arrays (`..._pairs`), or those of a tensor (`..._numbers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from backends.kernels.compiling import inner
from backends.kernels.emitting import Numbers, Parts, Rows, Slots, Sums, every, inlined, outlined
from backends.kernels.vectors import Complex, Index, Vector

Pair = tuple[Complex, Complex]
Matrix = tuple[Complex, Complex, Complex, Complex]  # u00, u01, u10, u11


def _matrix(u: Rows) -> Matrix:
    numbers = Numbers(u)
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _rotated(u: Matrix, a: Complex, b: Complex) -> Pair:
    """U (a, b)."""
    u00, u01, u10, u11 = u
    return u00 * a + u01 * b, u10 * a + u11 * b


def _unrotated(u: Matrix, a: Complex, b: Complex) -> Pair:
    """u^dagger (a, b)."""
    u00, u01, u10, u11 = u
    return u00.conj() * a + u10.conj() * b, u01.conj() * a + u11.conj() * b


def _add_frame(sums: Slots, psi: Pair, cotangent: Pair) -> None:
    """Add Im(cotangent^dagger sigma psi) for sigma = X, Y, |0><0| and |1><1|."""
    (a, b), (c, d) = psi, cotangent
    sums[0] += (c.conj() * b).im + (d.conj() * a).im
    # Re(conj(d) a - conj(c) b)
    sums[1] += d.im * a.im + d.re * a.re - c.im * b.im - c.re * b.re
    sums[2] += (c.conj() * a).im
    sums[3] += (d.conj() * b).im


def _with_flips(x: Vector, y: Vector, psi: Pair, cotangent: Pair) -> Pair:
    """Cotangent + (x X + y Y) psi. Y |0> = i |1>, Y |1> = -i |0>: (x - i y) b goes to 0, (x + i y) a to 1."""
    (a, b), (c, d), weight = psi, cotangent, Complex(x, y)
    return c + weight.conj() * b, d + weight * a


class RowPairs(NamedTuple):
    """Pairs of rows of a tile: `first` and `second` from `count` rows, those whose bits `low` < `high` are zero.

    A bit `high` that no row has is none.
    """

    count: Any
    low: Any
    high: Any
    first: Any
    second: Any


@contextmanager
def _pairs_of_rows(pairs: RowPairs) -> Iterator[tuple[Index, Index]]:
    with every(pairs.count) as index:
        row = _spread(_spread(index, pairs.low), pairs.high)
        yield row + pairs.first, row + pairs.second


def _spread(index: Index, bit: Index) -> Index:
    """Insert a zero into the bits of `index` at the place that `bit`, a power of two, marks."""
    return index + (index & -bit)


@inlined
def rotate_pairs(psi: Parts, pairs: RowPairs, u: Rows) -> None:
    """(psi_0, psi_1) <- u (psi_0, psi_1); u (8, LANES)."""
    numbers, matrix = psi.numbers, _matrix(u)
    with _pairs_of_rows(pairs) as (i, j):
        numbers[i], numbers[j] = _rotated(matrix, numbers[i], numbers[j])


@inlined
def unrotate_pairs(psi: Parts, cotangent: Parts, pairs: RowPairs, u: Rows, sums: Rows) -> None:
    """Un-apply u from both; add the frame behind u (see `_add_frame`) to sums (4, LANES), in double precision."""
    state, back, matrix = psi.numbers, cotangent.numbers, _matrix(u)
    total = Sums(psi.re.lanes, 4)
    with _pairs_of_rows(pairs) as (i, j):
        after, behind = (state[i], state[j]), (back[i], back[j])
        state[i], state[j] = _unrotated(matrix, *after)
        back[i], back[j] = _unrotated(matrix, *behind)
        _add_frame(total, after, behind)
        total.next()
    total.add_to(sums)


@inlined
def readout_pairs(psi: Parts, pairs: RowPairs, sums: Rows) -> None:
    """Add conj(psi_0) psi_1 to sums (2, LANES), in double precision."""
    numbers, total = psi.numbers, Sums(psi.re.lanes, 2)
    with _pairs_of_rows(pairs) as (i, j):
        overlap = Complex(total[0], total[1]) + numbers[i].conj() * numbers[j]
        total[0], total[1] = overlap.re, overlap.im
        total.next()
    total.add_to(sums)


@inlined
def flip_pairs(psi: Parts, cotangent: Parts, pairs: RowPairs, xy: Rows) -> None:
    """lambda += (x X + y Y) psi; xy (2, LANES)."""
    state, back, x, y = psi.numbers, cotangent.numbers, xy[0], xy[1]
    with _pairs_of_rows(pairs) as (i, j):
        back[i], back[j] = _with_flips(x, y, (state[i], state[j]), (back[i], back[j]))


class NumberPairs(NamedTuple):
    """Pairs of the numbers of a tensor: `first` and `second` from i outer_stride + j inner_stride + k.

    For i < outer, j < inner, k < run.
    """

    outer: Any
    outer_stride: Any
    inner: Any
    inner_stride: Any
    run: Any
    first: Any
    second: Any


@inner
def neighbours(count: Any, shift: Any) -> NumberPairs:
    """The pairs of numbers that differ in the bit `shift` of their place: `count` times `shift` of them."""
    return NumberPairs(count, 2 * shift, 1, 0, shift, 0, shift)


@contextmanager
def _visited(pairs: NumberPairs) -> Iterator[tuple[Index, Index]]:
    with every(pairs.outer) as i, every(pairs.inner) as j:
        start = i * pairs.outer_stride + j * pairs.inner_stride
        with every(pairs.run) as k:
            yield start + k + pairs.first, start + k + pairs.second


@outlined
def rotate_numbers(x: Rows, offset: Index, pairs: NumberPairs, u: Rows) -> None:
    """(a, b) <- u (a, b); u (8, LANES)."""
    numbers, matrix = Numbers(x, offset), _matrix(u)
    with _visited(pairs) as (i, j):
        numbers[i], numbers[j] = _rotated(matrix, numbers[i], numbers[j])


@outlined
def unrotate_numbers(
    x: Rows, x_offset: Index, y: Rows, y_offset: Index, pairs: NumberPairs, u: Rows, sums: Rows
) -> None:
    """Un-apply u from x and from its cotangent y; add the frame behind u (see `_add_frame`) to sums (4, LANES)."""
    state, cotangent, matrix = Numbers(x, x_offset), Numbers(y, y_offset), _matrix(u)
    total = Slots(*[sums[k] for k in range(4)])
    with _visited(pairs) as (i, j):
        psi, back = (state[i], state[j]), (cotangent[i], cotangent[j])
        state[i], state[j] = _unrotated(matrix, *psi)
        cotangent[i], cotangent[j] = _unrotated(matrix, *back)
        _add_frame(total, psi, back)
    for k in range(4):
        sums[k] = total[k]


@outlined
def pair_sums(
    bra: Rows, bra_offset: Index, ket: Rows, ket_offset: Index, pairs: NumberPairs, out: Rows, row: Index
) -> None:
    """Rows row.. of `out`: both parts of sum conj(bra_0) ket_1, then Re sum conj(bra_0) ket_0, and of 1 likewise."""
    left, right, zero = Numbers(bra, bra_offset), Numbers(ket, ket_offset), bra.lanes.zero
    sums = Slots(Complex(zero, zero), zero, zero)
    with _visited(pairs) as (i, j):
        (a, b), (c, d) = (left[i], left[j]), (right[i], right[j])
        sums[0] += a.conj() * d
        sums[1] += (a.conj() * c).re
        sums[2] += (b.conj() * d).re
    out[row], out[row + 1] = sums[0].re, sums[0].im
    out[row + 2], out[row + 3] = sums[1], sums[2]


@outlined
def add_paulis(
    x: Rows, x_offset: Index, y: Rows, y_offset: Index, pairs: NumberPairs, weights: Rows, row: Index
) -> None:
    """y += (w_0 X + w_1 Y + w_2 Z) x; w are the rows row.. of `weights`."""
    source, target = Numbers(x, x_offset), Numbers(y, y_offset)
    w_x, w_y, w_z = (weights[row + k] for k in range(3))
    with _visited(pairs) as (i, j):
        psi = source[i], source[j]
        c, d = _with_flips(w_x, w_y, psi, (target[i], target[j]))
        target[i], target[j] = c + w_z * psi[0], d - w_z * psi[1]
