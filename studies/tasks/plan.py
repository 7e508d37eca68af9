"""From the grid to runs: every cell gets the width at which it is as large as the reference, and its run directories.

Nothing is trained or written here. A cell that a task refuses is kept with the sentence it was refused with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backends.errors import InvalidInput
from lightning_modules.run_directory import RunDirectory
from lightning_modules.runs import PreparedRun, prepare_run
from studies.tasks.grid import CellEntry, Grid, TaskEntry
from tnqrnn.cells import CELLS
from tnqrnn.matching import match_parameters


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
        name = CELLS[self.cell.cell].width
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


@dataclass(frozen=True)
class RefusedCell:
    """One cell that one task cannot be trained with, and why."""

    task: TaskEntry
    cell: CellEntry
    error: str


def fit_arguments(task: TaskEntry, settings: Mapping[str, Any], runs: Path, seed: int) -> list[str]:
    """Return the command line of `tnqrnn fit` for these settings."""
    given = [part for name, value in settings.items() for part in (f"--{name}", _as_text(value))]
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
        self._template = self._prepare(grid.settings(task, cell))
        self._target = task.parameters or self._template.model.parameter_counts()["cell"]
        self.reference = self._planned(cell) if task.parameters else self._describe(cell, self._template, self._target)

    def planned_or_refused(self, cell: CellEntry) -> PlannedCell | RefusedCell:
        try:
            return self._planned(cell)
        except InvalidInput as refusal:
            return RefusedCell(self._task, cell, " ".join(str(refusal).split()))

    def _planned(self, cell: CellEntry) -> PlannedCell:
        settings = self._grid.settings(self._task, cell)
        width = CELLS[cell.cell].width
        if not cell.match or width is None:
            return self._describe(cell, self._prepare(settings), None, settings)
        settings[f"model.{width}"] = self._matching_width(settings, width)
        return self._describe(cell, self._prepare(settings), self._target, settings)

    def _matching_width(self, settings: Mapping[str, Any], width: str) -> int:
        given = {name.removeprefix("model."): value for name, value in settings.items() if name.startswith("model.")}
        model = type(self._template.model)
        hyper_parameters = {**self._template.model.hparams, **given}

        def build(value: int) -> nn.Module:
            return _Counted(model(**{**hyper_parameters, width: value}).parameter_counts()["cell"])

        return match_parameters(build, self._target, tolerance=self._grid.tolerance).width

    def _prepare(self, settings: Mapping[str, Any]) -> PreparedRun:
        seed = self._grid.seeds[0]
        return prepare_run(fit_arguments(self._task, settings, self._runs, seed))

    def _describe(
        self, cell: CellEntry, run: PreparedRun, target: int | None, settings: Mapping[str, Any] | None = None
    ) -> PlannedCell:
        return PlannedCell(
            task=self._task,
            cell=cell,
            settings=self._grid.settings(self._task, cell) if settings is None else settings,
            counts=run.model.parameter_counts(),
            target=target,
            metric=run.task.headline,
            lower_is_better=run.task.lower_is_better,
            data_kind=run.data.data_kind,
            data_sha256=run.data.sha256,
            first=run.directory,
        )


class _Counted(nn.Module):
    """As many trained parameters as a task counts as its cell: what belongs to the cell is the task's to say."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.parameter = nn.Parameter(torch.empty(count, device="meta"))


def _as_text(value: Any) -> str:
    """Write a setting as the command line reads it."""
    return value if isinstance(value, str) else json.dumps(value)
