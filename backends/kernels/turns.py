"""Gates in lanes: 2 x 2 matrices on pairs of the numbers of a tensor, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba import types
from numba.extending import intrinsic

from backends.kernels.lanes import INT, Numbers, Slots, constant, every, outlined
from backends.kernels.simd import Complex, Lanes, Vector


@contextmanager
def _pairs(builder: Any, outer: Any, outer_stride: Any, inner: Any, inner_stride: Any, run: Any) -> Iterator[Any]:
    """Visit the numbers i outer_stride + j inner_stride + k for i < outer, j < inner, k < run."""
    with every(builder, outer) as i, every(builder, inner) as j:
        start = builder.add(builder.mul(i, outer_stride), builder.mul(j, inner_stride))
        with every(builder, run) as k:
            yield builder.add(start, k)


@intrinsic
def rotate_numbers(
    typing: Any, x: Any, offset: Any, outer: Any, outer_stride: Any, inner: Any, inner_stride: Any, run: Any,
    first: Any, second: Any, u: Any,
) -> Any:  # fmt: skip
    """(a, b) <- u (a, b) for pairs of numbers, `first` and `second` from the visited ones; u (8, LANES)."""
    signature = types.void(x, *[INT] * 8, u)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        numbers = Numbers(lanes, x, args[0], args[1])
        u00, u01, u10, u11 = lanes.matrix(lanes.data(u, args[9]))
        with _pairs(builder, *args[2:7]) as index:
            at = [builder.add(index, shift) for shift in args[7:9]]
            a, b = (numbers.load(place) for place in at)
            numbers.store(lanes.product(u01, b, lanes.product(u00, a)), at[0])
            numbers.store(lanes.product(u11, b, lanes.product(u10, a)), at[1])

    return outlined(signature, generate)


@intrinsic
def unrotate_numbers(
    typing: Any, x: Any, offset: Any, y: Any, y_offset: Any, outer: Any, outer_stride: Any, inner: Any,
    inner_stride: Any, run: Any, first: Any, second: Any, u: Any, sums: Any,
) -> Any:  # fmt: skip
    """Un-apply u from x and from its cotangent y; add Im(y^h sigma x) of X, Y, Z and 1 behind u to sums (4, LANES)."""
    signature = types.void(x, INT, y, INT, *[INT] * 7, u, sums)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        state, cotangent = Numbers(lanes, x, args[0], args[1]), Numbers(lanes, y, args[2], args[3])
        u00, u01, u10, u11 = lanes.matrix(lanes.data(u, args[11]))
        total = lanes.data(sums, args[12])
        sums_now = Slots(lanes, [lanes.load(lanes.row(total, k)) for k in range(4)])
        with _pairs(builder, *args[4:9]) as index:
            at = [builder.add(index, shift) for shift in args[9:11]]
            a, b = (state.load(place) for place in at)
            c, d = (cotangent.load(place) for place in at)
            for numbers, top, bottom in ((state, a, b), (cotangent, c, d)):
                numbers.store(lanes.conj_product(u10, bottom, lanes.conj_product(u00, top)), at[0])
                numbers.store(lanes.conj_product(u11, bottom, lanes.conj_product(u01, top)), at[1])
            sums_now[0] = add_imag(lanes, d, a, add_imag(lanes, c, b, sums_now[0]))
            sums_now[1] = lanes.fma(d[0], a[0], lanes.fma(d[1], a[1], sums_now[1]))
            sums_now[1] = lanes.fms(c[0], b[0], lanes.fms(c[1], b[1], sums_now[1]))
            sums_now[2] = add_imag(lanes, c, a, sums_now[2])
            sums_now[3] = add_imag(lanes, d, b, sums_now[3])
        for k in range(4):
            lanes.store(sums_now[k], lanes.row(total, k))

    return outlined(signature, generate)


def add_imag(lanes: Lanes, a: Complex, b: Complex, plus: Vector) -> Vector:
    """Im conj(a) b + plus."""
    return lanes.fms(a[1], b[0], lanes.fma(a[0], b[1], plus))


@intrinsic
def pair_sums(
    typing: Any, bra: Any, bo: Any, ket: Any, ko: Any, outer: Any, outer_stride: Any, run: Any, shift: Any, out: Any,
    row: Any,
) -> Any:  # fmt: skip
    """Rows row.. of `out`: both parts of sum conj(bra_0) ket_1, then Re sum conj(bra_0) ket_0, and of 1 likewise."""
    signature = types.void(bra, INT, ket, *[INT] * 5, out, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, bra.dtype)
        left, right = Numbers(lanes, bra, args[0], args[1]), Numbers(lanes, ket, args[2], args[3])
        sums = Slots(lanes, [lanes.zero] * 4)
        with _pairs(builder, args[4], args[5], constant(1), constant(0), args[6]) as index:
            at = [index, builder.add(index, args[7])]
            a, b = (left.load(place) for place in at)
            c, d = (right.load(place) for place in at)
            sums[0], sums[1] = lanes.conj_product(a, d, (sums[0], sums[1]))
            for slot, x, y in ((2, a, c), (3, b, d)):
                sums[slot] = lanes.fma(x[1], y[1], lanes.fma(x[0], y[0], sums[slot]))
        target = lanes.data(out, args[8])
        for k in range(4):
            lanes.store(sums[k], lanes.row(target, builder.add(args[9], constant(k))))

    return outlined(signature, generate)


@intrinsic
def add_paulis(
    typing: Any, x: Any, xo: Any, y: Any, yo: Any, outer: Any, outer_stride: Any, run: Any, shift: Any, weights: Any,
    row: Any,
) -> Any:  # fmt: skip
    """y += (w_0 X + w_1 Y + w_2 Z) x for pairs of numbers `shift` apart; w are the rows row.. of `weights`."""
    signature = types.void(x, INT, y, *[INT] * 5, weights, INT)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        source, target = Numbers(lanes, x, args[0], args[1]), Numbers(lanes, y, args[2], args[3])
        table = lanes.data(weights, args[8])
        w = [lanes.load(lanes.row(table, builder.add(args[9], constant(k)))) for k in range(3)]
        with _pairs(builder, args[4], args[5], constant(1), constant(0), args[6]) as index:
            at = [index, builder.add(index, args[7])]
            a, b = (source.load(place) for place in at)
            c, d = (target.load(place) for place in at)
            # Y |0> = i |1>, Y |1> = -i |0>: (x - i y) b goes to 0, (x + i y) a to 1.
            c, d = lanes.conj_product((w[0], w[1]), b, c), lanes.product((w[0], w[1]), a, d)
            target.store(tuple(lanes.fma(w[2], a[k], c[k]) for k in (0, 1)), at[0])
            target.store(tuple(lanes.fms(w[2], b[k], d[k]) for k in (0, 1)), at[1])

    return outlined(signature, generate)
