"""The steps of the decomposition in lanes: Householder reflections, and rotations that chase a bulge off a matrix.

A product, a sum or a square root of all lanes is one instruction; see `lanes`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from backends.kernels.lanes import (
    INT,
    Numbers,
    Slots,
    broadcast,
    constant,
    every,
    in_steps_of_two,
    magnitude,
    outlined,
    root,
    splat,
)
from backends.kernels.simd import Lanes, Vector


@intrinsic
def make_reflector(
    typing: Any, x: Any, offset: Any, stride: Any, length: Any, tiny: Any, beta: Any, b: Any, tau: Any, t: Any
) -> Any:
    """Householder: x (length) becomes v with v_0 = 1, so that (1 - conj(tau) v v^h) x = (beta, 0, 0, ...), beta real.

    beta goes to row b of a real array, tau to the number t of another. What is smaller than `tiny` when squared is
    taken as zero (Golub and Van Loan, Matrix Computations, section 5.1; LAPACK's xLARFG without its rescaling).
    """
    signature = types.void(x, INT, INT, INT, x.dtype, beta, INT, tau, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        vector = Numbers(lanes, x, args[0], args[1])
        stride, length = args[2], args[3]
        rest = builder.sub(length, constant(1))
        sums = Slots(lanes, [lanes.zero] * 2)
        with every(builder, rest) as k:
            value = vector.load(builder.mul(builder.add(k, constant(1)), stride))
            sums[0], sums[1] = lanes.fma(value[0], value[0], sums[0]), lanes.fma(value[1], value[1], sums[1])
        alpha = vector.load(constant(0))
        outside = lanes.fma(alpha[1], alpha[1], lanes.add(sums[0], sums[1]))
        small = broadcast(lanes, args[4])
        active = builder.fcmp_ordered(">", outside, small)
        norm = root(lanes, lanes.fma(alpha[0], alpha[0], outside))
        signed = builder.select(builder.fcmp_ordered(">=", alpha[0], lanes.zero), lanes.sub(lanes.zero, norm), norm)
        result = builder.select(active, signed, alpha[0])
        one = splat(lanes, 1)
        inverse = builder.fdiv(one, builder.select(active, signed, one))
        difference = lanes.sub(alpha[0], signed)
        turned = lanes.sub(lanes.zero, alpha[1])
        tau_parts = (lanes.mul(lanes.sub(signed, alpha[0]), inverse), lanes.mul(turned, inverse))
        tau_parts = tuple(builder.select(active, part, lanes.zero) for part in tau_parts)
        size = lanes.fma(difference, difference, lanes.mul(alpha[1], alpha[1]))
        size = builder.fdiv(one, builder.select(active, size, one))
        scale = (lanes.mul(difference, size), lanes.mul(turned, size))
        with every(builder, rest) as k:
            at = builder.mul(builder.add(k, constant(1)), stride)
            vector.store(lanes.product(scale, vector.load(at)), at)
        vector.store((one, lanes.zero), constant(0))
        lanes.store(result, lanes.row(lanes.data(beta, args[5]), args[6]))
        Numbers(lanes, tau, args[7], args[8]).store(tau_parts, constant(0))

    return outlined(signature, generate)


@intrinsic
def apply_reflector(
    typing: Any, v: Any, vo: Any, vs: Any, length: Any, tau: Any, t: Any, conjugate: Any, a: Any, ao: Any, along: Any,
    across: Any, count: Any,
) -> Any:  # fmt: skip
    """a <- (1 - tau v v^h) a for `count` vectors a of `length`; with conj(tau) where `conjugate` is set."""
    signature = types.void(v, INT, INT, INT, tau, INT, INT, a, INT, INT, INT, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, a.dtype)
        vector, matrix = Numbers(lanes, v, args[0], args[1]), Numbers(lanes, a, args[7], args[8])
        v_stride, length, along, across, count = (args[k] for k in (2, 3, 9, 10, 11))
        factor = Numbers(lanes, tau, args[4], args[5]).load(constant(0))
        plain = builder.icmp_signed("==", args[6], constant(0))
        factor = (factor[0], builder.select(plain, factor[1], lanes.sub(lanes.zero, factor[1])))

        def columns(first: Any, width: int) -> None:
            starts = [builder.mul(builder.add(first, constant(q)), across) for q in range(width)]
            sums = Slots(lanes, [lanes.zero] * (4 * width))
            with every(builder, length) as k:
                x, at = vector.load(builder.mul(k, v_stride)), builder.mul(k, along)
                for q, start in enumerate(starts):
                    y = matrix.load(builder.add(start, at))
                    for slot, (i, j) in enumerate(((0, 0), (1, 1), (0, 1), (1, 0))):
                        sums[4 * q + slot] = lanes.fma(x[i], y[j], sums[4 * q + slot])
            weights = []
            for q in range(width):
                overlap = lanes.add(sums[4 * q], sums[4 * q + 1]), lanes.sub(sums[4 * q + 2], sums[4 * q + 3])
                weight = lanes.product(factor, overlap)
                weights.append(tuple(lanes.sub(lanes.zero, part) for part in weight))
            with every(builder, length) as k:
                x, at = vector.load(builder.mul(k, v_stride)), builder.mul(k, along)
                for start, weight in zip(starts, weights, strict=True):
                    index = builder.add(start, at)
                    matrix.store(lanes.product(weight, x, matrix.load(index)), index)

        in_steps_of_two(builder, count, columns)

    return outlined(signature, generate)


@intrinsic
def find_negligible(typing: Any, d: Any, e: Any, first: Any, size: Any, floor: Any, relative: Any, out: Any) -> Any:
    """out (1, LANES) <- smallest m >= first with |e_m| <= relative (|d_m| + |d_m+1|) + floor, or size - 1."""
    signature = types.void(d, e, INT, INT, floor, types.float64, out)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, d.dtype)
        diagonal, beside = lanes.data(d, args[0]), lanes.data(e, args[1])
        first, last = args[2], builder.sub(args[3], constant(1))
        least, share = lanes.load(lanes.row(lanes.data(floor, args[4]), 0)), broadcast(lanes, args[5])
        number = builder.sitofp(last, ir.DoubleType())
        found = Slots(lanes, [broadcast(lanes, number)])
        # From the last to the first: the smallest m remains.
        with every(builder, builder.sub(last, first)) as k:
            m = builder.sub(builder.sub(last, constant(1)), k)
            sizes = [magnitude(lanes, lanes.load(lanes.row(diagonal, builder.add(m, constant(p))))) for p in (0, 1)]
            bound = lanes.fma(share, lanes.add(*sizes), least)
            small = builder.fcmp_ordered("<=", magnitude(lanes, lanes.load(lanes.row(beside, m))), bound)
            found[0] = builder.select(small, broadcast(lanes, builder.sitofp(m, ir.DoubleType())), found[0])
        lanes.store(found[0], lanes.row(lanes.data(out, args[6]), 0))

    return outlined(signature, generate)


@intrinsic
def chase(typing: Any, d: Any, e: Any, first: Any, top: Any, ends: Any, at_ends: Any, cosines: Any, sines: Any) -> Any:
    """One implicit QL step on a tridiagonal matrix, from the row `ends` of every lane up to `first`.

    `at_ends` (1, LANES) are the diagonal entries at the ends; a lane whose end is `first` stands still. The rotations
    of the rows i, i + 1 go to row i of `cosines` and `sines`. A step that breaks off early goes on with the next one.
    (EISPACK's tql2, as in Numerical Recipes, section 11.3.)
    """
    signature = types.void(d, e, INT, INT, ends, at_ends, cosines, sines)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes, narrow = Lanes(context, builder, d.dtype), Lanes(context, builder, cosines.dtype)
        diagonal, beside = lanes.data(d, args[0]), lanes.data(e, args[1])
        first, top = args[2], args[3]
        end = lanes.load(lanes.row(lanes.data(ends, args[4]), 0))
        target = lanes.load(lanes.row(lanes.data(at_ends, args[5]), 0))
        out = [narrow.data(kind, args[p]) for kind, p in ((cosines, 6), (sines, 7))]
        one, two, zero = splat(lanes, 1), splat(lanes, 2), lanes.zero
        moves = builder.fcmp_ordered(">", end, broadcast(lanes, builder.sitofp(first, ir.DoubleType())))
        d_l, d_next = (lanes.load(lanes.row(diagonal, row)) for row in (first, builder.add(first, constant(1))))
        e_l = builder.select(moves, lanes.load(lanes.row(beside, first)), one)
        g = builder.fdiv(lanes.sub(d_next, d_l), lanes.mul(two, e_l))
        r = root(lanes, lanes.fma(g, g, one))
        r = builder.select(builder.fcmp_ordered(">=", g, zero), r, lanes.sub(zero, r))
        start = lanes.add(lanes.sub(target, d_l), builder.fdiv(e_l, lanes.add(g, r)))
        names = ("g", "s", "c", "p", "broken")
        slots = Slots(lanes, [start, one, one, zero, zero])
        place = {name: k for k, name in enumerate(names)}

        def narrowed(value: Vector) -> Vector:
            return value if narrow.bits == lanes.bits else builder.fptrunc(value, narrow.vector)

        with every(builder, builder.sub(top, first)) as k:
            i = builder.sub(builder.sub(top, constant(1)), k)
            after = builder.add(i, constant(1))
            g, s, c, p, broken = (slots[place[name]] for name in names)
            number = broadcast(lanes, builder.sitofp(i, ir.DoubleType()))
            inside = builder.and_(moves, builder.fcmp_ordered("<", number, end))
            inside = builder.and_(inside, builder.fcmp_ordered("==", broken, zero))
            row_e, row_d, row_e_after, row_d_after = (
                lanes.row(data, row) for row in (i, after) for data in (beside, diagonal)
            )
            e_i, d_i, e_after, d_after = (lanes.load(row) for row in (row_e, row_d, row_e_after, row_d_after))
            f, b = lanes.mul(s, e_i), lanes.mul(c, e_i)
            r = root(lanes, lanes.fma(f, f, lanes.mul(g, g)))
            lanes.store(builder.select(inside, r, e_after), row_e_after)
            vanishes = builder.and_(inside, builder.fcmp_ordered("==", r, zero))
            turns = builder.and_(inside, builder.fcmp_ordered(">", r, zero))
            inverse = builder.fdiv(one, builder.select(turns, r, one))
            new_s, new_c = lanes.mul(f, inverse), lanes.mul(g, inverse)
            moved = lanes.sub(d_after, p)
            r = lanes.fma(lanes.sub(d_i, moved), new_s, lanes.mul(lanes.mul(two, new_c), b))
            new_p = lanes.mul(new_s, r)
            d_new = builder.select(turns, lanes.add(moved, new_p), builder.select(vanishes, moved, d_after))
            lanes.store(d_new, row_d_after)
            changed = {"g": lanes.sub(lanes.mul(new_c, r), b), "s": new_s, "c": new_c, "p": new_p}
            for name, value in changed.items():
                slots[place[name]] = builder.select(turns, value, slots[place[name]])
            slots[place["broken"]] = builder.select(vanishes, one, broken)
            narrow.store(narrowed(builder.select(turns, new_c, one)), narrow.row(out[0], i))
            narrow.store(narrowed(builder.select(turns, new_s, zero)), narrow.row(out[1], i))
        whole = builder.and_(moves, builder.fcmp_ordered("==", slots[place["broken"]], zero))
        row_d, row_e = lanes.row(diagonal, first), lanes.row(beside, first)
        old_d, old_e = lanes.load(row_d), lanes.load(row_e)
        lanes.store(builder.select(whole, lanes.sub(old_d, slots[place["p"]]), old_d), row_d)
        lanes.store(builder.select(whole, slots[place["g"]], old_e), row_e)

    return outlined(signature, generate)


@intrinsic
def rotate_columns(typing: Any, z: Any, stride: Any, rows: Any, first: Any, top: Any, cosines: Any, sines: Any) -> Any:
    """Apply the rotations of `chase` to the columns of a real matrix (rows, columns) in lanes; `rows` is even."""
    signature = types.void(z, INT, INT, INT, INT, cosines, sines)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, z.dtype)
        data = lanes.data(z, args[0])
        stride, rows, first, top = (args[k] for k in range(1, 5))
        tables = [lanes.data(kind, args[p]) for kind, p in ((cosines, 5), (sines, 6))]
        width = 4

        def stripe(row: Any, height: int) -> None:
            starts = [builder.mul(builder.add(row, constant(q)), stride) for q in range(height)]
            carried = Slots(lanes, [lanes.load(lanes.row(data, builder.add(start, top))) for start in starts])
            with every(builder, builder.sub(top, first)) as k:
                i = builder.sub(builder.sub(top, constant(1)), k)
                c, s = (lanes.load(lanes.row(table, i)) for table in tables)
                for q, start in enumerate(starts):
                    at = builder.add(start, i)
                    here, f = lanes.load(lanes.row(data, at)), carried[q]
                    after = lanes.row(data, builder.add(at, constant(1)))
                    lanes.store(lanes.fma(s, here, lanes.mul(c, f)), after)
                    carried[q] = lanes.fms(s, f, lanes.mul(c, here))
            for q, start in enumerate(starts):
                lanes.store(carried[q], lanes.row(data, builder.add(start, first)))

        whole = builder.and_(rows, constant(-width))
        with every(builder, whole, width) as row:
            stripe(row, width)
        with cgutils.for_range_slice(builder, whole, rows, constant(1)) as (row, _):
            stripe(row, 1)

    return outlined(signature, generate)
