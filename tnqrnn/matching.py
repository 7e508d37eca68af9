"""Counting trained parameters, and finding the width at which a model has as many as another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from backends.errors import InvalidInput, require_number, require_positive_int

TOLERANCE = 0.01


def trained_parameters(module: nn.Module) -> int:
    """Return the number of entries of all parameters that are trained; frozen ones do not count."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@dataclass(frozen=True)
class ParameterMatch:
    """The width found, the number of trained parameters there, and their relative deviation from the target.

    `within` says whether |deviation| is at most the tolerance that was asked for; if not, this is the nearest there is.
    """

    width: int
    count: int
    deviation: float
    within: bool


def match_parameters(
    build: Callable[[int], nn.Module], target: int, *, tolerance: float = TOLERANCE, largest: int = 2**14
) -> ParameterMatch:
    """Find the width whose `build(width)` has the number of trained parameters nearest to `target`.

    `build` returns a cell or a whole task for a width (`hidden_size` or `controller_width`, see `CELLS[name].width`);
    its parameters must not become fewer with the width. Leaves the global random state as it was.
    Raises InvalidInput if the width does not change the number of parameters, or if `largest` is not enough.
    """
    target = require_positive_int("match_parameters", "target", target)
    require_number("match_parameters", "tolerance", tolerance, 0, 1)

    @cache
    def count(width: int) -> int:
        with torch.random.fork_rng(devices=[]):
            return trained_parameters(build(width))

    below, above = _bracket(count, target, largest)
    above = below + bisect_right(range(below, above), target, key=count)  # the first width that has more
    width = min((max(1, above - 1), above), key=lambda candidate: abs(count(candidate) - target))
    within = abs(count(width) - target) <= tolerance * target
    return ParameterMatch(width, count(width), count(width) / target - 1, within)


def _bracket(count: Callable[[int], int], target: int, largest: int) -> tuple[int, int]:
    """Return widths (a, b) with count(a) <= target < count(b), or (1, 1) if already width 1 has as many."""
    if count(1) >= target:
        return 1, 1
    width = 1
    while count(2 * width) <= target:
        if count(2 * width) == count(1):
            raise InvalidInput(
                f"match_parameters: the model has {count(1)} parameters at width 1 and at width {2 * width}, so no "
                f"width gives {target}; vary another setting."
            )
        width *= 2
        if 2 * width > largest:
            raise InvalidInput(
                f"match_parameters: width {width} has {count(width)} parameters, {target} would need more than the "
                f"largest width {largest}; raise `largest` or lower the target."
            )
    return width, 2 * width
