"""What a YAML file of a study may hold: entries that are known, of the kind that is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backends.errors import InvalidInput, nearest


def mapping_of(what: str, value: object) -> dict[str, Any]:
    """Return a mapping by name; nothing counts as empty. `what` it is, and to whom, is named in the refusal."""
    if value is not None and not isinstance(value, Mapping):
        raise InvalidInput(f"{what} must hold values by name, such as 'a: 1', got {value!r}.")
    return dict(value or {})


def require_known(who: str, where: str, names: Iterable[object], known: Iterable[str]) -> None:
    """Refuse names that are not among those known, and suggest the nearest."""
    known = sorted(known)
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"{who}: {where} has an unknown entry {name!r}.{nearest(str(name), known)} It takes: "
                f"{', '.join(known)}."
            )


def require_seeds(who: str, values: object) -> list[int]:
    """Return seeds as distinct integers of at least 0; accepts them as text, as a command line has them."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InvalidInput(f"{who}: seeds must be a list of integers such as [0, 1, 2], got {values!r}.")
    seeds = []
    for value in values:
        number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise InvalidInput(f"{who}: seeds must be integers of at least 0, got {value!r}; write --seeds 0 1 2.")
        seeds.append(number)
    return list(dict.fromkeys(seeds))
