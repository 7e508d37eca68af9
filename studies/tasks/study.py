"""`tnqrnn study tasks`: every task with every cell and seed at equal parameter counts, from plan to report."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from studies.engine.command import Command
from studies.engine.job import Job
from studies.tasks.grid import Grid, as_yaml
from studies.tasks.plan import PlannedCell, PlannedRun, RefusedCell, plan_task
from studies.tasks.report import write_results
from studies.tasks.results import read_task


class Tasks(Command):
    """Every task with every cell."""

    name, version = "tasks", 1
    threads = 1  # however many run at a time: with more, torch would sum in another order
    conf = Path(__file__).parents[1] / "conf" / "tasks.yaml"
    description = (
        "Train every task with every cell and seed at equal parameter counts, and write one table and one figure per "
        "task. What is done already is not done again: the same command given once more goes on where it was stopped, "
        "and tries failed runs again. Exit code 1 if a run failed or is missing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--tasks", nargs="+", metavar="NAME", help="only these tasks of the file")
        parser.add_argument("--cells", nargs="+", metavar="NAME", help="only these cells, and the reference")
        parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread (%(default)s)")

    def plan(self, given: argparse.Namespace) -> Plan:
        return Plan.of(Grid.read(given.conf).select(given.tasks, given.cells, given.seeds), given.out)

    def plan_again(self, content: Mapping[str, Any], out: Path) -> Plan:
        given = self.parser().parse_args(content["argv"])
        grid = Grid.of(yaml.safe_load(content["grid"]), f"{out}/study.json")
        return Plan.of(grid.select(given.tasks, given.cells, given.seeds), out)


@dataclass(frozen=True)
class Plan:
    """A grid, the folder `out`, and by task the plan of every cell, the reference first."""

    grid: Grid
    out: Path
    cells: Mapping[str, Sequence[PlannedCell | RefusedCell]]

    @classmethod
    def of(cls, grid: Grid, out: Path) -> Plan:
        """Return the plan of a grid; refuses a task that cannot be prepared. Writes nothing."""
        cells: dict[str, list[PlannedCell | RefusedCell]] = {name: [] for name in grid.tasks}
        steps = (plan for task in grid.tasks.values() for plan in plan_task(grid, task, out / "runs"))
        total = len(grid.tasks) * len(grid.cells)
        for plan in track(steps, "matching parameters", total, transient=True):
            cells[plan.task.name].append(plan)
        return cls(grid, out, cells)

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs, seed by seed, so that a study that is stopped has whole tables of fewer seeds."""
        planned = [plan for plans in self.cells.values() for plan in plans if isinstance(plan, PlannedCell)]
        return [plan.run(seed) for seed in self.grid.seeds for plan in planned]

    @property
    def what(self) -> str:
        """How many runs there are."""
        return f"{len(self.runs)} runs"

    def show(self, at_a_time: int, console: Console) -> None:
        """Print every cell of every task with its parameters, and what is done of every seed."""
        for name, plans in self.cells.items():
            console.print(_plan_table(name, plans, self.grid, self.out))
        done = sum(run.directory.is_done() for run in self.runs)
        console.print(f"{len(self.runs)} runs, {done} done, {len(self.runs) - done} to do")

    def as_yaml(self) -> str:
        """Return the whole grid; what is selected of it stands on the command line."""
        return as_yaml(self.grid.whole)

    def jobs(self, origin: Mapping[str, Any]) -> list[Job]:
        """Return the runs that have no result; each writes its own origin."""
        return [run.job(self.out) for run in self.runs if not run.directory.is_done()]

    def write(self) -> list[Path]:
        """Write the report of what is done so far and return its files."""
        results = [read_task(self.grid, plans, self.out) for plans in self.cells.values()]
        return write_results(results, self.grid.reference, self.grid.selected_as_yaml(), self.out)

    def unfinished(self) -> str:
        """Say how many runs and cells have no result."""
        runs = sum(not run.directory.is_done() for run in self.runs)
        refused = sum(isinstance(plan, RefusedCell) for plans in self.cells.values() for plan in plans)
        if not runs and not refused:
            return ""
        return (
            f"not everything was done, some is without a result (runs: {runs}, refused cells: {refused}); "
            f"{self.out / 'results.md'} says why, and the same command tries it again."
        )


def _plan_table(name: str, plans: Sequence[PlannedCell | RefusedCell], grid: Grid, out: Path) -> Table:
    table = Table(title=f"{name}: planned runs", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("cell", "width", "embedding", "cell ", "deviation", "head", "seeds", "runs"):
        table.add_column(heading, justify="right" if heading in ("embedding", "cell ", "deviation", "head") else "left")
    for plan in plans:
        if isinstance(plan, RefusedCell):
            table.add_row(plan.cell.name, *[""] * 5, "refused", plan.error)
        else:
            table.add_row(*_plan_cells(plan, grid, out))
    return table


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


STUDY = Tasks()
