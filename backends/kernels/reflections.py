"""The steps of the decomposition in lanes: Householder reflections, and rotations that chase a bulge off a matrix.

A product, a sum or a square root of all lanes is one instruction; see `vectors`.
"""

from __future__ import annotations

from typing import Any

from backends.kernels.emitting import Rows, Slots, every, in_groups, outlined
from backends.kernels.vectors import Complex, Index, where
from backends.kernels.views import View

# How `apply_reflector` takes its factor.
PLAIN, CONJUGATE = 0, 1


@outlined
def make_reflector(x: View, tiny: Any, beta: Rows, row: Index, tau: View) -> None:
    """Householder: a column x becomes v with v_0 = 1, so that (1 - conj(tau) v v^h) x = (beta, 0, 0, ...), beta real.

    beta goes to a row of a real array, tau to a single number. What is smaller than `tiny` when squared is taken as
    zero (Golub and Van Loan, Matrix Computations, section 5.1; LAPACK's xLARFG without its rescaling).
    """
    numbers, lanes = x.numbers, x.array.lanes
    sums = Slots(lanes.zero, lanes.zero)
    with every(x.rows, first=1) as k:
        sums[0] += numbers[k, 0].re * numbers[k, 0].re
        sums[1] += numbers[k, 0].im * numbers[k, 0].im
    alpha = numbers[0, 0]
    outside = sums[0] + sums[1] + alpha.im * alpha.im
    active = outside > lanes.broadcast(tiny)
    norm = (outside + alpha.re * alpha.re).sqrt()
    signed = where(alpha.re >= 0, -norm, norm)
    inverse = 1 / where(active, signed, lanes.splat(1))
    difference = alpha.re - signed
    size = alpha.im * alpha.im + difference * difference
    inverse_size = 1 / where(active, size, lanes.splat(1))
    factor = Complex(difference * inverse_size, -alpha.im * inverse_size).rounded()
    with every(x.rows, first=1) as k:
        numbers[k, 0] = factor * numbers[k, 0]
    zero = Complex(lanes.zero, lanes.zero)
    numbers[0, 0] = Complex(lanes.splat(1), lanes.zero)
    beta[row] = where(active, signed, alpha.re)
    tau.numbers[0, 0] = where(active, Complex((signed - alpha.re) * inverse, -alpha.im * inverse), zero)


@outlined
def apply_reflector(v: View, tau: View, conjugate: Index, a: View) -> None:
    """A <- (1 - tau v v^h) A for a column v; with conj(tau) where `conjugate` is set."""
    column, numbers, factor, zero = v.numbers, a.numbers, tau.numbers[0, 0], a.array.lanes.zero
    factor = where(conjugate.equals(PLAIN), factor, factor.conj())

    def columns(first: Index, width: int) -> None:
        places = [first + q for q in range(width)]
        sums = Slots(*[zero] * (4 * width))
        with every(a.rows) as k:
            x = column[k, 0]
            for q, place in enumerate(places):
                y = numbers[k, place]
                for slot, (left, right) in enumerate(((x.re, y.re), (x.im, y.im), (x.re, y.im), (x.im, y.re))):
                    sums[4 * q + slot] += left * right
        overlaps = [Complex(sums[q] + sums[q + 1], sums[q + 2] - sums[q + 3]) for q in range(0, 4 * width, 4)]
        weights = [-(factor * overlap).rounded() for overlap in overlaps]
        with every(a.rows) as k:
            for place, weight in zip(places, weights, strict=True):
                numbers[k, place] += weight * column[k, 0]

    in_groups(a.columns, 2, columns)


@outlined
def find_negligible(
    diagonal: Rows, beside: Rows, first: Index, size: Index, floor: Rows, relative: Any, out: Rows
) -> None:
    """out (1, LANES) <- smallest m >= first with |e_m| <= relative (|d_m| + |d_m+1|) + floor, or size - 1."""
    lanes, last = diagonal.lanes, size - 1
    share, found = lanes.broadcast(relative), Slots(lanes.broadcast(last))
    with every(last - first) as k:
        m = last - 1 - k  # from the last to the first: the smallest m remains
        bound = floor[0] + share * (abs(diagonal[m]) + abs(diagonal[m + 1]))
        found[0] = where(abs(beside[m]) <= bound, lanes.broadcast(m), found[0])
    out[0] = found[0]


@outlined
def chase(
    diagonal: Rows, beside: Rows, first: Index, top: Index, ends: Rows, at_ends: Rows, cosines: Rows, sines: Rows
) -> None:
    """One implicit QL step on a tridiagonal matrix, from the row `ends` of every lane up to `first`.

    `at_ends` (1, LANES) are the diagonal entries at the ends; a lane whose end is `first` stands still. The rotations
    of the rows i, i + 1 go to row i of `cosines` and `sines`. A step that breaks off early goes on with the next one.
    (EISPACK's tql2, as in Numerical Recipes, section 11.3.)
    """
    lanes, end = diagonal.lanes, ends[0]
    zero, one = lanes.zero, lanes.splat(1)
    moves = end > lanes.broadcast(first)
    d, e = diagonal[first], where(moves, beside[first], one)
    g = (diagonal[first + 1] - d) / (2 * e)
    r = (1 + g * g).sqrt()
    start = at_ends[0] - d + e / (g + where(g >= 0, r, 0 - r))
    slots = Slots(start, one, one, zero, zero)
    with every(top - first) as k:
        i = top - 1 - k
        g, s, c, p, broken = slots
        inside = moves & (lanes.broadcast(i) < end) & broken.equals(0)
        e, d, e_after, d_after = beside[i], diagonal[i], beside[i + 1], diagonal[i + 1]
        f, b = (s * e).rounded(), (c * e).rounded()
        r = (g * g + f * f).sqrt()
        beside[i + 1] = where(inside, r, e_after)
        vanishes, turns = inside & r.equals(0), inside & (r > 0)
        inverse = 1 / where(turns, r, one)
        new_s, new_c = (f * inverse).rounded(), (g * inverse).rounded()
        moved = d_after - p
        r = (2 * new_c * b + (d - moved) * new_s).rounded()
        new_p = (new_s * r).rounded()
        diagonal[i + 1] = where(turns, moved + new_p, where(vanishes, moved, d_after))
        for place, value in enumerate(((new_c * r).rounded() - b, new_s, new_c, new_p)):
            slots[place] = where(turns, value, slots[place])
        slots[4] = where(vanishes, one, broken)
        cosines[i] = where(turns, new_c, one).to(cosines.lanes)
        sines[i] = where(turns, new_s, zero).to(sines.lanes)
    g, _, _, p, broken = slots
    whole = moves & broken.equals(0)
    diagonal[first], beside[first] = (
        where(whole, diagonal[first] - p, diagonal[first]),
        where(whole, g, beside[first]),
    )


@outlined
def rotate_columns(z: Rows, stride: Index, rows: Index, first: Index, top: Index, cosines: Rows, sines: Rows) -> None:
    """Apply the rotations of `chase` to the columns of a real matrix (rows, columns) in lanes, rows `stride` apart."""

    def stripe(row: Index, height: int) -> None:
        starts = [(row + q) * stride for q in range(height)]
        carried = Slots(*[z[start + top] for start in starts])
        with every(top - first) as k:
            i = top - 1 - k
            c, s = cosines[i], sines[i]
            for q, start in enumerate(starts):
                here, f = z[start + i], carried[q]
                z[start + i + 1] = c * f + s * here
                carried[q] = c * here - s * f
        for q, start in enumerate(starts):
            z[start + first] = carried[q]

    in_groups(rows, 4, stripe)
