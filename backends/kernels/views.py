"""Matrices in lanes as one argument each.

A `View` says where a matrix of complex numbers lies in an array (rows, LANES). Transposes, blocks and columns of it are
views of the same numbers. Offsets and strides count numbers, each of them two rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from backends.kernels.compiling import strict_inner
from backends.kernels.emitting import Numbers
from backends.kernels.vectors import Complex, Index


class View(NamedTuple):
    """A matrix: its number i, j is the number offset + i row + j column of the array."""

    array: Any
    offset: Any
    row: Any
    column: Any
    rows: Any
    columns: Any

    @property
    def numbers(self) -> Entries:
        """The numbers as operations read and write them: `view.numbers[i, j]`."""
        return Entries(self)


class Entries:
    """The numbers of a view in an operation (see `emitting`)."""

    def __init__(self, view: View) -> None:
        self._view, self._numbers = view, Numbers(view.array, view.offset)

    def __getitem__(self, place: tuple[Index | int, Index | int]) -> Complex:
        return self._numbers[self._index(*place)]

    def __setitem__(self, place: tuple[Index | int, Index | int], value: Complex) -> None:
        self._numbers[self._index(*place)] = value

    def _index(self, i: Index | int, j: Index | int) -> Index:
        index: Index = self._view.row * i + self._view.column * j
        return index


@strict_inner
def matrix(array: Any, offset: Any, rows: Any, columns: Any) -> Any:
    """A matrix that lies row by row."""
    return View(array, offset, columns, 1, rows, columns)


@strict_inner
def padded(array: Any, offset: Any, rows: Any, columns: Any) -> Any:
    """Likewise, with a number between the rows: rows a power of two apart share the places of a cache."""
    return View(array, offset, columns + 1, 1, rows, columns)


@strict_inner
def vector(array: Any, offset: Any, length: Any) -> Any:
    """Numbers that lie one after the other, as a single column."""
    return View(array, offset, 1, 1, length, 1)


@strict_inner
def transposed(view: View) -> Any:
    """The transpose."""
    return View(view.array, view.offset, view.column, view.row, view.columns, view.rows)


@strict_inner
def block(view: View, i: Any, j: Any, rows: Any, columns: Any) -> Any:
    """The block (rows, columns) that begins at i, j."""
    return View(view.array, view.offset + i * view.row + j * view.column, view.row, view.column, rows, columns)


@strict_inner
def first_rows(view: View, rows: Any) -> Any:
    """The rows before `rows`."""
    return block(view, 0, 0, rows, view.columns)


@strict_inner
def first_columns(view: View, columns: Any) -> Any:
    """The columns before `columns`."""
    return block(view, 0, 0, view.rows, columns)


@strict_inner
def last_rows(view: View, first: Any) -> Any:
    """The rows from `first` on."""
    return block(view, first, 0, view.rows - first, view.columns)


@strict_inner
def last_columns(view: View, first: Any) -> Any:
    """The columns from `first` on."""
    return block(view, 0, first, view.rows, view.columns - first)


@strict_inner
def elsewhere(view: View, array: Any, offset: Any) -> Any:
    """A matrix of the same shape and strides."""
    return View(array, offset, view.row, view.column, view.rows, view.columns)
