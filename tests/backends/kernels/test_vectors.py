"""Values with operators: what is rounded once, what twice, and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba.core.errors import TypingError

from backends.kernels.emitting import Rows, outlined
from backends.kernels.vectors import LANES, Complex, where
from tests.backends.areas import Array, compiled, random_real

A, B, C, D = (random_real(seed, 1)[0] for seed in range(4))
F = np.float32


def fma(a: Array, b: Array, c: Array) -> Array:
    """a b + c of single precision, rounded once: a product of two is exact in double precision."""
    return F(np.asarray(a, np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64))


a, b, c, d = (F(values) for values in (A, B, C, D))
CASES: dict[str, tuple[Callable[..., Any], Array]] = {
    "sum": (lambda a, b, c, d: a + b - c, a + b - c),
    "product joins the sum": (lambda a, b, c, d: c + a * b, fma(a, b, c)),
    "on either side": (lambda a, b, c, d: a * b + c, fma(a, b, c)),
    "is subtracted": (lambda a, b, c, d: c - a * b, fma(-a, b, c)),
    "of two the second": (lambda a, b, c, d: a * b + c * d, fma(c, d, a * b)),
    "one after the other": (lambda a, b, c, d: d + (a * b - b * c), fma(-b, c, fma(a, b, d))),
    "rounded": (lambda a, b, c, d: (a * b).rounded() + c, a * b + c),
    "numbers": (lambda a, b, c, d: 2 * a + 1, fma(F(2), a, F(1))),
    "quotient": (lambda a, b, c, d: 1 / (a * b), F(1) / (a * b)),
    "root": (lambda a, b, c, d: abs(a).sqrt(), np.sqrt(np.abs(a))),
    "where": (lambda a, b, c, d: where((a < b) & (c >= d), a, d), np.where((a < b) & (c >= d), a, d)),
    "imaginary part": (
        lambda a, b, c, d: (Complex(a, b).conj() * Complex(c, d)).im,
        fma(-b, c, a * d),
    ),
    "added product": (lambda a, b, c, d: (Complex(d, d) + Complex(a, b) * Complex(c, d)).re, fma(-b, d, fma(a, c, d))),
}


@pytest.mark.parametrize("case", CASES)
def test_rounding_is_as_written(case: str) -> None:
    written, expected = CASES[case]

    def operation(x: Rows, out: Rows) -> None:
        out[0] = written(*[x[k] for k in range(4)])

    operation.__name__ = "".join(filter(str.isalpha, case))
    out = np.full((1, LANES), np.nan, F)
    compiled(outlined(operation))(np.array([a, b, c, d]), out)
    np.testing.assert_array_equal(out[0], expected)


def test_other_precisions_are_refused() -> None:
    def operation(x: Rows, y: Rows, out: Rows) -> None:
        out[0] = x[0] + y[0]

    arrays = [np.zeros((1, LANES), dtype) for dtype in (np.float32, np.float64, np.float32)]
    with pytest.raises(TypingError, match="an array of float64 where float32 is read or written"):
        compiled(outlined(operation))(*arrays)
