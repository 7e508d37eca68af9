"""Operations of `backends.kernels.rows`, one by one, against a few lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import naive, rows
from tests.backends.areas import (
    Tile,
    compiled,
    empty_rows,
    in_both_precisions,
    random_complex,
    random_real,
    real_rows,
    rounding,
)


@in_both_precisions
@pytest.mark.parametrize(("first", "count"), [(0, 1), (3, 5), (8, 8)])
def test_square_rows(first: int, count: int, dtype: Any) -> None:
    x = random_complex(1, 16)
    psi, weights = Tile(x, dtype), empty_rows(count, dtype)
    compiled(rows.square_rows, fast=True)(psi.parts, first, count, weights.array)
    weights.becomes(naive.squares(x[first : first + count]), rounding(dtype, 2) * 2)
    psi.stays()


@in_both_precisions
@pytest.mark.parametrize("count", [1, 7, 40])
def test_fold_rows(count: int, dtype: Any) -> None:
    values, start = random_real(1, 2 * count), random_real(2, 1)
    weights, sums = real_rows(values, dtype), real_rows(start, np.float64, 3)
    compiled(rows.fold_rows, fast=True)(weights.array, count, sums.array, 3)
    folded, difference = naive.folded(values)
    np.testing.assert_allclose(weights.values[:count], folded, rtol=0, atol=rounding(dtype, 1) * 2)
    np.testing.assert_array_equal(weights.array[2 * count :], np.nan)
    sums.becomes(start + difference, rounding(dtype, 32) * 2 * count)


@in_both_precisions
def test_add_diagonal(dtype: Any) -> None:
    x, y, low, high = random_complex(1, 8), random_complex(2, 8), random_real(3, 4), random_real(4, 2)
    psi, cotangent, tables = Tile(x, dtype), Tile(y, dtype), [real_rows(table, dtype) for table in (low, high)]
    compiled(rows.add_diagonal, fast=True)(psi.parts, cotangent.parts, 5, tables[0].array, 3, tables[1].array, 1)
    y[5] += (low[3] + high[1]) * x[5]
    cotangent.becomes(y, rounding(dtype, 2) * 4)
    psi.stays()


@in_both_precisions
def test_copy_row(dtype: Any) -> None:
    x, y = random_complex(1, 8), random_complex(2, 4)
    source, target = Tile(x, dtype), Tile(y, dtype)
    compiled(rows.copy_row)(source.parts, 6, target.parts, 1)
    y[1] = x[6]
    target.becomes(y)
    source.stays()
