"""The picture of a gradient study, and its table. They read the measured norms and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from studies.gradients.norms import Reach
from studies.style import figure, log_limits, look

# Nobody learns from a gradient that is smaller than this part of another; the table has it all the same.
_LOWEST = 1e-20
_DASHES = ("-", "--", "-.", ":")


def write_csv(reaches: Sequence[Reach], path: Path) -> None:
    """Write one row per model and timestep (from 1): quantiles over the samples of |dL/dh_t|."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "timestep", "samples", "quantile_10", "median", "quantile_90"])
        for reach in reaches:
            for t, values in enumerate(reach.quantiles().T.tolist(), 1):
                writer.writerow([reach.name, t, len(reach.norms), *(f"{value:.6e}" for value in values)])


def draw(reaches: Sequence[Reach], title: str, path: Path) -> None:
    """Draw the norms against the timestep, each model's divided by its median at the last timestep but one."""
    with figure(path, width=6.5) as drawing:
        axes = drawing.add_subplot()
        for number, reach in enumerate(reaches):
            quantiles = reach.quantiles().numpy()
            low, median, high = quantiles / (quantiles[1, -1] or 1.0)
            steps = np.arange(1, median.size + 1)
            style = {**look(number), "linestyle": _DASHES[number % len(_DASHES)]}
            # Shifted by line, so that markers of lines on top of each other stay apart.
            every = (number * steps.size // 40, max(1, steps.size // 8))
            drawn = np.where(median > 0, median, np.nan)
            axes.plot(steps, drawn, label=reach.name, markevery=every, **style)
            axes.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.set_yscale("log")
        low, high = log_limits(axes.dataLim.minposy, axes.dataLim.y1)
        axes.set_ylim(max(low, min(_LOWEST, high / 10)), high)
        axes.set_xlabel("timestep t")
        axes.set_ylabel("|dL/dh(t)|, relative to the last t")
        axes.set_title(title)
        axes.legend()
