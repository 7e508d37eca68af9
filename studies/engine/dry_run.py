"""What a grid will cost, before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from backends.memory import format_bytes
from studies.engine.job import read_failure
from studies.engine.progress import readable

if TYPE_CHECKING:
    from studies.engine.plan import Cell, Plan

_SHOWN = 20  # rows at the beginning and at the end of the table


def show(plan: Plan, at_a_time: int, console: Console) -> None:
    """Print the cells with their expected time and memory, abbreviated, and the sums."""
    table = Table(title=f"study {plan.study.name}: the grid", box=SIMPLE_HEAD, pad_edge=False)
    names = [name for name, values in plan.grid.values.items() if len(values) > 1]
    for heading in (*names, "seed", "expected", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    rows = [_row(plan, cell, names) for cell in plan.cells]
    if len(rows) > 2 * _SHOWN + 1:
        rows[_SHOWN:-_SHOWN] = [[f"... {len(rows) - 2 * _SHOWN} more ..."]]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(_sums(plan, at_a_time), highlight=False)


def _sums(plan: Plan, at_a_time: int) -> str:
    to_do = [cell for cell in plan.cells if not cell.directory.result.exists() and plan.over_budget(cell) is None]
    done = sum(cell.directory.result.exists() for cell in plan.cells)
    minutes = sum(cell.price.seconds for cell in to_do) / 60
    largest = max((cell.price.bytes for cell in to_do), default=0)
    return (
        f"{len(plan.cells)} cells: {done} done, {len(to_do)} to do, {len(plan.cells) - done - len(to_do)} over budget "
        f"before they start. Expected: {minutes:.1f} core minutes, {minutes / at_a_time:.1f} minutes with "
        f"{at_a_time} at a time; at most {format_bytes(largest)} for a cell, {format_bytes(largest * at_a_time)} "
        "together."
    )


def _row(plan: Plan, cell: Cell, names: list[str]) -> list[str]:
    values = [cell.settings.get(name) for name in names]
    shown = ["–" if value is None else str(value) for value in values]
    return [
        *shown, str(cell.seed), readable(cell.price.seconds), format_bytes(cell.price.bytes), _state(plan, cell)
    ]  # fmt: skip


def _state(plan: Plan, cell: Cell) -> str:
    if cell.directory.result.exists():
        return "done"
    if plan.over_budget(cell):
        return "over budget"
    failure = read_failure(cell.directory.path / "failure.json")
    return failure.status.replace("_", " ") if failure else "to do"
