"""Vectors of lanes as values with operators, for code written in LLVM's language.

Why that language: Numba cannot promise LLVM that two arrays do not overlap, so that plain loops over lanes are guarded
by run-time checks that cost more than the work. A vector is `LANES` numbers, one per sample; a complex number is a pair
of vectors, `Complex`.

**Rounding.** A product waits for the sum that it becomes part of, and is added to it with one rounding (fma). A sum
goes from left to right, as it is written: of `a * b + c * d` the first product is rounded, the second added to it. So
`total += a.conj() * b` is four instructions. `(a * b).rounded()` keeps a product from waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partialmethod
from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError

# Samples side by side. Another power of two gives the same results; 8 numbers of single precision fill a register.
LANES = 8
assert LANES in (2, 4, 8, 16, 32), "LANES must be a power of two: squares of so many vectors are transposed by halves"

INDEX = ir.IntType(64)


class Lanes:
    """The vectors of one precision, and the place in the code where their instructions go."""

    def __init__(self, context: Any, builder: Any, element: Any) -> None:
        self._context, self.builder = context, builder
        self.element, self.bits = element, element.bitwidth
        self.type = ir.VectorType(context.get_data_type(element), LANES)

    @property
    def double(self) -> Lanes:
        """The vectors of double precision."""
        return Lanes(self._context, self.builder, types.float64)

    @property
    def zero(self) -> Vector:
        """0 in every lane."""
        return self.splat(0)

    def splat(self, value: float) -> Vector:
        """The same constant in every lane."""
        return Vector(self, ir.Constant(self.type, [float(value)] * LANES))

    def broadcast(self, scalar: Any) -> Vector:
        """The same number in every lane: an `Index`, or a floating-point number of any precision."""
        number = self.type.element
        if isinstance(scalar, Index):
            scalar = self.builder.sitofp(scalar.value, number)
        elif scalar.type != number:
            scalar = (self.builder.fptrunc if self.bits == 32 else self.builder.fpext)(scalar, number)
        first = self.builder.insert_element(ir.Constant(self.type, ir.Undefined), scalar, ir.Constant(INDEX, 0))
        return Vector(self, self.builder.shuffle_vector(first, first, _order([0] * LANES)))

    def call(self, name: str, *values: Any) -> Any:
        """LLVM's function `name` of vectors."""
        name = f"llvm.{name}.v{LANES}f{self.bits}"
        module = self.builder.module
        kind = ir.FunctionType(self.type, [self.type] * len(values))
        return self.builder.call(module.globals.get(name) or ir.Function(module, kind, name), values)

    def require(self, element: Any) -> None:
        """Refuse to compile for an array of other numbers: vectors would be read and written across its end."""
        if self.element != element:
            raise TypingError(f"an array of {self.element} where {element} is read or written")


class Vector:
    """`LANES` numbers; a number in place of the other operand stands for the same one in every lane."""

    def __init__(self, lanes: Lanes, value: Any) -> None:
        self.lanes, self.builder, self._value = lanes, lanes.builder, value

    @property
    def value(self) -> Any:
        """LLVM's vector."""
        return self._value

    def with_value(self, value: Any) -> Vector:
        """Another vector of this precision."""
        return Vector(self.lanes, value)

    def rounded(self) -> Vector:
        """The vector itself, no longer waiting for a sum to become part of."""
        return self.with_value(self.value)

    def __add__(self, other: Vector | float) -> Vector:
        return self._like(other)._added_to(self)

    def __sub__(self, other: Vector | float) -> Vector:
        return self + -self._like(other)

    def __mul__(self, other: Any) -> Any:  # a vector or a number; a complex number has the last word
        if isinstance(other, Complex):
            return NotImplemented
        return _Products(self.lanes, [(self.value, self._like(other).value)])

    def __truediv__(self, other: Vector | float) -> Vector:
        return Vector(self.lanes, self.builder.fdiv(self.value, self._like(other).value))

    def __radd__(self, other: float) -> Vector:
        return self + other

    def __rsub__(self, other: float) -> Vector:
        return -self + other

    def __rmul__(self, other: float) -> Vector:
        return _Products(self.lanes, [(self._like(other).value, self.value)])

    def __rtruediv__(self, other: float) -> Vector:
        return self._like(other) / self

    def __neg__(self) -> Vector:
        return Vector(self.lanes, self.builder.fneg(self.value))

    def __abs__(self) -> Vector:
        return Vector(self.lanes, self.lanes.call("fabs", self.value))

    def sqrt(self) -> Vector:
        """Square root."""
        return Vector(self.lanes, self.lanes.call("sqrt", self.value))

    def to(self, lanes: Lanes) -> Vector:
        """Return it in the precision of `lanes`."""
        if lanes.bits == self.lanes.bits:
            return self.rounded()
        convert = lanes.builder.fptrunc if lanes.bits < self.lanes.bits else lanes.builder.fpext
        return Vector(lanes, convert(self.value, lanes.type))

    def _compared(self, how: str, other: Vector | float) -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered(how, self.value, self._like(other).value))

    __lt__, __le__ = partialmethod(_compared, "<"), partialmethod(_compared, "<=")
    __gt__, __ge__ = partialmethod(_compared, ">"), partialmethod(_compared, ">=")
    equals = partialmethod(_compared, "==")

    def _like(self, other: Vector | float) -> Vector:
        if not isinstance(other, Vector):
            return self.lanes.splat(other)
        other.lanes.require(self.lanes.element)
        return other

    def _added_to(self, total: Vector) -> Vector:
        return Vector(self.lanes, self.builder.fadd(total.value, self.value))


class _Products(Vector):
    """A sum of products that have not been rounded yet."""

    def __init__(self, lanes: Lanes, factors: list[tuple[Any, Any]]) -> None:
        super().__init__(lanes, None)
        self._factors = factors

    @property
    def value(self) -> Any:
        first, *others = self._factors
        start = Vector(self.lanes, self.builder.fmul(*first))
        return _Products(self.lanes, others)._added_to(start).value

    def __add__(self, other: Vector | float) -> Vector:
        if isinstance(other, _Products):
            return _Products(self.lanes, self._factors + other._factors)
        return self._like(other) + self

    def __neg__(self) -> Vector:
        return _Products(self.lanes, [(self.builder.fneg(a), b) for a, b in self._factors])

    def _added_to(self, total: Vector) -> Vector:
        value = total.value
        for a, b in self._factors:
            value = self.lanes.call("fma", a, b, value)
        return Vector(self.lanes, value)


@dataclass(frozen=True)
class Complex:
    """A complex number in every lane; times a `Vector` it is scaled."""

    re: Vector
    im: Vector

    def rounded(self) -> Complex:
        """Round both parts."""
        return Complex(self.re.rounded(), self.im.rounded())

    def conj(self) -> Complex:
        """Complex conjugate."""
        return Complex(self.re, -self.im)

    def __add__(self, other: Complex) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def __sub__(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    def __neg__(self) -> Complex:
        return Complex(-self.re, -self.im)

    def __mul__(self, other: Complex | Vector) -> Complex:
        a = self.rounded()
        if isinstance(other, Vector):
            return Complex(other * a.re, other * a.im)
        b = other.rounded()
        return Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)

    def __rmul__(self, other: Vector) -> Complex:
        return self * other


class Mask:
    """A yes or no for every lane, or one for all of them."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.and_(self.value, other.value))


V = TypeVar("V", Vector, Complex)


def where(mask: Mask, yes: V, no: V) -> V:
    """`yes` where the mask says so, else `no`."""
    if isinstance(yes, Complex):
        return Complex(where(mask, yes.re, no.re), where(mask, yes.im, no.im))
    return Vector(yes.lanes, mask.builder.select(mask.value, yes.value, no.value))


class Index:
    """An integer known when the code runs: a row, an offset, a count."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = ir.Constant(INDEX, value) if isinstance(value, int) else value

    def with_value(self, value: Any) -> Index:
        """Another integer."""
        return Index(self.builder, value)

    def _combined(self, how: str, other: Index | int) -> Index:
        return self.with_value(getattr(self.builder, how)(self.value, self._value(other)))

    __add__ = __radd__ = partialmethod(_combined, "add")
    __mul__ = __rmul__ = partialmethod(_combined, "mul")
    __sub__, __and__ = partialmethod(_combined, "sub"), partialmethod(_combined, "and_")

    def __neg__(self) -> Index:
        return self.with_value(self.builder.neg(self.value))

    def _compared(self, how: str, other: Index | int) -> Mask:
        return Mask(self.builder, self.builder.icmp_signed(how, self.value, self._value(other)))

    __lt__, __gt__ = partialmethod(_compared, "<"), partialmethod(_compared, ">")
    equals = partialmethod(_compared, "==")

    def smaller(self, other: Index) -> Index:
        """The smaller of both."""
        return self.with_value(self.builder.select((self < other).value, self.value, other.value))

    def _value(self, other: Index | int) -> Any:
        return ir.Constant(INDEX, other) if isinstance(other, int) else other.value


def transposed(vectors: list[Vector]) -> list[Vector]:
    """The transpose of a square of `LANES` vectors, by exchanging quarters of ever larger squares."""
    lanes, values, span = vectors[0].lanes, [vector.value for vector in vectors], 1
    while span < LANES:
        low = _order([k if not k & span else LANES + (k ^ span) for k in range(LANES)])
        high = _order([k | span if not k & span else LANES + k for k in range(LANES)])
        for k in range(LANES):
            if not k & span:
                pair = values[k], values[k | span]
                values[k], values[k | span] = (lanes.builder.shuffle_vector(*pair, order) for order in (low, high))
        span *= 2
    return [Vector(lanes, value) for value in values]


def _order(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
