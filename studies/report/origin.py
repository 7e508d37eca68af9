"""Where the numbers of a report come from: commit, machine, versions, as the results themselves have kept them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def origin_of(envs: Sequence[Mapping[str, Any]], what: str) -> list[tuple[str, str]]:
    """Return facts by name from the `env` of every result; `what` the results are of: cells, runs."""
    names = ("commit", "python", "platform", "device", "threads")
    facts = [(name, told([env.get(name) for env in envs], what)) for name in names]
    return [*facts, ("versions", _versions(envs))]


def told(values: Sequence[Any], what: str) -> str:
    """Return the value; if they differ, every value with the number of those that have it."""
    counts = Counter(json.dumps(value) for value in values)
    texts = {value: str(json.loads(value)) for value in counts}
    if len(counts) <= 1:
        return next(iter(texts.values()), "unknown")
    return "differs: " + "; ".join(f"{texts[value]} ({count} {what})" for value, count in counts.most_common())


def _versions(envs: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, set[str]] = {}
    for env in envs:
        for package, version in env.get("packages", {}).items():
            found.setdefault(package, set()).add(str(version))
    return ", ".join(f"{package} {' / '.join(sorted(versions))}" for package, versions in found.items()) or "unknown"
