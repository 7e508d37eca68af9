"""Complex matrices of all samples of a tile at once: vector instructions for the kernel of the MPS.

A number is a pair of rows (real, imaginary) of `LANES` lanes, one lane per sample, so that a matrix of a few dozen rows
needs no shuffling within a register and every sample takes the same instructions. Matrices lie in arrays (rows, LANES);
offsets and strides count numbers, so that a transpose is a swap of strides. `rows` of real numbers are said to be real.

Written in LLVM's language, as `backends.kernels.simd` explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from backends.kernels.simd import LANES, Complex, Lanes, Vector

INDEX = ir.IntType(64)
INT = types.int64


def constant(value: int) -> Any:
    """Return an integer."""
    return ir.Constant(INDEX, value)


def outlined(signature: Any, generate: Any) -> Any:
    """An intrinsic's code as a function of its own, called from everywhere: inlined, it would be compiled many times.

    Within it an array is the pointer to its first number.
    """

    def call(context: Any, builder: Any, _: Any, args: Any) -> Any:
        values = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        kinds = "_".join(str(kind.dtype if isinstance(kind, types.Array) else kind) for kind in signature.args)
        name = f"tnqrnn_{generate.__qualname__.split('.')[0]}_{kinds}"
        function = builder.module.globals.get(name)
        if function is None:
            parameters = [value.type for value in values]
            function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), parameters), name)
            function.linkage = "linkonce_odr"
            function.attributes.add("noinline")
            body = ir.IRBuilder(function.append_basic_block())
            generate(context, body, signature, function.args)
            body.ret_void()
        builder.call(function, values)
        return context.get_dummy_value()

    return signature, call


class Numbers:
    """An array of complex numbers in lanes, from an offset on."""

    def __init__(self, lanes: Lanes, array_type: Any, array: Any, offset: Any) -> None:
        self.lanes, self.builder = lanes, lanes.builder
        self.data = lanes.data(array_type, array)
        self.offset = offset

    def rows(self, index: Any) -> tuple[Any, Any]:
        """Pointers to real and imaginary part of the number at `index` after the offset."""
        row = self.builder.mul(self.builder.add(self.offset, index), constant(2))
        return self.lanes.row(self.data, row), self.lanes.row(self.data, self.builder.add(row, constant(1)))

    def load(self, index: Any) -> Complex:
        """Load a number."""
        real, imag = self.rows(index)
        return self.lanes.load(real), self.lanes.load(imag)

    def store(self, value: Complex, index: Any) -> None:
        """Store a number."""
        for part, row in zip(value, self.rows(index), strict=True):
            self.lanes.store(part, row)


class Slots:
    """Vectors that a loop changes, kept in registers."""

    def __init__(self, lanes: Lanes, values: list[Vector]) -> None:
        self.lanes = lanes
        self._slots = [cgutils.alloca_once(lanes.builder, lanes.vector) for _ in values]  # type: ignore[no-untyped-call]
        for slot, value in zip(self._slots, values, strict=True):
            lanes.builder.store(value, slot)

    def __getitem__(self, k: int) -> Vector:
        """Return a vector as it is now."""
        return self.lanes.builder.load(self._slots[k])

    def __setitem__(self, k: int, value: Vector) -> None:
        """Set a vector."""
        self.lanes.builder.store(value, self._slots[k])


def splat(lanes: Lanes, value: float) -> Vector:
    """The same number in every lane."""
    return ir.Constant(lanes.vector, [float(value)] * LANES)


def root(lanes: Lanes, value: Vector) -> Vector:
    """Square root."""
    return _unary(lanes, "sqrt", value)


def magnitude(lanes: Lanes, value: Vector) -> Vector:
    """Absolute value."""
    return _unary(lanes, "fabs", value)


def _unary(lanes: Lanes, name: str, value: Vector) -> Vector:
    full = f"llvm.{name}.v{LANES}f{lanes.bits}"
    known = lanes.builder.module.globals.get(full)
    function = known or ir.Function(lanes.builder.module, ir.FunctionType(lanes.vector, [lanes.vector]), full)
    return lanes.builder.call(function, [value])


def broadcast(lanes: Lanes, scalar: Any) -> Vector:
    """A scalar in every lane."""
    undefined = ir.Constant(lanes.vector, ir.Undefined)
    first = lanes.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return lanes.builder.shuffle_vector(first, undefined, mask)


@contextmanager
def every(builder: Any, count: Any, step: int = 1) -> Iterator[Any]:
    """Loop over 0, step, 2 step, ... below `count`."""
    with cgutils.for_range_slice(builder, constant(0), count, constant(step)) as (index, _):
        yield index


def in_steps_of_two(builder: Any, count: Any, body: Callable[[Any, int], None]) -> None:
    """Call body(index, width) for pairs of indices below `count`, and for a single last one."""
    even = builder.and_(count, constant(-2))
    with every(builder, even, 2) as index:
        body(index, 2)
    with builder.if_then(builder.icmp_signed("<", even, count)):
        body(even, 1)
