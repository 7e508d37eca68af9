"""What a study is to the engine, and its cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_modules.runs.pictures import or_said
from lightning_modules.runs.run_directory import RunDirectory
from studies.engine.job import Job, Limits

if TYPE_CHECKING:
    import pandas

    from studies.engine.drawing import Drawn

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Price:
    """What a cell is expected to cost: seconds of wall-clock time, and bytes of memory."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Study:
    """A question that a grid of cells answers.

    `measure(settings, seed, folder)` returns the values of one cell, in a process of its own; arrays go into `folder`.
    `price(settings)` says what a cell is expected to cost, and refuses what cannot be meant. `figures(table, out)`
    draws what the table has into `out`; cells without a result are among its rows.

    `version` goes up when what is measured changes its meaning: results of another version are not mixed with new
    ones. `normalise` turns a combination of settings into what is really measured (an exact state has no bond
    dimension), or into None where it means nothing; combinations that become equal are one cell. `preload`: modules
    that a process imports before its first cell.
    """

    name: str
    question: str
    measure: Callable[[Settings, int, Path], dict[str, Any]]
    price: Callable[[Settings], Price]
    figures: Callable[[pandas.DataFrame, Path], list[Drawn]]
    version: int = 1
    normalise: Callable[[Settings], Settings | None] = dict
    preload: Sequence[str] = ("studies.engine.warm",)
    folder: Path = Path(__file__).parents[1]  # which holds conf/

    @property
    def conf(self) -> Path:
        """The shipped grid. Its names are the settings that there are, its values show their types."""
        return self.folder / "conf" / f"{self.name}.yaml"

    def main(self, argv: Sequence[str]) -> int:
        """Run the study's command and return its exit code: 0 done, 1 some cells failed, 2 refused."""
        from studies.engine.command import run_study

        return run_study(self, argv)

    def write_again(self, out: Path) -> list[Path]:
        """Write the results of what was asked for last in a folder, and return their paths; measures nothing."""
        from studies.engine.results import write_again

        return write_again(self, out)

    def draw(self, table: pandas.DataFrame, out: Path) -> list[Drawn]:
        """Draw the figures; those that cannot be made never cost the table beside them."""
        drawn: list[Drawn] = []
        with or_said(f"the figures of study {self.name}"):
            drawn += self.figures(table.replace([math.inf, -math.inf], math.nan), out)  # infinite: no number to draw
        return drawn


@dataclass(frozen=True)
class Cell:
    """One combination of settings with one seed, its price, and where its files are."""

    study: Study
    settings: Settings
    seed: int
    price: Price
    directory: RunDirectory

    @classmethod
    def of(cls, study: Study, settings: Settings, seed: int, out: Path) -> Cell:
        """Return the cell of a study in the folder `out`; creates nothing."""
        # One level down: at the top, names such as "seed" and "checkpoint" are not part of the hash.
        identity = {"study": study.name, "version": study.version, "settings": dict(settings)}
        directory = RunDirectory.of(out / "cells", study.name, seed, identity)
        return cls(study, settings, seed, study.price(settings), directory)

    def job(self, limits: Limits, origin: Mapping[str, Any]) -> Job:
        """Return the work that measures it; `origin` (versions, commit) is kept with the result."""
        from studies.engine.cell import measure_cell

        path = self.directory.path
        return Job(
            name=path.name,
            target=measure_cell,
            arguments=(self.study.measure, dict(self.settings), self.seed, path, dict(origin)),
            claim=path,
            result=self.directory.result,
            failure=path / "failure.json",
            log=path / "log.txt",
            limits=limits,
            expected_seconds=self.price.seconds,
            expected_bytes=self.price.bytes,
        )
