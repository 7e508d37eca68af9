"""Memory over time: the state is kept at the ends of segments, and the timesteps inside are computed again.

Autograd keeps what every timestep needs for its backward: of an MPS several times the state, of a statevector about the
state. With segments of S timesteps it keeps the T / S states where a segment begins, and during the backward the
timesteps of one segment. The price is one more forward; the gradient is the same, because the same operations run on
the same numbers, random ones included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils.checkpoint import checkpoint

from backends.base import State
from backends.errors import require_positive_int

T = TypeVar("T")


def require_segment_length(who: str, segment_length: int | None) -> int | None:
    """Return `segment_length` if it is None (keep everything) or an integer of at least 1; otherwise refuse it."""
    return None if segment_length is None else require_positive_int(who, "segment_length", segment_length)


def segments(timesteps: int, segment_length: int | None) -> list[range]:
    """Return the timesteps of every segment; the last one may be shorter. None: one segment."""
    length = segment_length or timesteps
    return [range(start, min(start + length, timesteps)) for start in range(0, timesteps, length)]


def recomputed(work: Callable[..., T], *arguments: Any, when: bool) -> T:
    """Return `work(*arguments)`; with `when`, the backward calls it again instead of keeping what is inside.

    The arguments are kept; autograd refuses the backward where a tensor among them was written to in place since, that
    of a state too. torch's global generators, those of the arguments' devices too, are set back for the second call;
    others must be by `work`.
    """
    if when and torch.is_grad_enabled():
        # A checkpoint watches the tensors that it is given, and none inside of other things.
        watched = [tensor for argument in arguments if isinstance(argument, State) for tensor in argument.tensors]
        result: T = checkpoint(lambda *_: work(*arguments), *arguments, *watched, use_reentrant=False)
        return result
    return work(*arguments)
