"""Functions that torch.compile leaves as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def eager(function: Callable[P, T]) -> Callable[P, T]:
    """Keep torch.compile from tracing a function and all that it calls: machine code is nothing it could trace.

    The compiled model breaks off here and goes on behind it. `torch.compiler.disable` does it, but imports the
    compiler, which takes seconds; so it is asked for only where something is being compiled.
    """
    disabled = list[Callable[P, T]]()

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if not torch.compiler.is_compiling():
            return function(*args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(function))
        return disabled[0](*args, **kwargs)

    return call
