"""One exception for every request that cannot be served as asked, and the sentences it carries."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class InvalidInput(ValueError):
    """A request that was refused before any work started.

    The message is one sentence that says who refuses, what came, what was expected and what to do. The command line
    prints it and ends with exit code 2.
    """


class NotEnoughMemory(InvalidInput):
    """A request that was refused because it does not fit the memory that is free."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the choice closest to `name`, or an empty string when none is close."""
    found = get_close_matches(str(name).lower(), {c.lower(): None for c in choices}, n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""


def require_choice(who: str, what: str, value: object, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`; otherwise refuse it and suggest the nearest."""
    choices = list(choices)
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidInput(
        f"{who}: unknown {what} {value!r}.{nearest(str(value), choices)} Choose one of: {', '.join(choices)}."
    )


def as_integer(value: object) -> int | None:
    """Return an integer of any kind (numpy's, a tensor of one, ...) as Python's; None for all else, booleans too."""
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return None


def require_positive_int(who: str, what: str, value: object) -> int:
    """Return `value` as Python's integer if it is an integer of any kind, of at least 1; otherwise refuse it."""
    integer = as_integer(value)
    if integer is not None and integer >= 1:
        return integer
    raise InvalidInput(f"{who}: {what} must be an integer of at least 1, got {value!r}.")


def require_number(
    who: str, what: str, value: object, lowest: float, below: float, *, open_below: bool = False
) -> float:
    """Return `value` as a float if it is a number in [lowest, below), or in (lowest, below) with `open_below`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        inside = lowest < value < below if open_below else lowest <= value < below
        if inside:
            return float(value)
    upper = f"{below:g}" if isfinite(below) else "infinity"
    interval = f"{'(' if open_below else '['}{lowest:g}, {upper})"
    raise InvalidInput(f"{who}: {what} must be a number in {interval}, got {value!r}.")


def require_tensor(who: str, what: str, value: object) -> Tensor:
    """Return `value` if it is a tensor; otherwise refuse it."""
    import torch  # here: a refusal on the command line does not wait for it

    if isinstance(value, torch.Tensor):
        return value
    raise InvalidInput(
        f"{who}: {what} must be a torch.Tensor, got {type(value).__name__}; convert with torch.as_tensor."
    )


def refuse_second_derivatives(who: str) -> None:
    """Refuse a backward that is to be differentiated again: its hand-written rule would answer with a wrong number."""
    import torch

    if torch.is_grad_enabled():  # in a backward, only under create_graph=True
        raise InvalidInput(
            f"{who}: there is no second derivative (create_graph=True) of its backward; use backend='statevector' with "
            "engine='contraction'."
        )
