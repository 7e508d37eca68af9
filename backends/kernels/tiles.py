"""The way of numbers between tensors and tiles: samples become lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from backends.kernels.lanes import INT, constant, every, outlined
from backends.kernels.simd import LANES, Lanes, sample_offsets


@intrinsic
def load_numbers(typing: Any, batch: Any, size: Any, width: Any, sample: Any, start: Any, count: Any, x: Any) -> Any:
    """x <- `count` numbers from `start` on, of the samples from `sample` on of (size, width, 2).

    `count` is a multiple of LANES / 2.
    """
    return _moving("load_numbers", batch, x, lambda lanes, outside, inside: _transpose_to(lanes, outside, inside))


@intrinsic
def store_numbers(typing: Any, batch: Any, size: Any, width: Any, sample: Any, start: Any, count: Any, x: Any) -> Any:
    """The way back of `load_numbers`."""
    return _moving("store_numbers", batch, x, lambda lanes, outside, inside: _transpose_to(lanes, inside, outside))


def _transpose_to(lanes: Lanes, sources: list[Any], targets: list[Any]) -> None:
    for value, target in zip(lanes.transpose([lanes.load(source) for source in sources]), targets, strict=True):
        lanes.store(value, target)


def _moving(name: str, batch: Any, x: Any, move: Callable[[Lanes, list[Any], list[Any]], None]) -> Any:
    signature = types.void(batch, INT, INT, INT, INT, INT, x)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> None:
        lanes = Lanes(context, builder, x.dtype)
        data, size, width, sample, start, count, target = args
        offsets = sample_offsets(lanes, sample, builder.sub(size, constant(1)), builder.mul(width, constant(2)))
        with every(builder, count, LANES // 2) as k:
            first = builder.mul(builder.add(start, k), constant(2))
            outside = [lanes.at(data, builder.add(offset, first)) for offset in offsets]
            row = builder.mul(k, constant(2))
            inside = [lanes.row(target, builder.add(row, constant(p))) for p in range(LANES)]
            move(lanes, outside, inside)

    generate.__qualname__ = name
    return outlined(signature, generate)
