"""Operations of `backends.kernels.decomposition`, one by one, against NumPy, in a work space of NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import decomposition, naive
from backends.kernels.decomposition import TINY, Spectrum
from backends.kernels.vectors import LANES
from tests.backends.areas import (
    LAYOUTS,
    Array,
    Matrix,
    compiled,
    empty_matrix,
    empty_rows,
    in_both_precisions,
    random_complex,
    random_real,
    real_rows,
)

SHAPES = [(1, 1), (2, 2), (4, 2), (2, 5), (6, 6), (5, 3)]
# Absolute errors of singular values, in units of the largest. In double precision they are roots of squares that are
# not told apart below 1e-18 of the largest.
TOLERANCE = {np.float32: 5e-7, np.float64: 1e-9}


def work_space(rows: int, columns: int, dtype: Any) -> decomposition.Work:
    """A work space in which everything is NaN, or no number that could be meant."""
    work = decomposition.workspace.py_func(rows, columns, TINY[np.dtype(dtype)])
    for name, array in work._asdict().items():
        if name != "tiny":
            array[:] = -(2**40) if array.dtype == np.int64 else np.nan
    return work


def special_matrices(m: int, n: int) -> Array:
    """Another kind in every lane: random, rank one, real, diagonal, all zeros, equal values, decaying, large."""
    a = random_complex(1, m, n)
    decay = 10.0 ** -np.arange(max(m, n))
    kinds = [a[..., 0], a[:, :1, 1] * a[:1, :, 1], a[..., 2].real, np.eye(m, n) * decay[:n], 0 * a[..., 4]]
    kinds += [np.eye(m, n) * (0.6 + 0.8j), a[..., 6] * decay[:m, None] * decay[:n], 2**20 * a[..., 7]]
    return np.stack([kinds[lane % len(kinds)] for lane in range(LANES)], -1).astype(np.complex64).astype(complex)


def subspace_error(projector: Array, a: Array, values: Array, wanted: int) -> float:
    """How much less of A a projector holds than the best one of its rank, relative to the largest value."""
    lost = np.linalg.norm(a - projector @ a, 2)
    best = values[wanted] if wanted < len(values) else 0.0
    return float((lost - best) / max(values[0], 1e-300))


@in_both_precisions
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part", [False, True], ids=["all", "some"])
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_left_vectors(m: int, n: int, part: bool, layout: str, dtype: Any) -> None:
    a, wanted = special_matrices(m, n), (m + 1) // 2 if part else m
    given, u, work = Matrix(a, dtype, layout), empty_matrix(m, wanted, dtype, "apart"), work_space(m, n, dtype)
    compiled(decomposition.left_vectors)(given.view, u.view, work)
    given.stays()
    u.becomes(u.values, 0)  # and nothing else was written
    for lane in range(LANES):
        vectors, matrix = u.values[..., lane], a[..., lane]
        projector, values = naive.left_vectors(matrix, wanted)
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(wanted), rtol=0, atol=10 * tolerance)
        assert subspace_error(vectors @ vectors.conj().T, matrix, values, wanted) <= 10 * tolerance
        gap = values[wanted - 1] - (values[wanted] if wanted < len(values) else 0) if wanted <= len(values) else 0
        if gap > 0.1 * values[0]:  # else another subspace is as good
            np.testing.assert_allclose(vectors @ vectors.conj().T, projector, rtol=0, atol=100 * tolerance)
        found = np.sqrt(np.maximum(work.squares[: len(values), lane], 0))
        np.testing.assert_allclose(found, values, rtol=0, atol=tolerance * values[0])


@in_both_precisions
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 2), (5, 3), (6, 2)])
def test_orthonormal_columns(m: int, n: int, layout: str, dtype: Any) -> None:
    a = special_matrices(m, n)
    given, u, work = Matrix(a, dtype, "columns"), empty_matrix(m, n, dtype, layout), work_space(m, n, dtype)
    compiled(decomposition.orthonormal_columns)(given.view, u.view, work)
    given.stays()
    u.becomes(u.values, 0)
    for lane in range(LANES):
        vectors, matrix = u.values[..., lane], a[..., lane]
        near = {"rtol": 0, "atol": 10 * TOLERANCE[dtype]}
        np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(n), **near)
        scale = max(np.abs(matrix).max(), 1e-300)
        np.testing.assert_allclose(vectors @ (vectors.conj().T @ matrix) / scale, matrix / scale, **near)


@in_both_precisions
@pytest.mark.parametrize("limits", [(0.0, -1.0), (0.05, -1.0), (0.0, 0.1), (0.02, 0.3), (0.0, 1.0)], ids=str)
@pytest.mark.parametrize("bond", [1, 3, 6])
@pytest.mark.parametrize(("rank", "rows"), [(6, 6), (4, 6)])
def test_select(rank: int, rows: int, bond: int, limits: tuple[float, float], dtype: Any) -> None:
    """Values behind the rank are zeros; a negative square is one that should be zero."""
    values = np.sort(np.abs(random_real(2, rank)), 0)[::-1]
    squares = values**2
    squares[-1, 1] = -1e-20
    given = real_rows(squares, np.float64)
    found = Spectrum(*[empty_rows(rows, dtype) for _ in range(2)], empty_rows(1, dtype), empty_rows(1, np.float64))
    arrays = Spectrum(*[area.array for area in found])
    compiled(decomposition.select)(given.array, rows, rank, bond, np.array(limits), arrays)
    given.stays()
    found.norm.stays()
    padded = np.vstack([squares, np.zeros((rows - rank, LANES))])
    expected = [naive.select(padded[:, lane], bond, *limits) for lane in range(LANES)]
    found.values.becomes(np.sqrt(np.maximum(padded, 0)), np.finfo(dtype).eps)
    found.kept.becomes(np.array([kept for kept, _ in expected]).T)
    found.discarded.becomes(np.array([[lost for _, lost in expected]]), 1e-15)


def test_spectra_are_views() -> None:
    arrays = Spectrum(*[np.zeros((3, rows, LANES)) for rows in (4, 4, 1, 1)])
    one: Any = compiled(decomposition.spectrum_of)(arrays, 1)
    one.values[:] = 1
    assert arrays.values.sum((1, 2)).tolist() == [0, 4 * LANES, 0]


@pytest.mark.parametrize(("limits", "first"), [((0.0, -1.0), 3), ((1e-3, -1.0), 0), ((0.0, 0.0), 0)])
def test_first_lost(limits: tuple[float, float], first: int) -> None:
    assert compiled(decomposition.first_lost)(3, np.array(limits)) == first
