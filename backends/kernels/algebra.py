"""Products, sums and norms of complex matrices in lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
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
    splat,
)
from backends.kernels.simd import Complex, Lanes, Vector


def _multiplying(name: str, product: Callable[[Lanes, Complex, Complex, Complex], Complex]) -> Any:
    """An intrinsic C[i, j] = [C[i, j] +] sum_k A[i, k] B[k, j], in tiles of 2 x 2 that stay in registers.

    Every matrix comes as array, offset, stride of rows, stride of columns; then m, n, k and whether to add to C.
    """

    def intrinsic_of(
        typing: Any, c: Any, co: Any, cr: Any, cc: Any, a: Any, ao: Any, ar: Any, ac: Any, b: Any, bo: Any, br: Any,
        bc: Any, m: Any, n: Any, k: Any, adds: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(c, INT, INT, INT, a, INT, INT, INT, b, INT, INT, INT, INT, INT, INT, INT)

        def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
            lanes = Lanes(context, builder, c.dtype)
            out, left, right = (Numbers(lanes, kind, args[p], args[p + 1]) for kind, p in ((c, 0), (a, 4), (b, 8)))
            cr, cc, ar, ac, br, bc = (args[p] for p in (2, 3, 6, 7, 10, 11))
            rows, columns, inner, adds = args[12:16]
            adds = builder.icmp_signed("!=", adds, constant(0))

            def tile(i: Any, height: int, j: Any, width: int) -> None:
                places = [(p, q) for p in range(height) for q in range(width)]
                sums = Slots(lanes, [lanes.zero] * (2 * len(places)))
                starts_a = [builder.mul(builder.add(i, constant(p)), ar) for p in range(height)]
                starts_b = [builder.mul(builder.add(j, constant(q)), bc) for q in range(width)]
                with every(builder, inner) as at:
                    along_a, along_b = builder.mul(at, ac), builder.mul(at, br)
                    xs = [left.load(builder.add(start, along_a)) for start in starts_a]
                    ys = [right.load(builder.add(start, along_b)) for start in starts_b]
                    for slot, (p, q) in enumerate(places):
                        value = product(lanes, xs[p], ys[q], (sums[2 * slot], sums[2 * slot + 1]))
                        sums[2 * slot], sums[2 * slot + 1] = value
                for slot, (p, q) in enumerate(places):
                    row = builder.mul(builder.add(i, constant(p)), cr)
                    index = builder.add(row, builder.mul(builder.add(j, constant(q)), cc))
                    with builder.if_then(adds):
                        before = out.load(index)
                        for part in (0, 1):
                            sums[2 * slot + part] = lanes.add(before[part], sums[2 * slot + part])
                    out.store((sums[2 * slot], sums[2 * slot + 1]), index)

            def stripe(i: Any, height: int) -> None:
                in_steps_of_two(builder, columns, lambda j, width: tile(i, height, j, width))

            in_steps_of_two(builder, rows, stripe)

        generate.__qualname__ = name
        return outlined(signature, generate)

    intrinsic_of.__name__ = intrinsic_of.__qualname__ = name
    return intrinsic(intrinsic_of)


# C = A B;  C = conj(A) B;  C = A conj(B). With a swap of strides: A^h B and A B^h.
multiply = _multiplying("multiply", lambda lanes, x, y, plus: lanes.product(x, y, plus))
multiply_conj_a = _multiplying("multiply_conj_a", lambda lanes, x, y, plus: lanes.conj_product(x, y, plus))
multiply_conj_b = _multiplying("multiply_conj_b", lambda lanes, x, y, plus: lanes.conj_product(y, x, plus))


@intrinsic
def copy_lanes(
    typing: Any, source: Any, so: Any, sr: Any, sc: Any, target: Any, to: Any, tr: Any, tc: Any, m: Any, n: Any,
    tiny: Any,
) -> Any:  # fmt: skip
    """target[i, j] <- source[i, j] of an m x n matrix; parts whose size is below `tiny` become zero."""
    signature = types.void(source, INT, INT, INT, target, INT, INT, INT, INT, INT, source.dtype)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, source.dtype)
        origin, goal = Numbers(lanes, source, args[0], args[1]), Numbers(lanes, target, args[4], args[5])
        least = broadcast(lanes, args[10])
        with every(builder, args[8]) as i:
            row, goal_row = builder.mul(i, args[2]), builder.mul(i, args[6])
            with every(builder, args[9]) as j:
                value = origin.load(builder.add(row, builder.mul(j, args[3])))
                kept = tuple(
                    builder.select(builder.fcmp_ordered(">=", magnitude(lanes, part), least), part, lanes.zero)
                    for part in value
                )
                goal.store(kept, builder.add(goal_row, builder.mul(j, args[7])))

    return outlined(signature, generate)


@intrinsic
def scale_lanes(
    typing: Any, x: Any, offset: Any, stride: Any, step: Any, m: Any, n: Any, factors: Any, by_row: Any
) -> Any:
    """x[i, j] *= factors[i] where `by_row`, else factors[0]; real rows `factors`."""
    signature = types.void(x, *[INT] * 5, factors, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        numbers, table = Numbers(lanes, x, args[0], args[1]), lanes.data(factors, args[6])
        with every(builder, args[4]) as i:
            factor = lanes.load(lanes.row(table, builder.mul(i, args[7])))
            with every(builder, args[5]) as j:
                at = builder.add(builder.mul(i, args[2]), builder.mul(j, args[3]))
                value = numbers.load(at)
                numbers.store((lanes.mul(factor, value[0]), lanes.mul(factor, value[1])), at)

    return outlined(signature, generate)


@intrinsic
def add_scaled(
    typing: Any, x: Any, xo: Any, xs: Any, xt: Any, y: Any, yo: Any, ys: Any, yt: Any, m: Any, n: Any, factor: Any
) -> Any:
    """x[i, j] += factor y[i, j]; `factor` one real row."""
    signature = types.void(x, INT, INT, INT, y, INT, INT, INT, INT, INT, factor)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        target, source = Numbers(lanes, x, args[0], args[1]), Numbers(lanes, y, args[4], args[5])
        weight = lanes.load(lanes.row(lanes.data(factor, args[10]), 0))
        with every(builder, args[8]) as i, every(builder, args[9]) as j:
            at = builder.add(builder.mul(i, args[2]), builder.mul(j, args[3]))
            value = source.load(builder.add(builder.mul(i, args[6]), builder.mul(j, args[7])))
            before = target.load(at)
            target.store(tuple(lanes.fma(weight, value[k], before[k]) for k in (0, 1)), at)

    return outlined(signature, generate)


@intrinsic
def square_norms(
    typing: Any, x: Any, offset: Any, stride: Any, step: Any, count: Any, length: Any, out: Any, first: Any
) -> Any:
    """Rows first.. of `out`, real: the squared norms of `count` vectors of `length` numbers, `stride` apart."""
    signature = types.void(x, *[INT] * 5, out, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        numbers, target = Numbers(lanes, x, args[0], args[1]), lanes.data(out, args[6])
        stride, step, count, length = args[2:6]
        with every(builder, count) as i:
            sums = Slots(lanes, [lanes.zero] * 2)
            start = builder.mul(i, stride)
            with every(builder, length) as k:
                value = numbers.load(builder.add(start, builder.mul(k, step)))
                for part in (0, 1):
                    sums[part] = lanes.fma(value[part], value[part], sums[part])
            lanes.store(lanes.add(sums[0], sums[1]), lanes.row(target, builder.add(args[7], i)))

    return outlined(signature, generate)


@intrinsic
def real_overlap(
    typing: Any, x: Any, xo: Any, xs: Any, xt: Any, y: Any, yo: Any, ys: Any, yt: Any, m: Any, n: Any, out: Any
) -> Any:
    """out (1, LANES) <- Re sum_ij conj(x[i, j]) y[i, j]."""
    signature = types.void(x, INT, INT, INT, y, INT, INT, INT, INT, INT, out)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        left, right = Numbers(lanes, x, args[0], args[1]), Numbers(lanes, y, args[4], args[5])
        sums = Slots(lanes, [lanes.zero] * 2)
        with every(builder, args[8]) as i, every(builder, args[9]) as j:
            a = left.load(builder.add(builder.mul(i, args[2]), builder.mul(j, args[3])))
            b = right.load(builder.add(builder.mul(i, args[6]), builder.mul(j, args[7])))
            for part in (0, 1):
                sums[part] = lanes.fma(a[part], b[part], sums[part])
        lanes.store(lanes.add(sums[0], sums[1]), lanes.row(lanes.data(out, args[10]), 0))

    return outlined(signature, generate)


@intrinsic
def divide_gaps(
    typing: Any, w: Any, offset: Any, stride: Any, values: Any, kept: Any, first: Any, m: Any, n: Any, noise: Any
) -> Any:
    """W[j, k] <- G[j, k] / (s_k^2 - s_j^2) for the discarded j = first.., m of them, and the kept k < n; else 0.

    `values` and `kept` are real rows, s and 1 or 0; 1 / x is x^3 / (x^4 + (noise s_0)^4), for difference and sum apart.
    """
    signature = types.void(w, INT, INT, values, kept, INT, INT, INT, w.dtype)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, w.dtype)
        numbers = Numbers(lanes, w, args[0], args[1])
        s, keep = lanes.data(values, args[3]), lanes.data(kept, args[4])
        one = splat(lanes, 1)
        level = lanes.mul(broadcast(lanes, args[8]), lanes.load(lanes.row(s, 0)))
        level = lanes.mul(level, level)
        level = lanes.fma(level, level, splat(lanes, 1e-37 if lanes.bits == 32 else 1e-300))

        def inverse(x: Vector) -> Vector:
            square = lanes.mul(x, x)
            return builder.fdiv(lanes.mul(square, x), lanes.fma(square, square, level))

        with every(builder, args[6]) as i:
            j = builder.add(args[5], i)
            s_j = lanes.load(lanes.row(s, j))
            lost = lanes.sub(one, lanes.load(lanes.row(keep, j)))
            with every(builder, args[7]) as k:
                s_k = lanes.load(lanes.row(s, k))
                weight = lanes.mul(inverse(lanes.sub(s_k, s_j)), inverse(lanes.add(s_k, s_j)))
                weight = lanes.mul(weight, lanes.mul(lost, lanes.load(lanes.row(keep, k))))
                at = builder.add(builder.mul(i, args[2]), k)
                value = numbers.load(at)
                numbers.store((lanes.mul(weight, value[0]), lanes.mul(weight, value[1])), at)

    return outlined(signature, generate)


@intrinsic
def clear(typing: Any, x: Any, rows: Any) -> Any:
    """The first `rows` rows become zero. (An assignment to a slice takes Numba seconds to compile.)"""
    signature = types.void(x, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        with every(builder, args[1]) as row:
            lanes.store(lanes.zero, lanes.row(args[0], row))

    return outlined(signature, generate)
