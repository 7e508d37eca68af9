"""A study of tasks from plan to report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, track
from rich.table import Table

from studies.tasks.execute import Execution, Outcome, TimeLeft
from studies.tasks.failures import read_failure
from studies.tasks.grid import Grid
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
        if not left:
            return
        time_left = TimeLeft(jobs)
        with _progress(console) as progress:
            bar = progress.add_task("runs", total=len(left), left="time left unknown")
            pending = {run.name: run for run in left}
            # Closed at once on an interrupt: nothing may be written any more when the report is.
            with closing(Execution(self.out, jobs).outcomes(left)) as outcomes:
                for outcome in outcomes:
                    del pending[outcome.run.name]
                    time_left.record(outcome)
                    remaining = _duration(time_left.seconds(list(pending.values())))
                    progress.update(bar, advance=1, left=remaining)
                    line = _line(outcome, len(left) - len(pending), len(left), remaining)
                    progress.console.print(line, highlight=False)

    def report(self, command: str) -> list[Path]:
        """Write the report of what is done so far and return its files; `command` is what was asked for."""
        results = [read_task(self.grid, plans, self.out) for plans in self.plans.values()]
        asked = {name: value for name, value in asdict(self.grid).items() if name != "every_cell"}
        settings = yaml.safe_dump(asked, sort_keys=False, default_flow_style=None, width=110)
        return write_report(results, self.grid.reference, command, settings, self.out)

    def _planned(self) -> list[PlannedCell]:
        return [plan for plans in self.plans.values() for plan in plans if isinstance(plan, PlannedCell)]


def _progress(console: Console) -> Progress:
    """A bar on a terminal; in a log file the lines say enough."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _line(outcome: Outcome, number: int, total: int, remaining: str) -> str:
    ended = f"FAILED: {outcome.error}" if outcome.error else "done" if outcome.run.directory.is_done() else "stopped"
    return f"{number}/{total}  {outcome.run.name}  {outcome.seconds:.1f} s  {ended}  ({remaining})"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    return f"{seconds:.0f} s left" if seconds < 120 else f"{seconds / 60:.0f} min left"


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
    return "failed" if read_failure(out, run) else "to do"
