"""The tables that the MPS kernel interprets: one row for each site, operation, gate, and stop of a far gate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

# Kinds of operations (see `timestep`).
WITHIN, SPLIT, MOVE, FAR = range(4)


class Site(NamedTuple):
    """Where a site's numbers begin, and its shape."""

    start: int
    left: int
    width: int
    right: int


class Op(NamedTuple):
    """An operation: on a site, the left one of several; `first_gate..last_gate - 1` are its gates.

    What its adjoint needs is in a slot of its own; `split` is the number of the first truncation in it. A far gate's
    stops are `first_stop..last_stop - 1`.
    """

    kind: int
    site: int
    rightwards: int
    first_gate: int
    last_gate: int
    slot: int
    split: int
    first_stop: int = 0
    last_stop: int = 0
    target_is_near: int = 0


class Place(NamedTuple):
    """The pairs of numbers that a gate acts on: see `NumberPairs`."""

    outer: int
    outer_stride: int
    inner: int
    inner_stride: int
    run: int


class Stop(NamedTuple):
    """A site on the way of a far gate, and where in the operation's slot its matrices are (see `far`)."""

    site: int
    kept: int
    root: int
    gram: int
    merged: int
    vectors: int
    rest: int
    carried: int
    ends: int


class Sizes(NamedTuple):
    """Numbers in the largest slot and in all; most rows and columns of a matrix; the centre's site afterwards; the
    number of truncations; numbers in the work space of a far gate, and in each area of the backward's.
    """

    slot: int
    slots: int
    rows: int
    columns: int
    centre: int
    splits: int
    far: int
    area: int


class Tables(NamedTuple):
    """A program as the kernel takes it: rows of the kinds above, and `OPERATION` and `ATOM` of `kernels.pairs`."""

    ops: Any
    stops: Any
    sites: Any
    places: Any
    operations: Any
    atoms: Any
    sizes: Sizes


def records(kind: Any, rows: Sequence[tuple[int, ...]]) -> np.ndarray[Any, Any]:
    """Rows of a kind as an array whose entries compiled code reads by name."""
    return np.array(rows, _dtype(kind))


@cache
def _dtype(kind: Any) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in kind._fields])
