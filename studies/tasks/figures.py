"""One figure per task: the metric of every seed, cell by cell. It reads the results and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes

from studies.style import COLOURS, EXACT, figure
from studies.tasks.results import CellSummary, TaskResults

_DASHES = ("--", ":", "-.")
_SPREAD = 0.2  # rows that the dots of a cell are apart, so that equal ones are seen
_CLOSER = 0.6  # share of the whole range from which on a closer look shows no more


def draw_task(results: TaskResults, path: Path) -> None:
    """Write the figure of one task: a row per cell, the reference on top, and a closer look at what is near to it."""
    closer = near_the_reference(results)
    direction = "lower" if results.reference.planned.lower_is_better else "higher"
    panels = 2 if closer else 1
    with figure(path, width=4.4 + 2.6 * panels, height=1.7 + 0.33 * len(results.cells)) as drawing:
        axes_of = drawing.subplots(1, panels, sharey=True, squeeze=False)[0]
        for axes in axes_of:
            for row, cell in enumerate(results.cells):
                _draw_cell(axes, row, cell, cell is results.reference)
            for dash, (label, value) in zip(_DASHES * len(results.lines), results.lines.items(), strict=False):
                axes.axvline(value, color=EXACT, linestyle=dash, linewidth=1.2, label=f"{label}: {value:.4g}")
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"test {results.metric.replace('_', ' ')} ({direction} is better)")
        whole = axes_of[0]
        # Not from the data: a legend must not depend on which runs are done.
        whole.plot([], [], "|-", color=EXACT, markersize=10, label="mean, from lowest to highest seed")
        whole.plot([], [], "o", color=EXACT, label=f"one seed of {results.reference.planned.cell.name}")
        whole.plot([], [], "o", color=EXACT, markerfacecolor="none", label="one seed of another cell")
        whole.set_yticks(range(len(results.cells)), [_label(cell) for cell in results.cells])
        whole.set_ylim(len(results.cells) - 0.5, -0.5)
        if closer:
            whole.set_title("all", fontsize="medium")
            _look_closer(axes_of[1], results, *closer)
        drawing.suptitle(f"{results.task.name} ({results.reference.planned.data_kind} data)")
        drawing.legend(*whole.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")


def near_the_reference(results: TaskResults) -> tuple[float, float] | None:
    """Return a range that holds the reference's seeds and those of the nearer half of the others; None if it is wide.

    On an axis that holds everything, one cell that learned nothing hides what is between the good ones.
    """
    own = list(results.reference.values.values())
    others = [list(cell.values.values()) for cell in results.cells[1:] if cell.values]
    if not own or len(others) < 2:
        return None
    centre = fmean(own)
    nearer = sorted(others, key=lambda values: abs(fmean(values) - centre))[: (len(others) + 1) // 2]
    shown = [value for values in (own, *nearer) for value in values]
    everything = [*own, *(value for values in others for value in values), *results.lines.values()]
    width, whole = max(shown) - min(shown), max(everything) - min(everything)
    if not 0 < width < _CLOSER * whole:
        return None
    return min(shown) - 0.06 * width, max(shown) + 0.06 * width


def _look_closer(axes: Axes, results: TaskResults, low: float, high: float) -> None:
    """Cut an axis to a range, and point to the cells that lie beyond it."""
    axes.set_xlim(low, high)
    axes.set_title(f"near {results.reference.planned.cell.name} (triangle: beyond)", fontsize="medium")
    axes.tick_params(labelleft=False)
    for row, cell in enumerate(results.cells):
        for marker, at, beyond in (("<", 0.0, _all(cell, below=low)), (">", 1.0, _all(cell, above=high))):
            if beyond:
                place = axes.get_yaxis_transform()
                axes.plot([at], [row], marker, color=EXACT, markersize=4, transform=place, clip_on=False)


def _all(cell: CellSummary, *, below: float | None = None, above: float | None = None) -> bool:
    values = list(cell.values.values())
    return bool(values) and all(
        (below is not None and value < below) or (above is not None and value > above) for value in values
    )


def _draw_cell(axes: Axes, row: int, cell: CellSummary, is_reference: bool) -> None:
    values = list(cell.values.values())
    if not values:
        axes.annotate("no result", (0.5, row), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8)
        return
    # Open or filled circles, so that grey print tells them apart as well.
    colour = COLOURS[0] if is_reference else COLOURS[1]
    axes.plot([min(values), max(values)], [row, row], color=colour, linewidth=1)
    axes.plot([fmean(values)], [row], "|", color=colour, markersize=14, markeredgewidth=1.5)
    face = colour if is_reference else "none"
    axes.plot(values, _apart(row, len(values)), "o", color=colour, markerfacecolor=face, markersize=4)


def _apart(row: int, count: int) -> Sequence[float]:
    """Return the heights of the dots of one cell, seed by seed."""
    return [row + _SPREAD * (2 * k / (count - 1) - 1) if count > 1 else row for k in range(count)]


def _label(cell: CellSummary) -> str:
    return f"{cell.planned.cell.name} ({len(cell.values)} seed{'' if len(cell.values) == 1 else 's'})"
