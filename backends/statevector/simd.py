"""Vector instructions for the kernel: what happens to a pair of rows, or to one row, for all lanes at once.

Written in LLVM's language through Numba's `intrinsic`, because Numba cannot promise LLVM that two arrays do not
overlap: the plain loops over lanes are guarded by run-time checks that cost more than the work.
A row is `LANES` numbers, one per sample; a complex number is a pair of vectors (real, imaginary).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 8

Vector = Any
Complex = tuple[Vector, Vector]


class Lanes:
    """Emits vector loads, stores and arithmetic on rows of `LANES` numbers."""

    def __init__(self, context: Any, builder: Any, element: Any) -> None:
        self.context, self.builder = context, builder
        self.vector = ir.VectorType(context.get_data_type(element), LANES)
        self.bits = element.bitwidth
        self._fma = self._declare_fma()

    def _declare_fma(self) -> Any:
        name = f"llvm.fma.v{LANES}f{self.bits}"
        known = self.builder.module.globals.get(name)
        return known or ir.Function(self.builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def row(self, array_type: Any, array: Any, index: Any) -> Any:
        """Pointer to row `index` of an array (rows, LANES)."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        offset = self.builder.mul(index, ir.Constant(index.type, LANES))
        return self.builder.bitcast(self.builder.gep(data, [offset]), self.vector.as_pointer())

    def constant_row(self, array_type: Any, array: Any, index: int) -> Any:
        """Pointer to a row whose number is known now."""
        return self.row(array_type, array, ir.Constant(ir.IntType(64), index))

    def load(self, pointer: Any) -> Vector:
        """Load a row, aligned as its numbers are."""
        loaded = self.builder.load(pointer)
        loaded.align = self.bits // 8
        return loaded

    def store(self, value: Vector, pointer: Any) -> None:
        """Store a row."""
        self.builder.store(value, pointer).align = self.bits // 8

    def add_to(self, value: Vector, pointer: Any) -> None:
        """Add to a row."""
        self.store(self.builder.fadd(self.load(pointer), value), pointer)

    def mul(self, a: Vector, b: Vector) -> Vector:
        """a b."""
        return self.builder.fmul(a, b)

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """a b + c, rounded once."""
        return self.builder.call(self._fma, [a, b, c])

    def fms(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """c - a b."""
        minus_a = self.builder.fsub(ir.Constant(self.vector, [-0.0] * LANES), a)
        return self.fma(minus_a, b, c)

    def product(self, a: Complex, b: Complex, plus: Complex | None = None) -> Complex:
        """a b, or a b + plus."""
        real = self.fma(a[0], b[0], plus[0]) if plus else self.mul(a[0], b[0])
        imag = self.fma(a[0], b[1], plus[1]) if plus else self.mul(a[0], b[1])
        return self.fms(a[1], b[1], real), self.fma(a[1], b[0], imag)

    def conj_product(self, a: Complex, b: Complex, plus: Complex | None = None) -> Complex:
        """conj(a) b, or conj(a) b + plus."""
        real = self.fma(a[0], b[0], plus[0]) if plus else self.mul(a[0], b[0])
        imag = self.fma(a[0], b[1], plus[1]) if plus else self.mul(a[0], b[1])
        return self.fma(a[1], b[1], real), self.fms(a[1], b[0], imag)


def _matrix(lanes: Lanes, array_type: Any, array: Any) -> list[Complex]:
    """u00, u01, u10, u11 from an array (8, LANES)."""
    rows = [lanes.load(lanes.constant_row(array_type, array, k)) for k in range(8)]
    return [(rows[2 * k], rows[2 * k + 1]) for k in range(4)]


@intrinsic
def rotate(typing: Any, re: Any, im: Any, i0: Any, i1: Any, u: Any) -> Any:
    """(psi_0, psi_1) <- u (psi_0, psi_1) for the rows i0 and i1; u is (8, LANES)."""
    signature = types.void(re, im, types.int64, types.int64, u)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        at = [lanes.row(kind, args[k], args[row]) for row in (2, 3) for k, kind in ((0, re), (1, im))]
        a, b = ((lanes.load(at[k]), lanes.load(at[k + 1])) for k in (0, 2))
        u00, u01, u10, u11 = _matrix(lanes, u, args[4])
        rotated = (*lanes.product(u01, b, lanes.product(u00, a)), *lanes.product(u11, b, lanes.product(u10, a)))
        for value, pointer in zip(rotated, at, strict=True):
            lanes.store(value, pointer)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def unrotate(typing: Any, re: Any, im: Any, lr: Any, li: Any, i0: Any, i1: Any, u: Any, g: Any) -> Any:
    """Un-apply u from state and cotangent on the rows i0 and i1, and add lambda_after psi_before^dagger to g."""
    signature = types.void(re, im, lr, li, types.int64, types.int64, u, g)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        u00, u01, u10, u11 = _matrix(lanes, u, args[6])

        def undo(first: int, kinds: tuple[Any, Any]) -> tuple[Complex, Complex, Complex, Complex]:
            at = [lanes.row(kinds[k], args[first + k], args[row]) for row in (4, 5) for k in (0, 1)]
            a, b = ((lanes.load(at[k]), lanes.load(at[k + 1])) for k in (0, 2))
            before_a = lanes.conj_product(u10, b, lanes.conj_product(u00, a))
            before_b = lanes.conj_product(u11, b, lanes.conj_product(u01, a))
            for value, pointer in zip((*before_a, *before_b), at, strict=True):
                lanes.store(value, pointer)
            return a, b, before_a, before_b

        _, _, before_a, before_b = undo(0, (re, im))
        after_a, after_b, _, _ = undo(2, (lr, li))
        pairs = [(after, before) for after in (after_a, after_b) for before in (before_a, before_b)]
        for k, (after, before) in enumerate(pairs):
            at = [lanes.constant_row(g, args[7], 2 * k + part) for part in (0, 1)]
            total = lanes.conj_product(before, after, (lanes.load(at[0]), lanes.load(at[1])))
            lanes.store(total[0], at[0])
            lanes.store(total[1], at[1])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_readouts(typing: Any, re: Any, im: Any, i0: Any, i1: Any, sums: Any) -> Any:
    """Add to sums (4, LANES) of a qubit's rows: Re and Im of conj(psi_0) psi_1, |psi_0|^2, |psi_1|^2."""
    signature = types.void(re, im, types.int64, types.int64, sums)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        a, b = (tuple(lanes.load(lanes.row(k, args[n], args[row])) for n, k in ((0, re), (1, im))) for row in (2, 3))
        at = [lanes.constant_row(sums, args[4], k) for k in range(4)]
        flip = lanes.conj_product(a, b, (lanes.load(at[0]), lanes.load(at[1])))
        weights = [lanes.fma(x[1], x[1], lanes.fma(x[0], x[0], lanes.load(at[k]))) for x, k in ((a, 2), (b, 3))]
        for value, pointer in zip((*flip, *weights), at, strict=True):
            lanes.store(value, pointer)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_flips(typing: Any, re: Any, im: Any, lr: Any, li: Any, i0: Any, i1: Any, xy: Any) -> Any:
    """lambda += (x X + y Y) psi on a qubit's rows i0 and i1; xy is (2, LANES). Y |0> = i |1>, Y |1> = -i |0>."""
    signature = types.void(re, im, lr, li, types.int64, types.int64, xy)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        kinds = (re, im, lr, li)
        at = [[lanes.row(kinds[k], args[k], args[row]) for k in range(4)] for row in (4, 5)]
        weight = tuple(lanes.load(lanes.constant_row(xy, args[6], k)) for k in (0, 1))
        psi = [tuple(lanes.load(pointer) for pointer in row[:2]) for row in at]
        cotangent = [tuple(lanes.load(pointer) for pointer in row[2:]) for row in at]
        # (x - i y) psi_1 goes to row 0, (x + i y) psi_0 to row 1.
        new = (lanes.conj_product(weight, psi[1], cotangent[0]), lanes.product(weight, psi[0], cotangent[1]))
        for value, row in zip(new, at, strict=True):
            lanes.store(value[0], row[2])
            lanes.store(value[1], row[3])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_diagonal(typing: Any, re: Any, im: Any, lr: Any, li: Any, i: Any, w1: Any, k1: Any, w2: Any, k2: Any) -> Any:
    """lambda += (w1[k1] + w2[k2]) psi on row i; w1 and w2 are tables of rows."""
    signature = types.void(re, im, lr, li, types.int64, w1, types.int64, w2, types.int64)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        weight = builder.fadd(lanes.load(lanes.row(w1, args[5], args[6])), lanes.load(lanes.row(w2, args[7], args[8])))
        for kinds, first in (((re, lr), 0), ((im, li), 1)):
            psi = lanes.load(lanes.row(kinds[0], args[first], args[4]))
            at = lanes.row(kinds[1], args[first + 2], args[4])
            lanes.store(lanes.fma(weight, psi, lanes.load(at)), at)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def copy_row(typing: Any, source: Any, i: Any, target: Any, j: Any) -> Any:
    """target[j] <- source[i]."""
    signature = types.void(source, types.int64, target, types.int64)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, source.dtype)
        lanes.store(lanes.load(lanes.row(source, args[0], args[1])), lanes.row(target, args[2], args[3]))
        return context.get_dummy_value()

    return signature, generate
