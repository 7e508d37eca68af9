"""Operations of `backends.kernels.reflections`, one by one, against a few lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import naive, reflections
from backends.kernels.vectors import LANES
from tests.backends.areas import (
    LAYOUTS,
    Area,
    Array,
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


def special_vectors(length: int) -> Array:
    """Another kind in every lane: random, real and negative, all zeros, e_0, i e_0, zero at first, large, small."""
    x = random_complex(1, length)
    kinds = [x[:, 0], -np.abs(x[:, 1]), 0 * x[:, 2], 0.5 * np.eye(length)[0], 0.5j * np.eye(length)[0]]
    kinds += [np.where(np.arange(length) > 0, x[:, 5], 0), x[:, 6] * 2**20, x[:, 7] * 2**-20]
    return np.stack([kinds[lane % len(kinds)] for lane in range(LANES)], 1)


@in_both_precisions
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_make_reflector(length: int, layout: str, dtype: Any) -> None:
    x = special_vectors(length)
    v, beta, tau = naive.householder(x)
    image = naive.reflect(v, tau.conj(), x[:, None])[:, 0]
    np.testing.assert_allclose(image - np.eye(length)[:, :1] * beta, 0, atol=1e-15 * np.abs(x).max() * length)
    vector, betas, taus = Matrix(x[:, None], dtype, layout), empty_rows(1, dtype, first=3), empty_matrix(1, 1, dtype)
    compiled(reflections.make_reflector)(vector.view, dtype(1e-30), betas.array, 3, taus.view)
    # A sum of 2 `length` squares, whose root halves the error, then some ten operations.
    bound = rounding(dtype, length + 10)
    vector.becomes(v[:, None], bound * np.maximum(np.abs(v), np.finfo(dtype).tiny)[:, None])
    betas.becomes(beta[None], bound * np.abs(beta))
    taus.becomes(tau, bound * np.abs(tau))


@in_both_precisions
def test_what_is_tiny_when_squared_is_not_reflected(dtype: Any) -> None:
    """1e-3 below 1: reflected where `tiny` is 1e-7, and where it is 1e-5 taken as zero: H = 1, beta = Re x_0."""
    x = np.full((2, LANES), 1 + 0j)
    x[1] = 1e-3
    for tiny, beta, tau in ((1e-7, -np.sqrt(1 + 1e-6), 1 + 1 / np.sqrt(1 + 1e-6)), (1e-5, 1.0, 0.0)):
        vector, betas, taus = Matrix(x[:, None], dtype), empty_rows(1, dtype), empty_matrix(1, 1, dtype)
        compiled(reflections.make_reflector)(vector.view, dtype(tiny), betas.array, 0, taus.view)
        betas.becomes(beta, rounding(dtype, 10))
        taus.becomes(tau, rounding(dtype, 10))


@in_both_precisions
@pytest.mark.parametrize("conjugate", [0, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("length", [1, 4])
def test_apply_reflector(length: int, count: int, layout: str, conjugate: int, dtype: Any) -> None:
    v, tau, a = random_complex(2, length), random_complex(3, 1), random_complex(4, length, count)
    vector, factor = Matrix(v[:, None], dtype, "apart"), Matrix(tau[None], dtype, "columns")
    columns = Matrix(a, dtype, layout)
    compiled(reflections.apply_reflector)(vector.view, factor.view, conjugate, columns.view)
    sizes = np.abs(a) + naive.reflect(np.abs(v), -np.abs(tau[0]), np.abs(a))
    columns.becomes(
        naive.reflect(v, tau[0].conj() if conjugate else tau[0], a), rounding(dtype, 2 * length + 4) * sizes
    )
    vector.stays()
    factor.stays()


def test_find_negligible() -> None:
    """In each lane another entry is small, by its neighbours or by the floor; not those before `first` or behind."""
    size, first = 6, 1
    d, e = np.full((size, LANES), 0.5), np.full((size, LANES), 0.25)
    for lane in range(LANES):
        e[lane % (size - 1), lane] = 2**-20 * (-1) ** lane
    e[2, 0], e[3, 0] = 2**-10, 0
    floor = np.where(np.arange(LANES) % 8 == 0, 2**-9, 0)
    diagonal, beside, least = real_rows(d, np.float64), real_rows(e, np.float64), real_rows(floor[None], np.float64)
    out = empty_rows(1, np.float64)
    for relative in (2**-20, 2**-21):  # 2^-20 (1/2 + 1/2) is just met, 2^-21 is not
        compiled(reflections.find_negligible)(
            diagonal.array, beside.array, first, size, least.array, relative, out.array
        )
        lanes = zip(d.T, e.T, floor, strict=True)
        out.becomes(np.array([naive.first_negligible(*lane[:2], first, size, lane[2], relative) for lane in lanes]))
    for area in (diagonal, beside, least):
        area.stays()


@in_both_precisions
@pytest.mark.parametrize("first", [0, 2])
def test_chase_is_a_ql_step(first: int, dtype: Any) -> None:
    """`dtype` is that of the rotations: the matrix is always in double precision. Each lane ends at another row."""
    size = 6
    d, e = random_real(5, size), random_real(6, size - 1)
    ends = np.maximum(first, size - 1 - np.arange(LANES) % (size + 1))
    diagonal, beside = real_rows(d, np.float64), real_rows(np.vstack([e, np.full((1, LANES), 7.0)]), np.float64)
    at_ends = real_rows(d[ends, np.arange(LANES)][None], np.float64)
    end_rows = real_rows(ends[None], np.float64)
    cosines, sines = (empty_rows(size - 1 - first, dtype, first) for _ in range(2))
    compiled(reflections.chase)(
        diagonal.array, beside.array, first, size - 1, end_rows.array, at_ends.array, cosines.array, sines.array
    )
    for area in (end_rows, at_ends):
        area.stays()
    for lane, end in enumerate(ends):
        expected_d, expected_e = d[:, lane].copy(), e[:, lane].copy()
        inside = slice(first, end + 1)
        if end > first:
            step = naive.ql_step(naive.tridiagonal(d[inside, lane], e[first:end, lane]))
            expected_d[inside], expected_e[first:end] = np.diag(step), np.diag(step, 1)
        near = {"rtol": 0, "atol": rounding(np.float64, 20 * size)}
        np.testing.assert_allclose(diagonal.values[:, lane], expected_d, **near)
        # The signs are those of the rotations; the caller sets the entry at the end, which comes from beyond, to zero.
        unchanged = np.arange(size - 1) != end
        np.testing.assert_allclose(np.abs(beside.values[:-1, lane][unchanged]), np.abs(expected_e)[unchanged], **near)
        # And the rotations are those that turn the old matrix into the new one.
        c, s = (np.full(size - 1, np.nan) for _ in range(2))
        c[first:], s[first:] = cosines.values[:, lane], sines.values[:, lane]
        q = naive.rotations(c, s, first, size - 1, size)[inside, inside]
        turned = q.T @ naive.tridiagonal(d[inside, lane], e[first:end, lane]) @ q
        new = naive.tridiagonal(diagonal.values[inside, lane], beside.values[first:end, lane])
        np.testing.assert_allclose(turned, new, rtol=0, atol=rounding(dtype, 20 * size))
    for area in (diagonal, beside, cosines, sines):
        assert np.isnan(area.array[-2:]).all()
    assert np.isnan(cosines.array[:first]).all()


@in_both_precisions
@pytest.mark.parametrize(("first", "top"), [(0, 1), (0, 4), (2, 3), (1, 3)])
@pytest.mark.parametrize("rows", [1, 3, 4, 6])
def test_rotate_columns(rows: int, first: int, top: int, dtype: Any) -> None:
    """Of a matrix of 5 columns, whose rows are `stride` apart; those before `first` and behind `top` stay."""
    stride, columns, angles = 7, 5, 3 * random_real(7, 4)
    places = stride * np.arange(rows)[:, None] + np.arange(columns)
    z = random_real(8, rows, columns)
    c, s = np.cos(angles), np.sin(angles)
    matrix = Area(z, dtype, places)
    tables = [real_rows(table[first:top], dtype, first) for table in (c, s)]
    compiled(reflections.rotate_columns)(matrix.array, stride, rows, first, top, tables[0].array, tables[1].array)
    q = [naive.rotations(*lane, first, top, columns) for lane in zip(c.T, s.T, strict=True)]
    matrix.becomes(np.einsum("rcl,lcd->rdl", z, q), rounding(dtype, 3 * (top - first)) * columns)
    for table in tables:
        table.stays()
