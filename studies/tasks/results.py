"""What the runs of a study came to, read from their directories: a row per run, a summary per cell, one block per task.

Nothing here knows which runs were carried out when: a report of the same directories is always the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from studies.tasks.grid import Grid, TaskEntry
from studies.tasks.plan import PlannedCell, RefusedCell
from studies.tasks.statistics import Comparison, compare, mean_and_deviation

PARTS = ("embedding", "cell", "head", "total")


@dataclass(frozen=True)
class RunRow:
    """One run: done, failed (with its sentence), or missing. `result` and `env` are its files, empty where not done."""

    planned: PlannedCell
    seed: int
    status: str
    error: str | None
    directory: Path
    result: Mapping[str, Any]
    env: Mapping[str, Any]

    @property
    def value(self) -> float | None:
        """The metric a user looks at first, on the test set."""
        return self.metric(self.planned.metric)

    def metric(self, name: str) -> float | None:
        """A metric on the test set, by its name without "test_"."""
        value = self.result.get("metrics", {}).get(f"test_{name}")
        return None if value is None else float(value)

    def flat(self) -> dict[str, Any]:
        """Everything about the run as one line of a table."""
        planned, result = self.planned, self.result
        return {
            "task": planned.task.name,
            "data": planned.data_kind,
            "cell": planned.cell.name,
            "seed": self.seed,
            "status": self.status,
            "metric": planned.metric,
            "value": self.value,
            **{name: self.metric(name) for name in planned.task.further},
            "width": planned.width,
            **{f"parameters_{part}": planned.counts.get(part) for part in PARTS},
            "parameters_wanted": planned.target,
            "train_seconds": result.get("seconds"),
            "inference_ms_per_sample": result.get("inference_ms_per_sample"),
            "peak_memory_mib": _mib(result.get("peak_memory_bytes")),
            "epochs": result.get("epochs"),
            "steps": result.get("steps"),
            "data_sha256": planned.data_sha256,
            "run": self.directory.name,
            "error": self.error,
        }


@dataclass(frozen=True)
class CellSummary:
    """One cell in one task, over its seeds; `comparison` with the reference is None for the reference itself."""

    planned: PlannedCell
    rows: Sequence[RunRow]
    comparison: Comparison | None

    @property
    def values(self) -> dict[int, float]:
        """The metric by seed, of the runs that are done and came to a number."""
        return _numbers(self.rows)

    def statistics(self, metric: str | None = None) -> tuple[float, float | None] | None:
        """Mean and standard deviation of a metric over the seeds; None where no run is done."""
        name = metric or self.planned.metric
        values = [value for row in self.rows if (value := row.metric(name)) is not None and math.isfinite(value)]
        return mean_and_deviation(values) if values else None

    def mean(self, quantity: str) -> float | None:
        """Mean of a number in result.json over the runs that have it."""
        values = [float(row.result[quantity]) for row in self.rows if row.result.get(quantity) is not None]
        return fmean(values) if values else None


@dataclass(frozen=True)
class TaskResults:
    """Everything about one task, the reference first."""

    task: TaskEntry
    cells: Sequence[CellSummary]
    refused: Sequence[RefusedCell]
    lines: Mapping[str, float]

    @property
    def reference(self) -> CellSummary:
        """The cell that the others are compared with."""
        return self.cells[0]

    @property
    def metric(self) -> str:
        """The metric a user looks at first."""
        return self.reference.planned.metric

    @property
    def rows(self) -> list[RunRow]:
        """All runs, cell by cell."""
        return [row for cell in self.cells for row in cell.rows]


def read_task(grid: Grid, plans: Sequence[PlannedCell | RefusedCell], out: Path) -> TaskResults:
    """Return the results of one task, planned as in `plans`, the reference first."""
    planned = [plan for plan in plans if isinstance(plan, PlannedCell)]
    rows = {plan.cell.name: [_row(plan, seed, out) for seed in grid.seeds] for plan in planned}
    values = {name: _numbers(own) for name, own in rows.items()}

    def summary(plan: PlannedCell) -> CellSummary:
        name = plan.cell.name
        comparison = None
        if name != grid.reference:
            comparison = compare(values[name], values[grid.reference], lower_is_better=plan.lower_is_better)
        return CellSummary(plan, rows[name], comparison)

    task = planned[0].task
    return TaskResults(
        task,
        [summary(plan) for plan in planned],
        [plan for plan in plans if isinstance(plan, RefusedCell)],
        _lines(task, [row for own in rows.values() for row in own]),
    )


def _row(plan: PlannedCell, seed: int, out: Path) -> RunRow:
    run = plan.run(seed)
    error = run.read_error(out)
    done = run.directory.is_done()
    return RunRow(
        planned=plan,
        seed=seed,
        status="done" if done else "failed" if error else "missing",
        error=error,
        directory=run.directory.path,
        result=_json(run.directory.result) if done else {},
        env=_json(run.directory.env) if done else {},
    )


def _lines(task: TaskEntry, rows: Sequence[RunRow]) -> dict[str, float]:
    """Return the reference lines: values as they are, names looked up in the results; absent until one is done."""
    lines: dict[str, float] = {}
    for label, given in task.lines.items():
        if isinstance(given, str):
            found = [float(value) for row in rows if (value := _look_up(row.result, given)) is not None]
            finite = [value for value in found if math.isfinite(value)]
            if finite:
                lines[label] = fmean(finite)
        else:
            lines[label] = float(given)
    return lines


def _numbers(rows: Sequence[RunRow]) -> dict[int, float]:
    """Return the metric by seed where there is one; what is not finite can be compared with nothing."""
    return {row.seed: row.value for row in rows if row.value is not None and math.isfinite(row.value)}


def _look_up(result: Mapping[str, Any], dotted: str) -> Any:
    """Return what a dotted name such as "metrics.test_loss" means in result.json, or None."""
    value: Any = result
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _mib(count: float | None) -> float | None:
    return None if count is None else count / 2**20
