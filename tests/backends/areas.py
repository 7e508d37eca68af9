"""Arguments of single operations of the kernels: arrays of NaN, in which every row that is read or written shows.

An operation is called through a function of a line, compiled as its kernel is: intrinsics have no other way in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from backends.kernels.compiling import jit, strict_jit
from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
from backends.kernels.views import View

Array = np.ndarray[Any, Any]
in_both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["single", "double"])
# A matrix (m, n) in an array, as offset, stride of rows, stride of columns: row by row, transposed, and with gaps.
LAYOUTS: dict[str, Callable[[int, int], tuple[int, int, int]]] = {
    "rows": lambda m, n: (0, n, 1),
    "columns": lambda m, n: (3, 1, m),
    "apart": lambda m, n: (2, 2 * n + 1, 2),
}


@cache
def compiled(operation: Any, *, fast: bool = False) -> Any:
    """An operation as Python can call it; `fast` as the statevector's kernel is compiled."""

    def call(*arguments):  # type: ignore[no-untyped-def]
        return operation(*arguments)

    return (jit if fast else strict_jit)(call)


def rounding(dtype: Any, operations: int) -> float:
    """Relative error of so many operations, once in `dtype` and once by NumPy; of a sum, relative to its terms' sizes.

    An operation errs by eps / 2; a complex product has two for each part, and both parts may err.
    """
    return 2.0 * max(operations, 1) * float(np.finfo(dtype).eps)


def random_real(seed: int, *shape: int) -> Array:
    """Numbers (*shape, LANES) in -1..1 that single precision has too."""
    uniform = np.random.default_rng(seed).uniform(-1, 1, (*shape, LANES))
    return uniform.astype(np.float32).astype(np.float64)


def random_complex(seed: int, *shape: int) -> Array:
    """Likewise, with both parts in -1..1."""
    return random_real(2 * seed, *shape) + 1j * random_real(2 * seed + 1, *shape)


class Area:
    """An array (rows, LANES) of NaN but for the rows `places`, of any shape, which hold `values` (*shape, LANES)."""

    def __init__(self, values: Array | float, dtype: Any, places: Any, spare: int = 2) -> None:
        self.places = np.asarray(places)
        self.array = np.full((self.places.max(initial=-1) + 1 + spare, LANES), np.nan, dtype)
        self.array[self.places] = values
        self.before = self.array.copy()

    @property
    def values(self) -> Array:
        """What the places hold now, in double precision."""
        return self.array[self.places].astype(np.float64)

    def becomes(self, expected: Array | float, bound: Array | float = 0.0) -> None:
        """Assert |value - expected| <= bound at the places, and that no other row was written."""
        error = np.abs(self.values - expected)
        assert np.all(error <= bound), f"off by {np.max(error)}, bound {np.max(bound)}"
        others = np.ones(len(self.array), bool)
        others[self.places] = False
        np.testing.assert_array_equal(self.array[others], self.before[others], "written outside the target")

    def stays(self) -> None:
        """Assert that nothing was written at all."""
        np.testing.assert_array_equal(self.array, self.before, "written, though only read")


def real_rows(values: Array, dtype: Any, first: int = 0) -> Area:
    """Real rows `first`.. of an array, values (count, LANES)."""
    return Area(values, dtype, first + np.arange(len(values)))


def empty_rows(count: int, dtype: Any, first: int = 0) -> Area:
    """Real rows to be written."""
    return Area(np.nan, dtype, first + np.arange(count))


class Numbers(Area):
    """Complex numbers (*shape, LANES) at places, counted in numbers: two rows each, real part and imaginary part."""

    def __init__(self, numbers: Array | complex, dtype: Any, places: Any) -> None:
        places = np.asarray(places)
        parts = np.stack(
            [np.broadcast_to(part, (*places.shape, LANES)) for part in (np.real(numbers), np.imag(numbers))], -2
        )
        super().__init__(parts, dtype, 2 * places[..., None] + np.arange(2))

    @property
    def values(self) -> Array:
        """What the places hold now, complex and in double precision."""
        real = super().values
        return real[..., 0, :] + 1j * real[..., 1, :]


class Tile:
    """Complex numbers (rows, LANES) whose parts are rows of two arrays."""

    def __init__(self, numbers: Array, dtype: Any) -> None:
        self._areas = [real_rows(part, dtype) for part in (numbers.real, numbers.imag)]

    @property
    def parts(self) -> Parts:
        """Both arrays, as the operations take them."""
        return Parts(*[area.array for area in self._areas])

    @property
    def values(self) -> Array:
        """What the rows hold now, complex and in double precision."""
        real, imag = (area.values for area in self._areas)
        return real + 1j * imag

    def becomes(self, expected: Array, bound: Array | float = 0.0) -> None:
        """Assert that both parts are within the bound, and that no other row was written."""
        for area, part in zip(self._areas, (expected.real, expected.imag), strict=True):
            area.becomes(part, bound)

    def stays(self) -> None:
        """Assert that nothing was written at all."""
        for area in self._areas:
            area.stays()


class Matrix(Numbers):
    """A matrix (m, n, LANES) in one of the `LAYOUTS`."""

    def __init__(self, numbers: Array, dtype: Any, layout: str = "rows") -> None:
        m, n = numbers.shape[:2]
        self.offset, self.row, self.column = LAYOUTS[layout](m, n)
        super().__init__(numbers, dtype, self.offset + self.row * np.arange(m)[:, None] + self.column * np.arange(n))

    @property
    def view(self) -> View:
        """The matrix as the operations take it."""
        return View(self.array, self.offset, self.row, self.column, *self.places.shape[:2])


def empty_matrix(m: int, n: int, dtype: Any, layout: str = "rows") -> Matrix:
    """A matrix to be written."""
    return Matrix(np.full((m, n, LANES), np.nan + 1j * np.nan), dtype, layout)
