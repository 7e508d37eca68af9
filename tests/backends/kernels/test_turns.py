"""Operations of `backends.kernels.turns`, one by one, against a few lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import naive, turns
from backends.kernels.turns import NumberPairs, RowPairs
from tests.backends.areas import (
    Array,
    Numbers,
    Tile,
    compiled,
    empty_rows,
    in_both_precisions,
    random_complex,
    random_real,
    real_rows,
    rounding,
)

# On 16 rows: a qubit without a selector (no row has the bit 16), the lower and the upper half of a selector, both flip.
ROW_PAIRS = [RowPairs(8, 4, 16, 0, 4), RowPairs(4, 1, 8, 0, 1), RowPairs(4, 1, 8, 8, 9), RowPairs(4, 2, 4, 4, 2)]
# Of a tensor: neighbours, a qubit with numbers in between, selector outside and inside, and both flip.
NUMBER_PAIRS = [
    NumberPairs(1, 2, 1, 0, 1, 0, 1),
    NumberPairs(3, 10, 1, 0, 5, 0, 5),
    NumberPairs(2, 24, 2, 6, 3, 12, 15),
    NumberPairs(2, 24, 2, 6, 3, 0, 15),
    NumberPairs(2, 24, 2, 6, 3, 3, 12),
]
in_fast_and_strict = pytest.mark.parametrize("fast", [False, True], ids=["strict", "fast"])


def matrix(seed: int, dtype: Any) -> tuple[Array, Any]:
    """A matrix (2, 2, LANES), not unitary, and its rows as an operation takes them."""
    u = random_complex(seed, 2, 2)
    return u, Numbers(u.reshape(4, -1), dtype, np.arange(4))


def size(pairs: Any) -> int:
    """Numbers of the smallest tensor that holds the pairs."""
    return int(max(np.max(places) for places in naive.number_pairs(*pairs))) + 1


@in_both_precisions
@in_fast_and_strict
@pytest.mark.parametrize("pairs", ROW_PAIRS)
def test_rotate_pairs(pairs: RowPairs, fast: bool, dtype: Any) -> None:
    x, (u, rows) = random_complex(1, 16), matrix(2, dtype)
    psi = Tile(x, dtype)
    compiled(turns.rotate_pairs, fast=fast)(psi.parts, pairs, rows.array)
    places = naive.row_pairs(*pairs)
    psi.becomes(naive.rotate(u, x, *places), rounding(dtype, 4) * naive.rotate(abs(u), abs(x), *places))
    rows.stays()


@in_both_precisions
@in_fast_and_strict
@pytest.mark.parametrize("pairs", ROW_PAIRS)
def test_unrotate_pairs(pairs: RowPairs, fast: bool, dtype: Any) -> None:
    x, y, (u, rows), places = random_complex(1, 16), random_complex(2, 16), matrix(3, dtype), naive.row_pairs(*pairs)
    start = random_real(4, 4)
    psi, cotangent, sums = Tile(x, dtype), Tile(y, dtype), real_rows(start, np.float64)
    compiled(turns.unrotate_pairs, fast=fast)(psi.parts, cotangent.parts, pairs, rows.array, sums.array)
    back, sizes = naive.adjoint(u), naive.adjoint(abs(u))
    psi.becomes(naive.rotate(back, x, *places), rounding(dtype, 4) * naive.rotate(sizes, abs(x), *places))
    cotangent.becomes(naive.rotate(back, y, *places), rounding(dtype, 4) * naive.rotate(sizes, abs(y), *places))
    sums.becomes(start + naive.frame(x, y, *places), rounding(dtype, 4 * pairs.count) * 4 * pairs.count)


@in_both_precisions
@in_fast_and_strict
@pytest.mark.parametrize("bit", [1, 4, 16])
def test_readout_and_flip_pairs(bit: int, fast: bool, dtype: Any) -> None:
    x, y, w, start = random_complex(1, 64), random_complex(2, 64), random_real(3, 2), random_real(4, 2)
    pairs = RowPairs(32, bit, 64, 0, bit)
    places = naive.row_pairs(*pairs)
    psi, cotangent, sums, xy = Tile(x, dtype), Tile(y, dtype), real_rows(start, np.float64), real_rows(w, dtype)
    compiled(turns.readout_pairs, fast=fast)(psi.parts, pairs, sums.array)
    sums.becomes(start + naive.overlaps(x, x, *places)[:2], rounding(dtype, 64) * 64)
    compiled(turns.flip_pairs, fast=fast)(psi.parts, cotangent.parts, pairs, xy.array)
    cotangent.becomes(naive.plus_paulis(w, x, y, *places), rounding(dtype, 4) * 6)
    psi.stays()


@in_both_precisions
@pytest.mark.parametrize("pairs", NUMBER_PAIRS)
@pytest.mark.parametrize("offset", [0, 3])
def test_rotate_numbers(offset: int, pairs: NumberPairs, dtype: Any) -> None:
    x, (u, rows) = random_complex(1, size(pairs)), matrix(2, dtype)
    numbers = Numbers(x, dtype, offset + np.arange(len(x)))
    compiled(turns.rotate_numbers)(numbers.array, offset, pairs, rows.array)
    places = naive.number_pairs(*pairs)
    numbers.becomes(naive.rotate(u, x, *places), rounding(dtype, 4) * naive.rotate(abs(u), abs(x), *places))
    rows.stays()


@in_both_precisions
@pytest.mark.parametrize("pairs", NUMBER_PAIRS)
@pytest.mark.parametrize("offset", [0, 3])
def test_unrotate_numbers(offset: int, pairs: NumberPairs, dtype: Any) -> None:
    x, y, (u, rows) = random_complex(1, size(pairs)), random_complex(2, size(pairs)), matrix(3, dtype)
    places, start = naive.number_pairs(*pairs), random_real(4, 4)
    state = Numbers(x, dtype, offset + np.arange(len(x)))
    cotangent, sums = Numbers(y, dtype, 1 + np.arange(len(y))), real_rows(start, dtype)
    compiled(turns.unrotate_numbers)(state.array, offset, cotangent.array, 1, pairs, rows.array, sums.array)
    back, sizes = naive.adjoint(u), naive.adjoint(abs(u))
    state.becomes(naive.rotate(back, x, *places), rounding(dtype, 4) * naive.rotate(sizes, abs(x), *places))
    cotangent.becomes(naive.rotate(back, y, *places), rounding(dtype, 4) * naive.rotate(sizes, abs(y), *places))
    terms = 4 * len(places[0])
    sums.becomes(start + naive.frame(x, y, *places), rounding(dtype, terms) * (terms + 1))


@in_both_precisions
@pytest.mark.parametrize(("count", "shift"), [(1, 1), (3, 1), (2, 5)])
@pytest.mark.parametrize("offset", [0, 3])
def test_sums_and_paulis_of_neighbours(offset: int, count: int, shift: int, dtype: Any) -> None:
    pairs = NumberPairs(count, 2 * shift, 1, 0, shift, 0, shift)
    assert compiled(turns.neighbours)(count, shift) == pairs
    x, y, w, places = (
        random_complex(1, size(pairs)),
        random_complex(2, size(pairs)),
        random_real(3, 3),
        naive.number_pairs(*pairs),
    )
    bra, ket = Numbers(x, dtype, offset + np.arange(len(x))), Numbers(y, dtype, 1 + np.arange(len(y)))
    out, weights = empty_rows(4, dtype, 2), real_rows(w, dtype, 1)
    compiled(turns.pair_sums)(bra.array, offset, ket.array, 1, pairs, out.array, 2)
    out.becomes(naive.overlaps(x, y, *places), rounding(dtype, 2 * len(x)) * 2 * len(x))
    compiled(turns.add_paulis)(bra.array, offset, ket.array, 1, pairs, weights.array, 1)
    ket.becomes(naive.plus_paulis(w, x, y, *places), rounding(dtype, 6) * 8)
    bra.stays()
    weights.stays()
