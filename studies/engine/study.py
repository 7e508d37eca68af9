"""What a study of a grid is to the engine."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import studies
from lightning_modules.runs.pictures import or_said
from studies.engine.command import Command
from studies.engine.execute import WARM, available_cores
from studies.engine.grid import Grid

if TYPE_CHECKING:
    import pandas

    from studies.engine.drawing import Drawn
    from studies.engine.plan import Plan

Settings = Mapping[str, Any]
_ENDING = """What is done is not done again: the same command given once more goes on where it was stopped, and tries
what failed again. Exit code 1 if a cell failed or is missing; cells over budget are results too."""


@dataclass(frozen=True)
class Price:
    """What a cell is expected to cost: seconds of wall-clock time, and bytes of memory."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Study(Command):
    """A question that a grid of cells answers.

    `measure(settings, seed, folder)` returns the values of one cell, in a process of its own; arrays go into `folder`.
    `price(settings)` says what a cell is expected to cost, and refuses what cannot be meant. `figures(table, out)`
    draws what the table has into `out`; cells without a result are among its rows.

    `version` goes up when what is measured changes its meaning: results of another version are not mixed with new
    ones. `normalise` turns a combination of settings into what is really measured (an exact state has no bond
    dimension), or into None where it means nothing; combinations that become equal are one cell. `preload`: modules
    that a process imports before its first cell. `folder` holds `conf/<name>.yaml`, the shipped grid: its names are
    the settings that there are, its values show their types.
    """

    name: str
    question: str
    measure: Callable[[Settings, int, Path], dict[str, Any]]
    price: Callable[[Settings], Price]
    figures: Callable[[pandas.DataFrame, Path], list[Drawn]]
    version: int = 1
    normalise: Callable[[Settings], Settings | None] = dict
    preload: Sequence[str] = WARM
    folder: Path = Path(studies.__path__[0])

    def modules(self) -> Sequence[str]:
        return [*self.preload, self.measure.__module__]

    @property
    def description(self) -> str:
        return f"{self.question[0].upper()}{self.question[1:]}. {_ENDING}"

    @property
    def conf(self) -> Path:
        return self.folder / "conf" / f"{self.name}.yaml"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--jobs", type=int, default=available_cores(), help="cells at a time; they share the cores (%(default)s)"
        )
        parser.add_argument("--limit-seconds", type=float, metavar="S", help="of one cell, instead of the file's")
        parser.add_argument("--limit-memory-gib", type=float, metavar="G", help="of one cell, instead of the file's")
        group = parser.add_argument_group(
            "settings of the grid", "one value, or several for an axis, instead of the file's"
        )
        for name in self._shipped.values:
            group.add_argument(f"--{name.replace('_', '-')}", dest=f"setting {name}", nargs="*", metavar="VALUE")

    def plan(self, given: argparse.Namespace) -> Plan:
        from studies.engine.plan import Plan

        settings = {name: getattr(given, f"setting {name}") for name in self._shipped.values}
        overrides = {name: values for name, values in settings.items() if values is not None}
        grid = Grid.read(f"study {self.name}", given.conf, self.conf).override(overrides, given.seeds)
        grid = grid.limited(seconds=given.limit_seconds, memory_gib=given.limit_memory_gib)
        # On a cluster, the memory of this machine is not what the cells share.
        return Plan.of(self, grid, given.out, 1 if given.executor == "slurm" else given.jobs)

    def plan_again(self, content: Mapping[str, Any], out: Path) -> Plan:
        from studies.engine.plan import Plan

        grid = Grid.from_yaml(f"study {self.name}", content["grid"], f"{out}/study.json", self.conf)
        return Plan.of(self, grid, out, jobs=1)

    def draw(self, table: pandas.DataFrame, out: Path) -> list[Drawn]:
        """Draw the figures; those that cannot be made never cost the table beside them."""
        drawn: list[Drawn] = []
        with or_said(f"the figures of study {self.name}"):
            drawn += self.figures(table.replace([math.inf, -math.inf], math.nan), out)  # infinite: no number to draw
        return drawn

    @cached_property
    def _shipped(self) -> Grid:
        return Grid.read(f"study {self.name}", self.conf, self.conf)
