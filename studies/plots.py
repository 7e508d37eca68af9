"""What the figures of the studies share: lines over seeds, axes of sizes, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from studies.style import EXACT, look

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)))


def style_of(index: int) -> dict[str, Any]:
    """Return colour, marker and dash of the line number `index`."""
    return {**look(index), "linestyle": DASHES[index % len(DASHES)]}


def beside(axes: Axes) -> None:
    """Put the legend to the right of the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def key(axes: Axes, **styles: str) -> None:
    """Add lines to the legend that are nowhere in the figure: what each dash or marker (a format string) stands for."""
    for label, style in styles.items():
        axes.plot([], [], style, color=EXACT, label=label)


def integer_axis(axes: Axes, label: str) -> None:
    """Label the horizontal axis, with ticks at whole numbers only."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def mean_over(rows: pandas.DataFrame, x: str, y: str) -> pandas.DataFrame:
    """Return `mean` and `std` of a column by another; 0 where one value has no spread."""
    return rows.groupby(x)[y].agg(["mean", "std"]).fillna(0.0)


def line_over_seeds(axes: Axes, rows: pandas.DataFrame, x: str, y: str, *, shift: float = 1.0, **style: Any) -> None:
    """Draw mean and standard deviation over the seeds; `shift` is a factor that keeps bars at one place apart."""
    if not rows.empty:
        found = mean_over(rows, x, y)
        axes.errorbar(found.index.to_numpy(float) * shift, found["mean"], found["std"], capsize=3, **style)


def long_table(values: Any, value: str, **axes: Sequence[Any]) -> pandas.DataFrame:
    """Return an array as a table of one row per number, the coordinates along every axis of the array beside it."""
    index = pandas.MultiIndex.from_product(list(axes.values()), names=list(axes))
    return pandas.Series(np.asarray(values).ravel(), index, name=value).reset_index()
