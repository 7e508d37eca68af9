"""What the figures of the studies share: where they go, lines over seeds, axes, legends, tables of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from studies.engine.drawing import Drawn, drawing
from studies.style import EXACT, look

DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Album:
    """The figures of a study: the folder that they are drawn into, how many seeds they show, and those that there are.

    `seeds` in words, such as "3 seeds".
    """

    out: Path
    seeds: str
    drawn: list[Drawn] = field(default_factory=list)

    def figure(
        self, name: str, caption: str, data: pandas.DataFrame, **inches: float
    ) -> AbstractContextManager[Figure]:
        """Draw a figure, with the CSV behind it and its caption (`studies.engine.drawing`)."""
        return drawing(self.drawn, self.out, name, caption, data, **inches)

    @contextmanager
    def axes(
        self, name: str, caption: str, data: pandas.DataFrame, *, title: str, x: str, y: str, **inches: float
    ) -> Iterator[Axes]:
        """Draw a figure of one pair of axes, labelled `x` and `y`, with its legend to the right."""
        with self.figure(name, caption, data, **inches) as canvas:
            axes = canvas.add_subplot()
            yield axes
            axes.set(title=title, xlabel=x, ylabel=y)
            beside(axes)


def style_of(index: int, dashes: Sequence[Any] = DASHES) -> dict[str, Any]:
    """Return colour, marker and dash of the line number `index`."""
    return {**look(index), "linestyle": dashes[index % len(dashes)]}


def beside(axes: Axes) -> None:
    """Put the legend to the right of the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def key(axes: Axes, label: str, form: str, **style: Any) -> None:
    """Add to the legend what a dash or a marker (`form`, of matplotlib) stands for in every colour."""
    axes.plot([], [], form, color=EXACT, label=label, **style)


def whole_numbers(axes: Axes) -> None:
    """Give the horizontal axis ticks at whole numbers only."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def mean_over(rows: pandas.DataFrame, x: str, y: str) -> pandas.DataFrame:
    """Return `mean` and `std` of a column by another; 0 where one value has no spread."""
    return rows.groupby(x)[y].agg(["mean", "std"]).fillna(0.0)


def line_over_seeds(axes: Axes, rows: pandas.DataFrame, x: str, y: str, *, shift: float = 1.0, **style: Any) -> None:
    """Draw mean and standard deviation over the seeds; `shift` is a factor that keeps bars at one place apart."""
    if not rows.empty:
        found = mean_over(rows, x, y)
        axes.errorbar(found.index.to_numpy(float) * shift, found["mean"], found["std"], capsize=3, **style)


def long_table(values: Any, value: str, **axes: Iterable[Any]) -> pandas.DataFrame:
    """Return an array as a table of one row per number, in double precision, with its place along every axis."""
    places = pandas.MultiIndex.from_product(list(axes.values()), names=list(axes))
    return pandas.Series(np.ravel(np.asarray(values, float)), places, name=value).reset_index()
