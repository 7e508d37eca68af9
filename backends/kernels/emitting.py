"""Operations of the kernels: functions that emit code for all lanes at once, from arguments that have operators.

    @inlined
    def scale_rows(x: Rows, count: Index, factors: Rows) -> None:
        with every(count) as row:
            x[row] = factors[0] * x[row]

`inlined` and `outlined` make a function that emits code into one that compiled functions call. It gets each argument as
what it can work with: an array as `Rows`, an integer as an `Index`, a floating-point number as LLVM has it, and a
NamedTuple as the same NamedTuple of these. An operation returns nothing. Its array arguments must be contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from typing import Any, NamedTuple, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from backends.kernels.vectors import INDEX, LANES, Complex, Index, Lanes, Mask, Vector


class Rows:
    """An array (rows, LANES), or one whose numbers lie in that order: `rows[i]` is a vector."""

    def __init__(self, lanes: Lanes, data: Any) -> None:
        self.lanes, self._data = lanes, data

    def __getitem__(self, row: Index | int) -> Vector:
        loaded = self.lanes.builder.load(self._pointer(row))
        loaded.align = self.lanes.bits // 8  # as the numbers are
        return Vector(self.lanes, loaded)

    def __setitem__(self, row: Index | int, value: Vector) -> None:
        self.lanes.require(value.lanes.element)
        self.lanes.builder.store(value.value, self._pointer(row)).align = self.lanes.bits // 8

    def begin(self, number: Index) -> Rows:
        """The rows counted from any number of the array."""
        return Rows(self.lanes, self._at(number))

    def everywhere(self, number: Index) -> Vector:
        """A single number of the array, in every lane."""
        return self.lanes.broadcast(self.lanes.builder.load(self._at(number)))

    def gather(self, places: Sequence[Index]) -> Vector:
        """The vector of a number for every lane, each from its own place in the array."""
        builder, vector = self.lanes.builder, ir.Constant(self.lanes.type, ir.Undefined)
        for lane, place in enumerate(places):
            vector = builder.insert_element(vector, builder.load(self._at(place)), ir.Constant(INDEX, lane))
        return Vector(self.lanes, vector)

    def scatter(self, places: Sequence[Index], vector: Vector) -> None:
        """Write the number of every lane to a place of its own; in order, where two are the same."""
        builder, value = self.lanes.builder, vector.value
        for lane, place in enumerate(places):
            builder.store(builder.extract_element(value, ir.Constant(INDEX, lane)), self._at(place))

    def _at(self, number: Index) -> Any:
        return self.lanes.builder.gep(self._data, [number.value])

    def _pointer(self, row: Index | int) -> Any:
        builder = self.lanes.builder
        number = Index(builder, row * LANES) if isinstance(row, int) else row * LANES
        return builder.bitcast(self._at(number), self.lanes.type.as_pointer())


class Numbers:
    """Complex numbers from an offset on, real and imaginary part in neighbouring rows: `numbers[i]` is `Complex`."""

    def __init__(self, rows: Rows, offset: Index | int = 0) -> None:
        self.lanes, self._rows, self._offset = rows.lanes, rows, offset

    def __getitem__(self, index: Index | int) -> Complex:
        row = (self._offset + index) * 2
        return Complex(self._rows[row], self._rows[row + 1])

    def __setitem__(self, index: Index | int, value: Complex) -> None:
        row = (self._offset + index) * 2
        self._rows[row], self._rows[row + 1] = value.re, value.im


class Apart:
    """Complex numbers whose real and imaginary parts are rows of two arrays."""

    def __init__(self, re: Rows, im: Rows) -> None:
        self.lanes, self._re, self._im = re.lanes, re, im

    def __getitem__(self, row: Index | int) -> Complex:
        return Complex(self._re[row], self._im[row])

    def __setitem__(self, row: Index | int, value: Complex) -> None:
        self._re[row], self._im[row] = value.re, value.im


class Parts(NamedTuple):
    """Complex numbers as compiled functions hand them on: arrays (rows, LANES) of real and of imaginary parts."""

    re: Any
    im: Any

    @property
    def numbers(self) -> Apart:
        """The numbers as operations read and write them."""
        return Apart(self.re, self.im)


class Slot:
    """A vector, a complex number or an index that a loop changes, kept in registers."""

    def __init__(self, value: Any) -> None:
        self._parts = {"re": Slot(value.re), "im": Slot(value.im)} if isinstance(value, Complex) else {}
        if not self._parts:
            self._like = value
            self._place = cgutils.alloca_once(value.builder, value.value.type)  # type: ignore[no-untyped-call]
            self.set(value)

    def get(self) -> Any:
        """Return the value as it is now."""
        if self._parts:
            return Complex(**{name: part.get() for name, part in self._parts.items()})
        return self._like.with_value(self._like.builder.load(self._place))

    def set(self, value: Any) -> None:
        """Set the value."""
        for name, part in self._parts.items():
            part.set(getattr(value, name))
        if not self._parts:
            self._like.builder.store(value.value, self._place)


class Slots:
    """Several of them: `slots[k]` is the value as it is now."""

    def __init__(self, *values: Any) -> None:
        self._slots = [Slot(value) for value in values]

    def __getitem__(self, k: int) -> Any:
        return self._slots[k].get()

    def __setitem__(self, k: int, value: Any) -> None:
        self._slots[k].set(value)

    def __iter__(self) -> Iterator[Any]:
        return (slot.get() for slot in self._slots)


# Terms that are added up in their own precision: 16 keep a sum right to an ulp or so, and cost 2 % of the time.
RUN = 16


class Sums(Slots):
    """Sums of vectors over many terms: `RUN` of them in the terms' own precision, the runs in double precision.

    A running sum of N terms errs by up to N units in the last place: of 2**n amplitudes, that is like 2**n.
    """

    def __init__(self, lanes: Lanes, count: int) -> None:
        super().__init__(*[lanes.zero] * count)
        self._lanes, self._count = lanes, count
        self._totals = Slots(*[lanes.double.zero] * count)
        self._terms = Slot(Index(lanes.builder, 0))

    def next(self) -> None:
        """Go on to the next term, and end the run if it is long enough."""
        self._terms.set(self._terms.get() + 1)
        ends = (self._terms.get() & (RUN - 1)).equals(0)
        with self._lanes.builder.if_then(ends.value, likely=False):
            self._end_run()

    def add_to(self, rows: Rows, first: Index | int = 0) -> None:
        """Add the sums, after the last term, to the rows first.. of an array in double precision."""
        rows.lanes.require(types.float64)
        self._end_run()
        for k, total in enumerate(self._totals):
            rows[first + k] += total

    def _end_run(self) -> None:
        for k in range(self._count):
            self._totals[k] = self._totals[k] + self[k].to(self._lanes.double)
            self[k] = self._lanes.zero


@contextmanager
def every(count: Index, step: int = 1, first: Index | int = 0) -> Iterator[Index]:
    """Loop over first, first + step, ... below `count`."""
    builder = count.builder
    start = first if isinstance(first, Index) else Index(builder, first)
    with cgutils.for_range_slice(builder, start.value, count.value, ir.Constant(INDEX, step)) as (index, _):
        yield Index(builder, index)


def in_groups(count: Index, size: int, body: Callable[[Index, int], None]) -> None:
    """Call body(index, size) for groups of `size` indices below `count`, then body(index, 1) for what is left over."""
    whole = count & -size
    with every(whole, size) as index:
        body(index, size)
    with every(count, 1, whole) as index:
        body(index, 1)


@contextmanager
def when(condition: Mask) -> Iterator[None]:
    """Carry out only if a comparison of indices holds."""
    with condition.builder.if_then(condition.value):
        yield


_TUPLES: Any = types.BaseTuple
_NAMED: Any = types.BaseNamedTuple

Emit: TypeAlias = Callable[..., None]
Body: TypeAlias = Callable[[Any, Sequence[Any]], None]


def inlined(emit: Emit) -> Any:
    """Make an operation whose code stands wherever it is called."""
    return _operation(emit, lambda builder, name, values, body: body(builder, values))


def outlined(emit: Emit) -> Any:
    """Make an operation that is a function of its own: inlined, a long one would be compiled many times."""
    return _operation(emit, _call)


def _call(builder: Any, name: str, values: Sequence[Any], body: Body) -> None:
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        function = ir.Function(builder.module, kind, name)
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        inside = ir.IRBuilder(function.append_basic_block())
        body(inside, function.args)
        inside.ret_void()
    builder.call(function, values)


def _operation(emit: Emit, place: Callable[[Any, str, Sequence[Any], Body], None]) -> Any:
    """An intrinsic of Numba that emits its code at a place."""

    def typed(typing: Any, *kinds: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            def body(builder: Any, values: Sequence[Any]) -> None:
                rest = iter(values)
                emit(*[_argument(context, builder, kind, rest) for kind in signature.args])

            leaves = [
                leaf
                for kind, value in zip(signature.args, arguments, strict=True)
                for leaf in _leaves(context, builder, kind, value)
            ]
            name = "_".join(["tnqrnn", emit.__name__, *[kind for kind, _ in leaves]])
            place(builder, name, [value for _, value in leaves], body)
            return context.get_dummy_value()

        return types.void(*[types.int64 if isinstance(kind, types.Integer) else kind for kind in kinds]), generate

    parameters = [Parameter("typing", Parameter.POSITIONAL_OR_KEYWORD), *signature(emit).parameters.values()]
    typed.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    typed.__name__, typed.__qualname__, typed.__doc__ = emit.__name__, emit.__qualname__, emit.__doc__
    return intrinsic(typed)


def _leaves(context: Any, builder: Any, kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """What an argument is made of, by name and value: of an array, the pointer to its first number."""
    if isinstance(kind, _TUPLES):
        for k, part in enumerate(kind.types):
            yield from _leaves(context, builder, part, builder.extract_value(value, k))
    elif isinstance(kind, types.Array):
        yield str(kind.dtype), context.make_array(kind)(context, builder, value).data
    else:
        yield str(value.type), value


def _argument(context: Any, builder: Any, kind: Any, values: Iterator[Any]) -> Any:
    """The next of the values as what an operation can work with."""
    if isinstance(kind, _TUPLES):
        parts = [_argument(context, builder, part, values) for part in kind.types]
        return kind.instance_class(*parts) if isinstance(kind, _NAMED) else tuple(parts)
    value = next(values)
    if isinstance(kind, types.Array):
        return Rows(Lanes(context, builder, kind.dtype), value)
    return Index(builder, value) if isinstance(kind, types.Integer) else value
