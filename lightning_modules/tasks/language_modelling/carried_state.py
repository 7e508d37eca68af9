"""A recurrent state as plain values, for a checkpoint, and back.

A checkpoint is read with `weights_only=True`, so it holds tensors and plain values only, no object of ours. What a
state is made of besides, such as the layout of its sites, is taken from a state of the same cell when it is restored.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

S = TypeVar("S")
_PLAIN = (Tensor, int, float, str, bool, type(None))


def plain(state: Any) -> Any:
    """Return tensors and plain values of a state: a tensor, a data class, or tuples and lists of them."""
    if isinstance(state, _PLAIN):
        return state
    if isinstance(state, tuple | list):
        return [plain(part) for part in state]
    if is_dataclass(state):
        return {field.name: plain(getattr(state, field.name)) for field in fields(state) if field.init}
    return None


def restored(like: S, values: Any) -> S:
    """Return the state that `plain` described, otherwise the same as `like`, a state of the same cell."""
    result: Any = like
    if isinstance(like, Tensor) and isinstance(values, Tensor):
        result = values.to(like.device)
    elif isinstance(like, _PLAIN) or values is None:
        result = values
    elif isinstance(like, tuple | list):
        parts = [restored(part, value) for part, value in zip(like, values, strict=True)]
        result = type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    elif is_dataclass(like) and not isinstance(like, type):
        # A checkpoint older than a field says nothing of it; what `like` has there is another state's.
        defaults = {field.name: field.default for field in fields(like) if field.init and field.default is not MISSING}
        values = {name: restored(getattr(like, name), value) for name, value in values.items()}
        result = replace(like, **(defaults | values))
    return result  # type: ignore[no-any-return]
