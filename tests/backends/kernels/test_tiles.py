"""Samples become lanes and come back: `backends.kernels.tiles` against a line of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import naive, tiles
from backends.kernels.vectors import LANES
from tests.backends.areas import Numbers, Tile, compiled, in_both_precisions

BATCH, NUMBERS = 10, 13  # lanes beyond the batch repeat its last sample


@in_both_precisions
@pytest.mark.parametrize("first", [0, 4, 8])
@pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 1), (0, 4), (0, 13), (2, 13), (4, 8)])
def test_rows_there_and_back(begin: int, end: int, first: int, dtype: Any) -> None:
    tile = Tile(np.full((NUMBERS, LANES), np.nan + 1j * np.nan), dtype)
    there_and_back(tiles.load_rows, tiles.store_rows, tile, tile.parts, first, (begin, end), dtype)


@in_both_precisions
@pytest.mark.parametrize("first", [0, 4, 8])
@pytest.mark.parametrize("end", [0, 1, 4, 13])
def test_numbers_there_and_back(end: int, first: int, dtype: Any) -> None:
    tile = Numbers(np.nan + 1j * np.nan, dtype, np.arange(NUMBERS))
    there_and_back(tiles.load_numbers, tiles.store_numbers, tile, tile.array, first, (end,), dtype)


def there_and_back(
    load: Any, store: Any, tile: Any, argument: Any, first: int, place: tuple[int, ...], dtype: Any
) -> None:
    """Load the numbers of a batch into a tile of NaN, and store them in one of NaN."""
    begin, end = (0, *place)[-2:]
    batch = np.random.default_rng(0).normal(size=(BATCH, NUMBERS, 2)).astype(dtype)
    expected = np.full((NUMBERS, LANES), np.nan + 1j * np.nan)
    expected[begin:end] = naive.to_lanes(batch, first, LANES)[begin:end]
    compiled(load)(tiles.Samples(batch, first, BATCH - 1, NUMBERS), *place, argument)
    np.testing.assert_array_equal(tile.values, expected)
    back = np.full((BATCH + 2, NUMBERS, 2), np.nan, dtype)
    compiled(store)(tiles.Samples(back, first, BATCH - 1, NUMBERS), *place, argument)
    samples = np.arange(first, min(first + LANES, BATCH))
    wanted = np.full_like(back, np.nan)
    wanted[samples, begin:end] = batch[samples, begin:end]
    np.testing.assert_array_equal(back, wanted)
