"""One figure per task: the metric of every seed and its mean, cell by cell. It reads the results and nothing else."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from studies.style import COLOURS, EXACT, figure
from studies.tasks.results import CellSummary, TaskResults

_DASHES = ("--", ":", "-.")


def draw_task(results: TaskResults, path: Path) -> None:
    """Write the figure of one task: a line of points per cell, the reference on top."""
    with figure(path, width=6.4, height=1.3 + 0.33 * len(results.cells)) as drawing:
        axes = drawing.add_subplot()
        for row, cell in enumerate(results.cells):
            _draw_cell(axes, row, cell, cell is results.reference)
        for dash, (label, value) in zip(_DASHES * len(results.lines), results.lines.items(), strict=False):
            axes.axvline(value, color=EXACT, linestyle=dash, linewidth=1.2, label=f"{label}: {value:.4g}")
        # Not from the data: a legend must not depend on which runs are done.
        axes.plot([], [], color=EXACT, linewidth=3, label="mean of the seeds")
        axes.plot([], [], "o", color=EXACT, label=f"one seed of {results.reference.planned.cell.name}")
        axes.plot([], [], "o", color=EXACT, markerfacecolor="none", label="one seed of another cell")
        axes.set_yticks(range(len(results.cells)), [_label(cell) for cell in results.cells])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        direction = "lower" if results.reference.planned.lower_is_better else "higher"
        axes.set_xlabel(f"test {results.metric.replace('_', ' ')} (no unit, {direction} is better)")
        axes.set_title(f"{results.task.name} ({results.reference.planned.data_kind} data): every seed, and the mean")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_cell(axes: Axes, row: int, cell: CellSummary, is_reference: bool) -> None:
    values = list(cell.values.values())
    if not values:
        axes.annotate("no result", (0.5, row), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8)
        return
    # The mean as a bar and the seeds as open or filled circles: told apart in grey print as well.
    colour = COLOURS[0] if is_reference else COLOURS[1]
    mean = sum(values) / len(values)
    axes.plot([mean, mean], [row - 0.32, row + 0.32], color=colour, linewidth=3)
    axes.plot(values, [row] * len(values), "o", color=colour, markerfacecolor=colour if is_reference else "none")


def _label(cell: CellSummary) -> str:
    return f"{cell.planned.cell.name} (n = {len(cell.values)})"
