"""From the grid to runs: every cell gets the width at which it is as large as the reference, and its run directories.

Nothing is trained or written here. A cell that a task refuses is kept with the sentence it was refused with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput
from lightning_modules.cli.run_command import PreparedRun, prepare_run, run_command
from lightning_modules.runs.run_directory import RunDirectory
from studies.engine.job import Job
from studies.tasks.grid import CellEntry, Grid, TaskEntry
from studies.tasks.sizes import Sizes, width_of


@dataclass(frozen=True)
class PlannedCell:
    """One cell in one task, for every seed.

    `counts` of trained parameters by part (embedding, cell, head, total); `target`, the count that was wanted of the
    part "cell" (None: not matched). `metric` is what a user looks at first.
    """

    task: TaskEntry
    cell: CellEntry
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    target: int | None
    metric: str
    lower_is_better: bool
    data_kind: str
    data_sha256: str
    first: RunDirectory

    @property
    def width(self) -> str:
        """The setting that was chosen to match, such as "hidden_size 23"; empty where none was."""
        name = width_of(self.settings)
        value = self.settings.get(f"model.{name}")
        return f"{name} {value}" if name and value is not None else ""

    @property
    def deviation(self) -> float | None:
        """Relative deviation of the cell's parameters from those wanted; None if nothing was wanted."""
        return self.counts["cell"] / self.target - 1 if self.target else None

    def run(self, seed: int) -> PlannedRun:
        """Return the run of one seed."""
        return PlannedRun(self, seed, self.first.with_seed(seed))


@dataclass(frozen=True)
class PlannedRun:
    """One training."""

    of: PlannedCell
    seed: int
    directory: RunDirectory

    @property
    def name(self) -> str:
        """What people call it: digits-lstm-seed0."""
        return f"{self.of.task.name}-{self.of.cell.name}-seed{self.seed}"

    @property
    def arguments(self) -> list[str]:
        """The arguments of `tnqrnn fit` that carry it out."""
        return fit_arguments(self.of.task, self.of.settings, self.directory.path.parent, self.seed)

    def job(self, out: Path) -> Job:
        """Return it as work for the engine, with the folder `out` of the study."""
        return Job(
            name=self.name,
            target=train,
            arguments=(self.arguments,),
            claim=out / "claims" / self.directory.path.name,
            result=self.directory.result,
            # The hash in the name ties a failure to the settings that failed.
            failure=out / "failures" / f"{self.of.cell.name}-{self.directory.path.name}.json",
            log=out / "logs" / f"{self.name}.log",
        )

    def read_error(self, out: Path) -> str | None:
        """Return the sentence it failed with, or None if it did not fail."""
        failure = self.job(out).read_failure()
        return failure.error if failure else None


@dataclass(frozen=True)
class RefusedCell:
    """One cell that one task cannot be trained with, and why."""

    task: TaskEntry
    cell: CellEntry
    error: str


def train(arguments: Sequence[str]) -> None:
    """Run `tnqrnn fit`; found done, or resumed, where it was begun before."""
    run_command("fit", arguments)


def fit_arguments(task: TaskEntry, settings: Mapping[str, Any], runs: Path, seed: int) -> list[str]:
    """Return the command line of `tnqrnn fit` for these settings."""
    given = [part for name, value in settings.items() for part in (f"--{name}", as_text(value))]
    return ["--config", task.config, *given, "--runs", str(runs), "--seed", str(seed)]


def plan_task(grid: Grid, task: TaskEntry, runs: Path) -> Iterator[PlannedCell | RefusedCell]:
    """Yield every cell of one task, the reference first; `runs` is the folder of the run directories.

    Raises:
        InvalidInput: The task cannot be prepared with the reference cell, so there is nothing to compare with.
    """
    planner = _Planner(grid, task, runs)
    yield planner.reference
    for cell in grid.cells.values():
        if cell.name != grid.reference:
            yield planner.planned_or_refused(cell)


class _Planner:
    """The cells of one task, given its reference."""

    def __init__(self, grid: Grid, task: TaskEntry, runs: Path) -> None:
        self._grid, self._task, self._runs = grid, task, runs
        cell = grid.cells[grid.reference]
        settings = grid.settings(task, cell)
        template = self._prepare(settings)
        self._sizes = Sizes(template.model, grid.tolerance)
        self._target = task.parameters or self._common_target(template, settings)
        self.reference = self._planned(cell)

    def planned_or_refused(self, cell: CellEntry) -> PlannedCell | RefusedCell:
        try:
            return self._planned(cell)
        except InvalidInput as refusal:
            return RefusedCell(self._task, cell, " ".join(str(refusal).split()))

    def _common_target(self, template: PreparedRun, reference: Mapping[str, Any]) -> int:
        """Return the parameters of the reference at the width that suits the cells of the whole study best."""
        width = width_of(reference)
        if width is None or template.model.hparams[width] is None:
            return template.model.parameter_counts()["cell"]
        # All cells of the study, also those not selected: a selection must not change what the runs are.
        others = [self._grid.settings(self._task, cell) for cell in self._grid.every_cell.values() if cell.match]
        others = [settings for settings in others if width_of(settings) is not None]
        return self._sizes.common_target(reference, others, template.model.hparams[width], self._grid.adjust)

    def _planned(self, cell: CellEntry) -> PlannedCell:
        settings = self._grid.settings(self._task, cell)
        width = width_of(settings) if cell.match else None
        if width is not None:
            settings[f"model.{width}"] = self._sizes.matching_width(settings, self._target)
        run = self._prepare(settings)
        return PlannedCell(
            task=self._task,
            cell=cell,
            settings=settings,
            counts=run.model.parameter_counts(),
            target=self._target if width is not None else None,
            metric=run.task.headline,
            lower_is_better=run.task.lower_is_better,
            data_kind=run.data.data_kind,
            data_sha256=run.data.sha256,
            first=run.directory,
        )

    def _prepare(self, settings: Mapping[str, Any]) -> PreparedRun:
        return prepare_run(fit_arguments(self._task, settings, self._runs, self._grid.seeds[0]))


def as_text(value: Any) -> str:
    """Write a setting as the command line reads it."""
    return value if isinstance(value, str) else json.dumps(value)
