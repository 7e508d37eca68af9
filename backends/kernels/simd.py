"""Vector instructions for the kernel: what happens to pairs of rows, or to one row, for all lanes at once.

Written in LLVM's language through Numba's `intrinsic`, because Numba cannot promise LLVM that two arrays do not
overlap: the plain loops over lanes are guarded by run-time checks that cost more than the work.
A row is `LANES` numbers, one per sample; a complex number is a pair of vectors (real, imaginary).

Loops over pairs of rows run here too, so that matrices and sums stay in registers. `Pairs` says which rows they visit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

# Samples side by side. Another power of two gives the same results; 8 numbers of single precision fill a register.
LANES = 8
assert LANES in (2, 4, 8, 16, 32), "LANES must be a power of two: squares of so many vectors are transposed by halves"

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

    def transpose(self, vectors: list[Vector]) -> list[Vector]:
        """Transpose a square of `LANES` vectors, by exchanging quarters of ever larger squares."""
        span = 1
        while span < LANES:
            low = [k if not k & span else LANES + (k ^ span) for k in range(LANES)]
            high = [k | span if not k & span else LANES + k for k in range(LANES)]
            for k in range(LANES):
                if not k & span:
                    a, b = vectors[k], vectors[k | span]
                    vectors[k], vectors[k | span] = self._shuffle(a, b, low), self._shuffle(a, b, high)
            span *= 2
        return vectors

    def _shuffle(self, a: Vector, b: Vector, order: list[int]) -> Vector:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
        return self.builder.shuffle_vector(a, b, mask)


# Terms that are added up in their own precision: 16 keep a sum right to an ulp or so, and cost 2 % of the time.
RUN = 16


class Sums:
    """Sums of many vectors: `RUN` terms at a time in registers, in the terms' own precision, the runs in double.

    A running sum of N terms errs by up to N units in the last place: of 2**n amplitudes, that is like 2**n.
    """

    def __init__(self, lanes: Lanes, count: int) -> None:
        self.lanes, self.builder = lanes, lanes.builder
        self._wide = ir.VectorType(ir.DoubleType(), LANES)
        zero = ir.Constant(self._wide, [0.0] * LANES)
        self._run = [_slot(self.builder, lanes.vector, lanes.zero) for _ in range(count)]
        self._total = [_slot(self.builder, self._wide, zero) for _ in range(count)]
        self._terms = _slot(self.builder, _INDEX, ir.Constant(_INDEX, 0))

    def __getitem__(self, k: int) -> Vector:
        """Return the sum of the present run."""
        return self.builder.load(self._run[k])

    def __setitem__(self, k: int, value: Vector) -> None:
        """Set the sum of the present run."""
        self.builder.store(value, self._run[k])

    def next(self) -> None:
        """Go on to the next term, and end the run if it is long enough."""
        terms = self.builder.add(self.builder.load(self._terms), ir.Constant(_INDEX, 1))
        self.builder.store(terms, self._terms)
        ends = self.builder.icmp_signed(
            "==", self.builder.and_(terms, ir.Constant(_INDEX, RUN - 1)), ir.Constant(_INDEX, 0)
        )
        with self.builder.if_then(ends, likely=False):
            self._end_run()

    def totals(self) -> list[Vector]:
        """Return the sums in double precision, after the last term."""
        self._end_run()
        return [self.builder.load(total) for total in self._total]

    def add_to(self, data: Any) -> None:
        """Add the sums to the rows of an array in double precision."""
        for k, total in enumerate(self.totals()):
            row = self.builder.bitcast(self.lanes.row(data, k), self._wide.as_pointer())
            before = self.builder.load(row)
            before.align = 8
            self.builder.store(self.builder.fadd(before, total), row).align = 8

    def _end_run(self) -> None:
        for run, total in zip(self._run, self._total, strict=True):
            value = self.builder.load(run)
            wide = value if self.lanes.bits == 64 else self.builder.fpext(value, self._wide)
            self.builder.store(self.builder.fadd(self.builder.load(total), wide), total)
            self.builder.store(self.lanes.zero, run)


def _require(array: Any, element: Any) -> None:
    """Refuse to compile for an array of other numbers: vectors would be read and written across its end."""
    if array.dtype != element:
        raise TypingError(f"an array of {array.dtype} where {element} is read or written")


def _slot(builder: Any, kind: Any, value: Any) -> Any:
    slot = cgutils.alloca_once(builder, kind)  # type: ignore[no-untyped-call]
    builder.store(value, slot)
    return slot


@contextmanager
def _pairs(lanes: Lanes, count: Any, low: Any, high: Any) -> Iterator[Any]:
    """Visit `count` rows: those whose bits at `low` and at `high` are zero; low < high, high >= rows: none."""
    with cgutils.for_range(lanes.builder, count) as loop:
        yield lanes.spread(lanes.spread(loop.index, low), high)


@intrinsic
def rotate_pairs(typing: Any, re: Any, im: Any, count: Any, low: Any, high: Any, start: Any, other: Any, u: Any) -> Any:
    """(psi_0, psi_1) <- u (psi_0, psi_1) for pairs of rows, `start` and `other` from the visited ones; u (8, LANES)."""
    signature = types.void(re, im, *[types.int64] * 5, u)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(re, args[0]), lanes.data(im, args[1])]
        u00, u01, u10, u11 = lanes.matrix(lanes.data(u, args[7]))
        with _pairs(lanes, *args[2:5]) as row:
            at = [[lanes.row(part, builder.add(row, shift)) for part in data] for shift in args[5:7]]
            a, b = ((lanes.load(pair[0]), lanes.load(pair[1])) for pair in at)
            rotated = (lanes.product(u01, b, lanes.product(u00, a)), lanes.product(u11, b, lanes.product(u10, a)))
            for value, pair in zip(rotated, at, strict=True):
                lanes.store(value[0], pair[0])
                lanes.store(value[1], pair[1])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def unrotate_pairs(
    typing: Any, re: Any, im: Any, lr: Any, li: Any, count: Any, low: Any, high: Any, start: Any, other: Any, u: Any,
    sums: Any,
) -> Any:  # fmt: skip
    """Un-apply u from state and cotangent; add Im(lambda^dagger sigma psi) of X, Y, Z and 1 to sums (4, LANES), double.

    The sums are of the state and the cotangent before they are un-rotated.
    """
    _require(sums, types.float64)
    signature = types.void(re, im, lr, li, *[types.int64] * 5, u, sums)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(kind, array) for kind, array in zip((re, im, lr, li), args, strict=False)]
        u00, u01, u10, u11 = lanes.matrix(lanes.data(u, args[9]))
        total = Sums(lanes, 4)

        def undo(at: list[list[Any]], first: int) -> tuple[Complex, Complex]:
            a, b = ((lanes.load(row[first]), lanes.load(row[first + 1])) for row in at)
            before = (
                lanes.conj_product(u10, b, lanes.conj_product(u00, a)),
                lanes.conj_product(u11, b, lanes.conj_product(u01, a)),
            )
            for value, row in zip(before, at, strict=True):
                lanes.store(value[0], row[first])
                lanes.store(value[1], row[first + 1])
            return a, b

        with _pairs(lanes, *args[4:7]) as row:
            at = [[lanes.row(part, builder.add(row, shift)) for part in data] for shift in args[7:9]]
            a, b = undo(at, 0)
            c, d = undo(at, 2)
            # Im(conj(c) b + conj(d) a);  Im(-i conj(c) b + i conj(d) a);  Im conj(c) a -+ Im conj(d) b
            total[0] = _add_imag(lanes, d, a, _add_imag(lanes, c, b, total[0]))
            total[1] = lanes.fma(d[0], a[0], lanes.fma(d[1], a[1], total[1]))
            total[1] = lanes.fms(c[0], b[0], lanes.fms(c[1], b[1], total[1]))
            total[2] = _add_imag(lanes, c, a, total[2])
            total[3] = _add_imag(lanes, d, b, total[3])
            total.next()
        total.add_to(lanes.data(sums, args[10]))
        return context.get_dummy_value()

    return signature, generate


def _add_imag(lanes: Lanes, a: Complex, b: Complex, plus: Vector) -> Vector:
    """Im conj(a) b + plus."""
    return lanes.fms(a[1], b[0], lanes.fma(a[0], b[1], plus))


@intrinsic
def readout_pairs(typing: Any, re: Any, im: Any, count: Any, low: Any, sums: Any) -> Any:
    """Add conj(psi_0) psi_1 of the pairs of rows that differ in the bit `low` to sums (2, LANES), double."""
    _require(sums, types.float64)
    signature = types.void(re, im, types.int64, types.int64, sums)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(re, args[0]), lanes.data(im, args[1])]
        total = Sums(lanes, 2)
        with cgutils.for_range(builder, args[2]) as loop:
            row = lanes.spread(loop.index, args[3])
            a, b = (tuple(lanes.load(lanes.row(part, at)) for part in data) for at in (row, builder.add(row, args[3])))
            total[0], total[1] = lanes.conj_product(a, b, (total[0], total[1]))
            total.next()
        total.add_to(lanes.data(sums, args[4]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def flip_pairs(typing: Any, re: Any, im: Any, lr: Any, li: Any, count: Any, low: Any, xy: Any) -> Any:
    """lambda += (x X + y Y) psi on the qubit of the bit `low`; xy is (2, LANES). Y |0> = i |1>, Y |1> = -i |0>."""
    _require(xy, re.dtype)
    signature = types.void(re, im, lr, li, types.int64, types.int64, xy)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(kind, array) for kind, array in zip((re, im, lr, li), args, strict=False)]
        weights = lanes.data(xy, args[6])
        weight = (lanes.load(lanes.row(weights, 0)), lanes.load(lanes.row(weights, 1)))
        with cgutils.for_range(builder, args[4]) as loop:
            row = lanes.spread(loop.index, args[5])
            at = [[lanes.row(part, index) for part in data] for index in (row, builder.add(row, args[5]))]
            psi = [(lanes.load(row[0]), lanes.load(row[1])) for row in at]
            cotangent = [(lanes.load(row[2]), lanes.load(row[3])) for row in at]
            # (x - i y) psi_1 goes to row 0, (x + i y) psi_0 to row 1.
            new = (lanes.conj_product(weight, psi[1], cotangent[0]), lanes.product(weight, psi[0], cotangent[1]))
            for value, row in zip(new, at, strict=True):
                lanes.store(value[0], row[2])
                lanes.store(value[1], row[3])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def square_rows(typing: Any, re: Any, im: Any, first: Any, count: Any, weights: Any) -> Any:
    """weights <- |psi|^2 of the `count` rows from `first` on."""
    signature = types.void(re, im, types.int64, types.int64, weights)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(kind, args[k]) for kind, k in ((re, 0), (im, 1), (weights, 4))]
        with cgutils.for_range(builder, args[3]) as loop:
            a, b = (lanes.load(lanes.row(part, builder.add(args[2], loop.index))) for part in data[:2])
            lanes.store(lanes.fma(b, b, lanes.mul(a, a)), lanes.row(data[2], loop.index))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fold_rows(typing: Any, weights: Any, count: Any, difference: Any) -> Any:
    """Replace each two neighbouring rows by their sum, `count` of them; add their differences to (1, LANES), double."""
    _require(difference, types.float64)
    signature = types.void(weights, types.int64, difference)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, weights.dtype)
        data = lanes.data(weights, args[0])
        total = Sums(lanes, 1)
        with cgutils.for_range(builder, args[1]) as loop:
            first = builder.shl(loop.index, ir.Constant(_INDEX, 1))
            a = lanes.load(lanes.row(data, first))
            b = lanes.load(lanes.row(data, builder.add(first, ir.Constant(_INDEX, 1))))
            total[0] = lanes.add(total[0], lanes.sub(a, b))
            lanes.store(lanes.add(a, b), lanes.row(data, loop.index))
            total.next()
        total.add_to(lanes.data(difference, args[2]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_diagonal(typing: Any, re: Any, im: Any, lr: Any, li: Any, i: Any, w1: Any, k1: Any, w2: Any, k2: Any) -> Any:
    """lambda += (w1[k1] + w2[k2]) psi on row i; w1 and w2 are tables of rows."""
    signature = types.void(re, im, lr, li, types.int64, w1, types.int64, w2, types.int64)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, re.dtype)
        data = [lanes.data(kind, array) for kind, array in zip((re, im, lr, li), args, strict=False)]
        tables = (lanes.row(lanes.data(w1, args[5]), args[6]), lanes.row(lanes.data(w2, args[7]), args[8]))
        weight = lanes.add(lanes.load(tables[0]), lanes.load(tables[1]))
        for psi, cotangent in (data[::2], data[1::2]):
            at = lanes.row(cotangent, args[4])
            lanes.store(lanes.fma(weight, lanes.load(lanes.row(psi, args[4])), lanes.load(at)), at)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def copy_row(typing: Any, source: Any, i: Any, target: Any, j: Any) -> Any:
    """target[j] <- source[i]."""
    signature = types.void(source, types.int64, target, types.int64)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        lanes = Lanes(context, builder, source.dtype)
        value = lanes.load(lanes.row(lanes.data(source, args[0]), args[1]))
        lanes.store(value, lanes.row(lanes.data(target, args[2]), args[3]))
        return context.get_dummy_value()

    return signature, generate


def sample_offsets(lanes: Lanes, sample: Any, last: Any, stride: Any) -> list[Any]:
    """Where the numbers of every lane's sample begin; lanes beyond the last sample repeat it."""
    builder, offsets = lanes.builder, []
    for lane in range(LANES):
        number = builder.add(sample, ir.Constant(_INDEX, lane))
        number = builder.select(builder.icmp_signed("<", number, last), number, last)
        offsets.append(builder.mul(number, stride))
    return offsets


def _transposing(name: str, move: Any) -> Any:
    """An intrinsic that moves rows between amplitudes (batch, rows, 2) and a tile, LANES / 2 at a time."""

    def intrinsic_of(
        typing: Any, amplitudes: Any, sample: Any, last: Any, rows: Any, begin: Any, end: Any, re: Any, im: Any
    ) -> Any:
        signature = types.void(amplitudes, *[types.int64] * 5, re, im)

        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            lanes = Lanes(context, builder, re.dtype)
            two, half = ir.Constant(_INDEX, 2), ir.Constant(_INDEX, LANES // 2)
            offsets = sample_offsets(lanes, args[1], args[2], builder.mul(args[3], two))
            batch, parts = lanes.data(amplitudes, args[0]), (lanes.data(re, args[6]), lanes.data(im, args[7]))
            with cgutils.for_range_slice(builder, args[4], args[5], half) as (row, _):
                first = builder.mul(row, two)
                outside = [lanes.at(batch, builder.add(offset, first)) for offset in offsets]
                inside = [lanes.row(parts[k % 2], builder.add(row, ir.Constant(_INDEX, k // 2))) for k in range(LANES)]
                move(lanes, outside, inside)
            return context.get_dummy_value()

        return signature, generate

    intrinsic_of.__name__ = intrinsic_of.__qualname__ = name
    return intrinsic(intrinsic_of)


def _move(lanes: Lanes, sources: list[Any], targets: list[Any]) -> None:
    for value, target in zip(lanes.transpose([lanes.load(source) for source in sources]), targets, strict=True):
        lanes.store(value, target)


# load_rows(amplitudes, sample, last, rows, begin, end, re, im): the rows begin..end - 1 of amplitudes (batch, rows, 2),
# of the samples from `sample` on, into a tile; lanes beyond the sample `last` repeat it. store_rows: the way back. Both
# ends are multiples of LANES / 2.
load_rows = _transposing("load_rows", _move)
store_rows = _transposing("store_rows", lambda lanes, outside, inside: _move(lanes, inside, outside))


def _turning(name: str, turn: Any) -> Any:
    """An intrinsic that multiplies u (8, LANES) from the left by a rotation.

    Its half angle's cosine and sine (times `sign`) are row `slot` of tables (n_angles, LANES).
    """

    def intrinsic_of(typing: Any, u: Any, cosines: Any, sines: Any, slot: Any, sign: Any) -> Any:
        signature = types.void(u, cosines, sines, types.int64, types.int64)

        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            lanes = Lanes(context, builder, u.dtype)
            data, tables = lanes.data(u, args[0]), (lanes.data(cosines, args[1]), lanes.data(sines, args[2]))
            cosine, sine = (lanes.load(lanes.row(table, args[3])) for table in tables)
            positive = builder.icmp_signed(">", args[4], ir.Constant(_INDEX, 0))
            sine = builder.select(positive, sine, lanes.sub(lanes.zero, sine))
            u00, u01, u10, u11 = lanes.matrix(data)
            for column, (top, bottom) in enumerate(((u00, u10), (u01, u11))):
                for row, value in enumerate(turn(lanes, (cosine, sine), top, bottom)):
                    for part in (0, 1):
                        lanes.store(value[part], lanes.row(data, 4 * row + 2 * column + part))
            return context.get_dummy_value()

        return signature, generate

    intrinsic_of.__name__ = intrinsic_of.__qualname__ = name
    return intrinsic(intrinsic_of)


def _turn_x(lanes: Lanes, half: Complex, top: Complex, bottom: Complex) -> tuple[Complex, Complex]:
    def mixed(a: Complex, b: Complex) -> Complex:  # c a - i s b
        return (
            lanes.fma(half[1], b[1], lanes.mul(half[0], a[0])),
            lanes.fms(half[1], b[0], lanes.mul(half[0], a[1])),
        )

    return mixed(top, bottom), mixed(bottom, top)


def _turn_y(lanes: Lanes, half: Complex, top: Complex, bottom: Complex) -> tuple[Complex, Complex]:
    def part(k: int) -> tuple[Vector, Vector]:
        return (
            lanes.fms(half[1], bottom[k], lanes.mul(half[0], top[k])),
            lanes.fma(half[1], top[k], lanes.mul(half[0], bottom[k])),
        )

    (real0, real1), (imag0, imag1) = part(0), part(1)
    return (real0, imag0), (real1, imag1)


def _turn_z(lanes: Lanes, half: Complex, top: Complex, bottom: Complex) -> tuple[Complex, Complex]:
    return lanes.conj_product(half, top), lanes.product(half, bottom)


def _turn_phase(lanes: Lanes, half: Complex, top: Complex, bottom: Complex) -> tuple[Complex, Complex]:
    return top, lanes.product(half, lanes.product(half, bottom))


turn_x = _turning("turn_x", _turn_x)
turn_y = _turning("turn_y", _turn_y)
turn_z = _turning("turn_z", _turn_z)
turn_phase = _turning("turn_phase", _turn_phase)
