"""Products, sums and norms of complex matrices in lanes. Matrices are views, real rows are arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends.kernels.emitting import Rows, Slot, Slots, every, in_groups, outlined, when
from backends.kernels.vectors import Complex, Index, Vector, where
from backends.kernels.views import View

# Whether a product replaces what was there, or is added to it.
SETS, ADDS = 0, 1


@outlined
def multiply(c: View, a: View, b: View, adds: Index) -> None:
    """C <- A B, or C <- C + A B."""
    left, right = a.numbers, b.numbers
    _multiply(c, adds, a.columns, lambda i, k: left[i, k], lambda k, j: right[k, j], lambda x, y: x * y)


@outlined
def multiply_adjoint_a(c: View, a: View, b: View, adds: Index) -> None:
    """C <- A^h B, or C <- C + A^h B."""
    left, right = a.numbers, b.numbers
    _multiply(c, adds, a.rows, lambda i, k: left[k, i], lambda k, j: right[k, j], lambda x, y: x.conj() * y)


@outlined
def multiply_adjoint_b(c: View, a: View, b: View, adds: Index) -> None:
    """C <- A B^h, or C <- C + A B^h."""
    left, right = a.numbers, b.numbers
    _multiply(c, adds, a.columns, lambda i, k: left[i, k], lambda k, j: right[j, k], lambda x, y: y.conj() * x)


Entry = Callable[[Index, Index], Complex]


def _multiply(
    c: View, adds: Index, terms: Index, left: Entry, right: Entry, product: Callable[[Complex, Complex], Complex]
) -> None:
    """Sums of `terms` products left(i, k) right(k, j), in tiles of 2 x 2 that stay in registers."""
    out, zero = c.numbers, _zero(c)

    def tile(i: Index, height: int, j: Index, width: int) -> None:
        rows, columns = [i + p for p in range(height)], [j + q for q in range(width)]
        places = [(p, q) for p in range(height) for q in range(width)]
        sums = Slots(*[zero] * len(places))
        with every(terms) as k:
            xs, ys = [left(row, k) for row in rows], [right(k, column) for column in columns]
            for slot, (p, q) in enumerate(places):
                sums[slot] += product(xs[p], ys[q])
        for slot, (p, q) in enumerate(places):
            with when(adds > 0):
                sums[slot] = out[rows[p], columns[q]] + sums[slot]
            out[rows[p], columns[q]] = sums[slot]

    in_groups(c.rows, 2, lambda i, height: in_groups(c.columns, 2, lambda j, width: tile(i, height, j, width)))


def _zero(view: View) -> Complex:
    return Complex(view.array.lanes.zero, view.array.lanes.zero)


def _change(x: View, change: Callable[[Index, Index, Complex], Complex]) -> None:
    """Every number becomes change(i, j, number)."""
    numbers = x.numbers
    with every(x.rows) as i, every(x.columns) as j:
        numbers[i, j] = change(i, j, numbers[i, j])


@outlined
def copy(source: View, target: View) -> None:
    """Y <- X, given in the order X, Y."""
    numbers = source.numbers
    _change(target, lambda i, j, _: numbers[i, j])


@outlined
def copy_without_tiny(source: View, target: View, tiny: Any) -> None:
    """Likewise, but parts whose size is below `tiny` become zero."""
    numbers, least = source.numbers, source.array.lanes.broadcast(tiny)

    def kept(part: Vector) -> Vector:
        return where(abs(part) >= least, part, part.lanes.zero)

    def without_tiny(i: Index, j: Index, _: Complex) -> Complex:
        value = numbers[i, j]
        return Complex(kept(value.re), kept(value.im))

    _change(target, without_tiny)


@outlined
def clear(x: View) -> None:
    """X <- 0. (An assignment to a slice takes Numba seconds to compile.)"""
    _change(x, lambda *_: _zero(x))


@outlined
def scale(x: View, factors: Rows) -> None:
    """X <- factors[0] X."""
    factor = factors[0]
    _change(x, lambda i, j, value: factor * value)


@outlined
def scale_rows(x: View, factors: Rows) -> None:
    """X[i, j] <- factors[i] X[i, j]."""
    _change(x, lambda i, j, value: factors[i] * value)


@outlined
def add_scaled(x: View, y: View, factors: Rows) -> None:
    """X <- X + factors[0] Y."""
    factor, numbers = factors[0], y.numbers
    _change(x, lambda i, j, value: value + factor * numbers[i, j])


@outlined
def square_norms(x: View, out: Rows) -> None:
    """out[i] <- sum_j |X[i, j]|^2."""
    numbers = x.numbers
    with every(x.rows) as i:
        sums = Slot(_zero(x))
        with every(x.columns) as j:
            sums.set(_add_products(sums.get(), numbers[i, j], numbers[i, j]))
        out[i] = sums.get().re + sums.get().im


@outlined
def real_overlap(x: View, y: View, out: Rows) -> None:
    """out[0] <- Re sum_ij conj(X[i, j]) Y[i, j]."""
    left, right, sums = x.numbers, y.numbers, Slot(_zero(x))
    with every(x.rows) as i, every(x.columns) as j:
        sums.set(_add_products(sums.get(), left[i, j], right[i, j]))
    out[0] = sums.get().re + sums.get().im


def _add_products(sums: Complex, x: Complex, y: Complex) -> Complex:
    """Add the products of the real parts to one sum, those of the imaginary parts to another."""
    return Complex(sums.re + x.re * y.re, sums.im + x.im * y.im)


@outlined
def divide_gaps(w: View, values: Rows, kept: Rows, first: Index, noise: Any) -> None:
    """G[i, k] <- G[i, k] / (s_k^2 - s_j^2) for discarded j = first + i and kept k, else 0.

    `values` and `kept` are s and 1 or 0; 1 / x is x^3 / (x^4 + (noise s_0)^4), for difference and sum apart.
    """
    lanes = values.lanes
    level = lanes.broadcast(noise) * values[0]
    level = (level * level).rounded()
    level = lanes.splat(1e-37 if lanes.bits == 32 else 1e-300) + level * level

    def inverse_of(x: Vector) -> Vector:
        square = (x * x).rounded()
        inverse: Vector = square * x / (level + square * square)
        return inverse

    def change(i: Index, k: Index, value: Complex) -> Complex:
        s_j, lost = values[i + first], 1 - kept[i + first]
        weight = inverse_of(values[k] - s_j) * inverse_of(values[k] + s_j)
        divided: Complex = weight * (lost * kept[k]) * value
        return divided

    _change(w, change)
