"""Operations of `backends.kernels.algebra`, one by one, against a few lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import algebra, naive
from backends.kernels.vectors import LANES
from tests.backends.areas import (
    LAYOUTS,
    Matrix,
    compiled,
    empty_matrix,
    empty_rows,
    in_both_precisions,
    random_complex,
    random_real,
    real_rows,
    rounding,
)

# Rows and columns; products take one more number, of terms. Odd and even ones: tiles of 2 x 2 have edges.
SHAPES = [(1, 1), (2, 3), (3, 2), (4, 4), (5, 1)]


def layouts(*shift: int) -> list[str]:
    """A layout for each operand, all different ones in turn."""
    return [list(LAYOUTS)[k % len(LAYOUTS)] for k in shift]


@in_both_precisions
@pytest.mark.parametrize("adds", [0, 1], ids=["sets", "adds"])
@pytest.mark.parametrize("terms", [1, 2, 5])
@pytest.mark.parametrize(("m", "n"), SHAPES)
@pytest.mark.parametrize("name", ["multiply", "multiply_adjoint_a", "multiply_adjoint_b"])
def test_products(name: str, m: int, n: int, terms: int, adds: int, dtype: Any) -> None:
    a, b, c = random_complex(1, m, terms), random_complex(2, terms, n), random_complex(3, m, n)
    given_a = a.conj().swapaxes(0, 1) if name == "multiply_adjoint_a" else a
    given_b = b.conj().swapaxes(0, 1) if name == "multiply_adjoint_b" else b
    of_c, of_a, of_b = layouts(m, n + 1, terms + 2)
    left, right = Matrix(given_a, dtype, of_a), Matrix(given_b, dtype, of_b)
    out = Matrix(c, dtype, of_c) if adds else empty_matrix(m, n, dtype, of_c)
    compiled(getattr(algebra, name))(out.view, left.view, right.view, adds)
    product, sizes = naive.multiply(a, b), naive.multiply(np.abs(a), np.abs(b)) + np.abs(c)
    out.becomes(product + c if adds else product, rounding(dtype, 2 * terms + 1) * sizes)
    left.stays()
    right.stays()


@in_both_precisions
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_copy_leaves_out_what_is_tiny(m: int, n: int, dtype: Any) -> None:
    numbers = random_complex(4, m, n)
    numbers[0, 0, 1:4] = 2**-10, -(2**-10) * 1j, 2**-9 + 2**-11 * 1j  # at the bound; below it: the last imaginary part
    source, target = Matrix(numbers, dtype, "apart"), empty_matrix(m, n, dtype, "columns")
    compiled(algebra.copy_without_tiny)(source.view, target.view, dtype(2**-10))
    target.becomes(naive.without_tiny(numbers, 2**-10))
    source.stays()


@in_both_precisions
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_copy_is_exact(m: int, n: int, dtype: Any) -> None:
    numbers = random_complex(4, m, n) * np.finfo(dtype).tiny * 2**20
    source, target = Matrix(numbers, dtype, "columns"), empty_matrix(m, n, dtype, "apart")
    compiled(algebra.copy)(source.view, target.view)
    target.becomes(numbers)
    source.stays()


@in_both_precisions
@pytest.mark.parametrize("by_row", [0, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_scale(m: int, n: int, layout: str, by_row: int, dtype: Any) -> None:
    numbers, weights = random_complex(5, m, n), random_real(6, m if by_row else 1)
    x, factors = Matrix(numbers, dtype, layout), real_rows(weights, dtype)
    compiled(algebra.scale_rows if by_row else algebra.scale)(x.view, factors.array)
    x.becomes(numbers * weights[:, None], rounding(dtype, 1) * np.abs(numbers))
    factors.stays()


@in_both_precisions
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_add_scaled(m: int, n: int, dtype: Any) -> None:
    numbers, others, weight = random_complex(7, m, n), random_complex(8, m, n), random_real(9, 1)
    x, y, factor = Matrix(numbers, dtype, "columns"), Matrix(others, dtype, "apart"), real_rows(weight, dtype)
    compiled(algebra.add_scaled)(x.view, y.view, factor.array)
    x.becomes(numbers + weight * others, rounding(dtype, 2) * (np.abs(numbers) + np.abs(others)))
    y.stays()
    factor.stays()


@in_both_precisions
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_square_norms(m: int, n: int, layout: str, dtype: Any) -> None:
    numbers = random_complex(10, m, n)
    x, out = Matrix(numbers, dtype, layout), empty_rows(m, dtype)
    compiled(algebra.square_norms)(x.view, out.array)
    expected = naive.square_norms(numbers)
    out.becomes(expected, rounding(dtype, 2 * n) * expected)
    x.stays()


@in_both_precisions
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_real_overlap(m: int, n: int, dtype: Any) -> None:
    numbers, others = random_complex(11, m, n), random_complex(12, m, n)
    x, y, out = Matrix(numbers, dtype, "columns"), Matrix(others, dtype, "apart"), empty_rows(1, dtype)
    compiled(algebra.real_overlap)(x.view, y.view, out.array)
    sizes = np.sum(np.abs(numbers) * np.abs(others), axis=(0, 1))
    out.becomes(naive.real_overlap(numbers, others), rounding(dtype, 2 * m * n) * sizes)
    x.stays()
    y.stays()


@in_both_precisions
@pytest.mark.parametrize("noise", [0.0, 1e-4], ids=["exact", "damped"])
@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_divide_gaps(layout: str, first: int, noise: float, dtype: Any) -> None:
    """Five values, another number of them kept in every lane, none twice; differences of 0.1 and more."""
    s = np.array([1.0, 0.75, 0.5, 0.375, 0.125])[:, None] * (1 + np.arange(LANES))
    kept = (np.arange(5)[:, None] < 1 + np.arange(LANES) % 3).astype(float)
    m, n = 5 - first, 3
    g = random_complex(13, m, n)
    w = Matrix(g, dtype, layout)
    values, keeps = real_rows(s, dtype), real_rows(kept, dtype)
    compiled(algebra.divide_gaps)(w.view, values.array, keeps.array, first, dtype(noise))
    expected = naive.divided_gaps(g, s, kept, first, noise)
    w.becomes(expected, rounding(dtype, 20) * np.abs(expected))
    values.stays()
    keeps.stays()


@in_both_precisions
@pytest.mark.parametrize("gap", [0.0, 1e-12])
def test_equal_values_are_not_divided_by(gap: float, dtype: Any) -> None:
    """1 / (s_k - s_j) of values that are the same to `noise` is close to nothing; the sum of both is 2."""
    s, kept, g = np.ones((2, LANES)), np.zeros((2, LANES)), random_complex(14, 1, 1)
    s[1], kept[0] = 1 - gap, 1
    w = Matrix(g, dtype)
    values, keeps = real_rows(s, dtype), real_rows(kept, dtype)
    compiled(algebra.divide_gaps)(w.view, values.array, keeps.array, 1, dtype(1e-6))
    w.becomes(0, 1e-36 / 1e-24)  # gap^3 / noise^4


@in_both_precisions
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("m", "n"), [(0, 2), *SHAPES])
def test_clear(m: int, n: int, layout: str, dtype: Any) -> None:
    x = empty_matrix(m, n, dtype, layout)
    compiled(algebra.clear)(x.view)
    x.becomes(0)
