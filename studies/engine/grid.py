"""The grid of a study, read from YAML and refused where it cannot be meant.

axes:                          every combination of these values is measured ...
  qubits: [4, 6, 8]
  backend: [statevector, mps]
fixed:                         ... with these settings
  batch: 8
seeds: [0, 1, 2]               ... and each of these seeds
limits:
  seconds: 60                  of one cell; left out: no limit
  memory_gib: 4                of one cell; left out: 80 % of the machine's memory, shared by the cells at work
  cells: 10000                 of the grid: more is refused, because it is seldom meant

A setting may stand under `axes` or under `fixed`; the command line overrides both (`--qubits 4 6`, `--batch 16`). The
study's shipped file shows which settings there are and of which types.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Self

import yaml

from backends.errors import InvalidInput, require_number, require_positive_int
from lightning_modules.cli.command_line import read_config
from studies.engine.entries import mapping_of, require_known, require_seeds

_PARTS = ("axes", "fixed", "seeds", "limits")
_LIMITS = ("seconds", "memory_gib", "cells")
MOST_CELLS = 10_000


@dataclass(frozen=True)
class Grid:
    """Values by setting, seeds, and limits. `who` is named in refusals; `kinds` are the values in the shipped file."""

    who: str
    values: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    seconds: float | None = None
    memory_gib: float | None = None
    most_cells: int = MOST_CELLS
    kinds: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, who: str, path: Path, shipped: Path) -> Self:
        """Return the grid in a YAML file; `shipped` is the study's own, which has every setting.

        Raises:
            InvalidInput: A name is unknown, or a value is not of the expected kind.
        """
        return cls._of(who, _content(who, path), str(path), shipped)

    @classmethod
    def from_yaml(cls, who: str, text: str, where: str, shipped: Path) -> Self:
        """Return the grid that `as_yaml` wrote; `where` it was found is named in refusals."""
        return cls._of(who, yaml.safe_load(text), where, shipped)

    @classmethod
    def _of(cls, who: str, content: Mapping[str, Any], where: str, shipped: Path) -> Self:
        known = _content(who, shipped)
        kinds, given = _settings(who, known, str(shipped)), _settings(who, content, where)
        require_known(who, where, given, kinds)
        seeds = require_seeds(who, content.get("seeds", known.get("seeds")))
        grid = cls(who, {**kinds, **given}, seeds, kinds=kinds)
        return grid.limited(**mapping_of(f"{who}: limits in {where}", content.get("limits")))

    def limited(self, **limits: Any) -> Self:
        """Return the same grid with other limits; refuses unknown and impossible ones."""
        require_known(self.who, "limits", limits, _LIMITS)
        changes: dict[str, Any] = {}
        for name in ("seconds", "memory_gib"):
            if limits.get(name) is not None:
                changes[name] = require_number(self.who, f"limits.{name}", limits[name], 0, math.inf, open_below=True)
        if limits.get("cells") is not None:
            changes["most_cells"] = require_positive_int(self.who, "limits.cells", limits["cells"])
        return replace(self, **changes)

    def override(self, values: Mapping[str, Sequence[str]], seeds: Sequence[str] | None) -> Self:
        """Return the grid with values as a command line has them, as text."""
        read = {name: [_from_text(text) for text in texts] for name, texts in values.items()}
        seeds_read = self.seeds if seeds is None else require_seeds(self.who, [_from_text(text) for text in seeds])
        return replace(self, values={**self.values, **read}, seeds=seeds_read)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield every combination of settings.

        Raises:
            InvalidInput: There are none, or more cells than the limit, or a value is of another kind than in the
                shipped file.
        """
        for name, values in {**self.values, "seeds": self.seeds}.items():
            if not values:
                raise InvalidInput(f"{self.who}: {name} has no values, so there is nothing to measure; give one.")
        cells = math.prod(len(values) for values in self.values.values()) * len(self.seeds)
        if cells > self.most_cells:
            raise InvalidInput(
                f"{self.who}: the grid has {cells:,} cells, and limits.cells is {self.most_cells:,}; give fewer "
                "values, or raise it in the YAML file if they are meant."
            )
        checked = {name: [self._checked(name, value) for value in values] for name, values in self.values.items()}
        for combination in product(*checked.values()):
            yield dict(zip(checked, combination, strict=True))

    def as_yaml(self) -> str:
        """Return the grid as a file that reads back as the same."""
        axes = {name: list(values) for name, values in self.values.items() if len(values) != 1}
        fixed = {name: values[0] for name, values in self.values.items() if len(values) == 1}
        limits = {"seconds": self.seconds, "memory_gib": self.memory_gib, "cells": self.most_cells}
        content = {"axes": axes, "fixed": fixed, "seeds": list(self.seeds), "limits": limits}
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)

    def _checked(self, name: str, value: Any) -> Any:
        """Return the value as the kind of the shipped ones: an integer where a number is wanted becomes one."""
        shipped = self.kinds.get(name, [value])
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{self.who}: {name} must be finite, got {value!r}.")
        if any(type(value) is type(other) for other in shipped):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and any(isinstance(v, float) for v in shipped):
            return float(value)
        if shipped == [None]:  # says nothing of the type
            return value
        raise InvalidInput(
            f"{self.who}: {name} must be like {' or '.join(repr(other) for other in shipped[:3])}, got {value!r}."
        )


def _content(who: str, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidInput(f"{who}: there is no file {path}; leave out --conf for the shipped grid.")
    content = read_config(path)
    require_known(who, str(path), content, _PARTS)
    return content


def _settings(who: str, content: Mapping[str, Any], where: str) -> dict[str, list[Any]]:
    """Return all values by setting, one for those that are fixed."""
    axes, fixed = (mapping_of(f"{who}: {part} in {where}", content.get(part)) for part in ("axes", "fixed"))
    for name, values in axes.items():
        if not isinstance(values, list):
            raise InvalidInput(
                f"{who}: axes.{name} must be a list such as [1, 2], got {values!r}; or put it under fixed."
            )
        if name in fixed:
            raise InvalidInput(f"{who}: {name} stands under axes and under fixed in {where}; leave one out.")
    return {**axes, **{name: [value] for name, value in fixed.items()}}


def _from_text(text: str) -> Any:
    """Read a value from the command line: a number, or else what YAML reads (which takes 1e-3 for text)."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
