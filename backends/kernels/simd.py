"""Vector instructions: what `algebra` and `reflections` are written with (see `vectors`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from backends.kernels.vectors import LANES

__all__ = ["LANES", "Complex", "Lanes", "Vector"]

Vector = Any
Complex = tuple[Vector, Vector]
_INDEX = ir.IntType(64)


class Lanes:
    """Emits vector loads, stores and arithmetic on rows of `LANES` numbers."""

    def __init__(self, context: Any, builder: Any, element: Any) -> None:
        self.context, self.builder = context, builder
        self.vector = ir.VectorType(context.get_data_type(element), LANES)
        self.zero = ir.Constant(self.vector, [0.0] * LANES)
        self.bits = element.bitwidth
        self._fma = self._declare_fma()

    def _declare_fma(self) -> Any:
        name = f"llvm.fma.v{LANES}f{self.bits}"
        known = self.builder.module.globals.get(name)
        return known or ir.Function(self.builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def data(self, array_type: Any, array: Any) -> Any:
        """Pointer to the first number of an array, which may be given as that already."""
        if isinstance(array.type, ir.PointerType):
            return array
        return self.context.make_array(array_type)(self.context, self.builder, array).data

    def row(self, data: Any, index: Any) -> Any:
        """Pointer to row `index` of an array (rows, LANES) whose numbers start at `data`."""
        if isinstance(index, int):
            index = ir.Constant(_INDEX, index)
        return self.at(data, self.builder.mul(index, ir.Constant(_INDEX, LANES)))

    def at(self, data: Any, offset: Any) -> Any:
        """Pointer to the `LANES` numbers from `offset` on."""
        return self.builder.bitcast(self.builder.gep(data, [offset]), self.vector.as_pointer())

    def load(self, pointer: Any) -> Vector:
        """Load a row, aligned as its numbers are."""
        loaded = self.builder.load(pointer)
        loaded.align = self.bits // 8
        return loaded

    def store(self, value: Vector, pointer: Any) -> None:
        """Store a row."""
        self.builder.store(value, pointer).align = self.bits // 8

    def matrix(self, data: Any) -> list[Complex]:
        """u00, u01, u10, u11 from an array (8, LANES)."""
        rows = [self.load(self.row(data, k)) for k in range(8)]
        return [(rows[2 * k], rows[2 * k + 1]) for k in range(4)]

    def add(self, a: Vector, b: Vector) -> Vector:
        """a + b."""
        return self.builder.fadd(a, b)

    def sub(self, a: Vector, b: Vector) -> Vector:
        """a - b."""
        return self.builder.fsub(a, b)

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

    def spread(self, index: Any, block: Any) -> Any:
        """Insert a zero bit into `index` at the place that `block`, a power of two, marks."""
        return self.builder.add(index, self.builder.and_(index, self.builder.neg(block)))
