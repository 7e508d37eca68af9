"""Gates in lanes: 2 x 2 matrices on pairs of numbers, forward and backward.

The numbers are amplitudes, whose parts are rows of two arrays (`..._pairs`), or those of a tensor (`..._numbers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backends.kernels.emitting import Numbers, Rows, Slots, every, outlined
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


@contextmanager
def _visited(outer: Index, outer_stride: Index, inner: Index, inner_stride: Index, run: Index) -> Iterator[Index]:
    """Visit the numbers i outer_stride + j inner_stride + k for i < outer, j < inner, k < run."""
    with every(outer) as i, every(inner) as j:
        start = i * outer_stride + j * inner_stride
        with every(run) as k:
            yield start + k


@outlined
def rotate_numbers(
    x: Rows, offset: Index, outer: Index, outer_stride: Index, inner: Index, inner_stride: Index, run: Index,
    first: Index, second: Index, u: Rows,
) -> None:  # fmt: skip
    """(a, b) <- u (a, b) for pairs of numbers, `first` and `second` from the visited ones; u (8, LANES)."""
    numbers, matrix = Numbers(x, offset), _matrix(u)
    with _visited(outer, outer_stride, inner, inner_stride, run) as index:
        i, j = index + first, index + second
        numbers[i], numbers[j] = _rotated(matrix, numbers[i], numbers[j])


@outlined
def unrotate_numbers(
    x: Rows, offset: Index, y: Rows, y_offset: Index, outer: Index, outer_stride: Index, inner: Index,
    inner_stride: Index, run: Index, first: Index, second: Index, u: Rows, sums: Rows,
) -> None:  # fmt: skip
    """Un-apply u from x and from its cotangent y; add the frame behind u (see `_add_frame`) to sums (4, LANES)."""
    state, cotangent, matrix = Numbers(x, offset), Numbers(y, y_offset), _matrix(u)
    total = Slots(*[sums[k] for k in range(4)])
    with _visited(outer, outer_stride, inner, inner_stride, run) as index:
        i, j = index + first, index + second
        psi, back = (state[i], state[j]), (cotangent[i], cotangent[j])
        state[i], state[j] = _unrotated(matrix, *psi)
        cotangent[i], cotangent[j] = _unrotated(matrix, *back)
        _add_frame(total, psi, back)
    for k in range(4):
        sums[k] = total[k]


@outlined
def pair_sums(
    bra: Rows, bra_offset: Index, ket: Rows, ket_offset: Index, outer: Index, outer_stride: Index, run: Index,
    shift: Index, out: Rows, row: Index,
) -> None:  # fmt: skip
    """Rows row.. of `out`: both parts of sum conj(bra_0) ket_1, then Re sum conj(bra_0) ket_0, and of 1 likewise."""
    left, right, zero = Numbers(bra, bra_offset), Numbers(ket, ket_offset), bra.lanes.zero
    sums = Slots(Complex(zero, zero), zero, zero)
    with _visited(outer, outer_stride, Index(row.builder, 1), Index(row.builder, 0), run) as index:
        a, b = left[index], left[index + shift]
        c, d = right[index], right[index + shift]
        sums[0] += a.conj() * d
        sums[1] += (a.conj() * c).re
        sums[2] += (b.conj() * d).re
    out[row], out[row + 1] = sums[0].re, sums[0].im
    out[row + 2], out[row + 3] = sums[1], sums[2]


@outlined
def add_paulis(
    x: Rows, x_offset: Index, y: Rows, y_offset: Index, outer: Index, outer_stride: Index, run: Index, shift: Index,
    weights: Rows, row: Index,
) -> None:  # fmt: skip
    """y += (w_0 X + w_1 Y + w_2 Z) x for pairs of numbers `shift` apart; w are the rows row.. of `weights`."""
    source, target = Numbers(x, x_offset), Numbers(y, y_offset)
    w_x, w_y, w_z = (weights[row + k] for k in range(3))
    with _visited(outer, outer_stride, Index(row.builder, 1), Index(row.builder, 0), run) as index:
        psi = source[index], source[index + shift]
        c, d = _with_flips(w_x, w_y, psi, (target[index], target[index + shift]))
        target[index], target[index + shift] = c + w_z * psi[0], d - w_z * psi[1]
