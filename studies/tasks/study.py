"""A study of tasks from plan to report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from studies.engine.execute import Execution
from studies.engine.progress import follow
from studies.report.pages import write_report as write_page
from studies.tasks.grid import Grid
from studies.tasks.page import page_of
from studies.tasks.plan import PlannedCell, PlannedRun, RefusedCell, plan_task
from studies.tasks.report import write_report
from studies.tasks.results import read_task


@dataclass(frozen=True)
class StudyOfTasks:
    """A grid, the folder `out`, and by task the plan of every cell, the reference first."""

    grid: Grid
    out: Path
    plans: dict[str, list[PlannedCell | RefusedCell]]

    @classmethod
    def planned(cls, grid: Grid, out: Path, console: Console) -> Self:
        """Return the study of a grid; refuses a task that cannot be prepared. Writes nothing."""
        plans: dict[str, list[PlannedCell | RefusedCell]] = {name: [] for name in grid.tasks}
        steps = (plan for task in grid.tasks.values() for plan in plan_task(grid, task, out / "runs"))
        total = len(grid.tasks) * len(grid.cells)
        for plan in track(steps, "matching parameters", total, console=console, transient=True):
            plans[plan.task.name].append(plan)
        return cls(grid, out, plans)

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs, seed by seed, so that a study that is stopped has whole tables of fewer seeds."""
        return [plan.run(seed) for seed in self.grid.seeds for plan in self._planned()]

    def unfinished(self) -> str:
        """Say how many runs and cells have no result; empty if all have."""
        runs = sum(not run.directory.is_done() for run in self.runs)
        refused = sum(isinstance(plan, RefusedCell) for plans in self.plans.values() for plan in plans)
        return f"runs: {runs}, refused cells: {refused}" if runs or refused else ""

    def show(self, console: Console) -> None:
        """Print every cell of every task with its parameters, and what is done of every seed."""
        for name, plans in self.plans.items():
            console.print(_plan_table(name, plans, self.grid, self.out))
        done = sum(run.directory.is_done() for run in self.runs)
        console.print(f"{len(self.runs)} runs, {done} done, {len(self.runs) - done} to do")

    def carry_out(self, jobs: int, console: Console) -> None:
        """Carry out the runs that have no result, `jobs` at a time, and say how it goes."""
        left = [run for run in self.runs if not run.directory.is_done()]
        console.print(f"{len(self.runs)} runs, {len(self.runs) - len(left)} done already, {jobs} at a time")
        # One thread each, however many run at a time: with more, torch would sum in another order.
        execution = Execution(self.out / "workers", jobs, threads=1)
        follow(execution, [run.job(self.out) for run in left], console)

    def report(self, command: str) -> list[Path]:
        """Write the report of what is done so far and return its files; `command` is what was asked for."""
        results = [read_task(self.grid, plans, self.out) for plans in self.plans.values()]
        asked = {name: value for name, value in asdict(self.grid).items() if name != "every_cell"}
        settings = yaml.safe_dump(asked, sort_keys=False, default_flow_style=None, width=110)
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        written = write_report(results, self.grid.reference, command, now, settings, self.out)
        return [
            *written,
            *write_page(page_of(results, self.grid.reference, command, now, settings, self.out), self.out),
        ]

    def _planned(self) -> list[PlannedCell]:
        return [plan for plans in self.plans.values() for plan in plans if isinstance(plan, PlannedCell)]


def _plan_table(name: str, plans: Sequence[PlannedCell | RefusedCell], grid: Grid, out: Path) -> Table:
    table = Table(title=f"{name}: planned runs", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("cell", "width", "embedding", "cell ", "deviation", "head", "seeds", "runs"):
        table.add_column(heading, justify="right" if heading in ("embedding", "cell ", "deviation", "head") else "left")
    for plan in plans:
        table.add_row(*(_refused_cells(plan) if isinstance(plan, RefusedCell) else _plan_cells(plan, grid, out)))
    return table


def _refused_cells(plan: RefusedCell) -> list[str]:
    return [plan.cell.name, "", "", "", "", "", "refused", plan.error]


def _plan_cells(plan: PlannedCell, grid: Grid, out: Path) -> list[str]:
    deviation = plan.deviation
    outside = deviation is not None and abs(deviation) > grid.tolerance
    return [
        plan.cell.name,
        plan.width,
        str(plan.counts.get("embedding", 0)),
        str(plan.counts["cell"]),
        "not matched" if deviation is None else f"{100 * deviation:+.2f} %{' !' if outside else ''}",
        str(plan.counts["head"]),
        ", ".join(f"{seed} {_state(plan.run(seed), out)}" for seed in grid.seeds),
        plan.first.path.name.removesuffix(f"-seed{grid.seeds[0]}"),
    ]


def _state(run: PlannedRun, out: Path) -> str:
    if run.directory.is_done():
        return "done"
    return "failed" if run.read_error(out) else "to do"
