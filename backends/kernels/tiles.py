"""The way of numbers between tensors and tiles: samples become lanes."""

from __future__ import annotations

from typing import Any, NamedTuple

from backends.kernels.compiling import inner
from backends.kernels.emitting import Apart, Numbers, Parts, Rows, every, inlined, outlined
from backends.kernels.vectors import LANES, Complex, Index, transposed


class Samples(NamedTuple):
    """The samples of a tile in a batch (samples, numbers, 2): `first` and the following ones; `last` of the batch."""

    batch: Any
    first: Any
    last: Any
    numbers: Any


@inner
def samples(batch: Any, first: Any) -> Samples:
    """The samples from `first` on of a batch (samples, numbers, 2); lanes beyond the last one repeat it."""
    return Samples(batch, first, batch.shape[0] - 1, batch.shape[1])


@outlined
def load_numbers(source: Samples, count: Index, x: Rows) -> None:
    """x <- the first `count` numbers of every sample."""
    _load(source, Index(count.builder, 0), count, Numbers(x))


@outlined
def store_numbers(target: Samples, count: Index, x: Rows) -> None:
    """The way back; lanes that repeat a sample write what it writes."""
    _store(target, Index(count.builder, 0), count, Numbers(x))


@inlined
def load_rows(source: Samples, begin: Index, end: Index, psi: Parts) -> None:
    """The rows begin..end - 1 of a tile <- these numbers of every sample."""
    _load(source, begin, end, psi.numbers)


@inlined
def store_rows(target: Samples, begin: Index, end: Index, psi: Parts) -> None:
    """The way back; lanes that repeat a sample write what it writes."""
    _store(target, begin, end, psi.numbers)


def _load(source: Samples, begin: Index, end: Index, numbers: Numbers | Apart) -> None:
    starts, whole = _starts(source), begin + ((end - begin) & -(LANES // 2))
    with every(whole, LANES // 2, begin) as k:
        parts = transposed([source.batch.begin(start + k * 2)[0] for start in starts])
        for p in range(LANES // 2):
            numbers[k + p] = Complex(parts[2 * p], parts[2 * p + 1])
    with every(end, 1, whole) as k:
        numbers[k] = Complex(*[source.batch.gather([start + k * 2 + part for start in starts]) for part in range(2)])


def _store(target: Samples, begin: Index, end: Index, numbers: Numbers | Apart) -> None:
    starts, whole = _starts(target), begin + ((end - begin) & -(LANES // 2))
    with every(whole, LANES // 2, begin) as k:
        parts = [part for p in range(LANES // 2) for part in _parts(numbers[k + p])]
        for vector, start in zip(transposed(parts), starts, strict=True):
            target.batch.begin(start + k * 2)[0] = vector
    with every(end, 1, whole) as k:
        for number, vector in enumerate(_parts(numbers[k])):
            target.batch.scatter([start + k * 2 + number for start in starts], vector)


def _parts(number: Complex) -> list[Any]:
    return [number.re, number.im]


def _starts(samples: Samples) -> list[Index]:
    """Where the numbers of every lane's sample begin."""
    return [(samples.first + lane).smaller(samples.last) * samples.numbers * 2 for lane in range(LANES)]
