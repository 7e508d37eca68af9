"""What a grid will cost, before anything starts."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from backends.memory import format_bytes
from studies.engine.job import read_failure
from studies.engine.plan import Plan
from studies.engine.progress import readable
from studies.engine.study import Cell

_SHOWN = 20  # rows at the beginning and at the end of the table


def show(plan: Plan, at_a_time: int, console: Console) -> None:
    """Print the cells with their expected time and memory, abbreviated, and the sums."""
    table = Table(title=f"study {plan.study.name}: the grid", box=SIMPLE_HEAD, pad_edge=False)
    names = [name for name, values in plan.grid.values.items() if len(values) > 1]
    for heading in (*names, "seed"):
        table.add_column(heading, justify="right")
    for heading in ("expected", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    left_out = len(plan.cells) - 2 * _SHOWN
    for number, cell in enumerate(plan.cells):
        if number == _SHOWN and left_out > 1:
            table.add_row(f"... {left_out} more ...")
        if number < _SHOWN or number >= _SHOWN + max(0, left_out) or left_out == 1:
            table.add_row(*(_text(cell.settings.get(name)) for name in names), *_cost(plan, cell))
    console.print(table)
    to_do = [cell for cell in plan.cells if not cell.directory.result.exists() and plan.over_budget(cell) is None]
    done = sum(cell.directory.result.exists() for cell in plan.cells)
    seconds = sum(cell.price.seconds for cell in to_do)
    largest = max((cell.price.bytes for cell in to_do), default=0)
    console.print(
        f"{len(plan.cells)} cells: {done} done, {len(to_do)} to do, {len(plan.cells) - done - len(to_do)} over budget "
        f"before they start. Expected: {seconds / 60:.1f} core minutes, {seconds / 60 / at_a_time:.1f} minutes with "
        f"{at_a_time} at a time; at most {format_bytes(largest)} for a cell, {format_bytes(largest * at_a_time)} "
        "together.",
        highlight=False,
    )


def _text(value: object) -> str:
    return "–" if value is None else str(value)


def _cost(plan: Plan, cell: Cell) -> list[str]:
    return [str(cell.seed), readable(cell.price.seconds), format_bytes(cell.price.bytes), _state(plan, cell)]


def _state(plan: Plan, cell: Cell) -> str:
    if cell.directory.result.exists():
        return "done"
    if plan.over_budget(cell):
        return "over budget"
    failure = read_failure(cell.directory.path / "failure.json")
    return failure.status.replace("_", " ") if failure else "to do"
