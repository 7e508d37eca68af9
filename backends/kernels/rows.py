"""What the statevector's kernel does to rows of a tile, one at a time; to pairs of them: see `turns`.

Sums are added to arrays in double precision.
"""

from __future__ import annotations

from backends.kernels.emitting import Parts, Rows, Sums, every, inlined
from backends.kernels.vectors import Index


@inlined
def copy_row(source: Parts, i: Index, target: Parts, j: Index) -> None:
    """target[j] <- source[i]."""
    target.numbers[j] = source.numbers[i]


@inlined
def square_rows(psi: Parts, first: Index, count: Index, weights: Rows) -> None:
    """weights <- |psi|^2 of the `count` rows from `first` on."""
    with every(count) as k:
        a = psi.numbers[first + k]
        weights[k] = a.re * a.re + a.im * a.im


@inlined
def fold_rows(weights: Rows, count: Index, difference: Rows, row: Index) -> None:
    """Replace each two neighbouring rows by their sum, `count` of them; add their differences to a row."""
    total = Sums(weights.lanes, 1)
    with every(count) as k:
        a, b = weights[k * 2], weights[k * 2 + 1]
        total[0] += a - b
        weights[k] = a + b
        total.next()
    total.add_to(difference, row)


@inlined
def add_diagonal(psi: Parts, cotangent: Parts, i: Index, w1: Rows, k1: Index, w2: Rows, k2: Index) -> None:
    """lambda += (w1[k1] + w2[k2]) psi on row i; w1 and w2 are tables of rows."""
    cotangent.numbers[i] += (w1[k1] + w2[k2]) * psi.numbers[i]
