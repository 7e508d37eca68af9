"""Figures of a study: an SVG, the CSV behind it, and a caption; each can be drawn again from its CSV alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pandas
from matplotlib.figure import Figure

from lightning_modules.run_directory import write_atomically
from studies.style import figure


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn: its name, what it shows in words, the SVG and the CSV behind it. No SVG: a table."""

    name: str
    caption: str
    csv: Path
    svg: Path | None = None


@contextmanager
def drawing(
    drawn: list[Drawn], out: Path, name: str, caption: str, data: pandas.DataFrame, *, width: float = 6.0,
    height: float = 3.8,
) -> Iterator[Figure]:  # fmt: skip
    """Draw `<name>.svg` (inches) into `out`, write `data` beside it as `<name>.csv`, and append both to `drawn`.

    The caption says what is shown, in which units, over how many seeds.
    """
    out.mkdir(parents=True, exist_ok=True)
    svg, csv = out / f"{name}.svg", out / f"{name}.csv"
    write_atomically(csv, data.to_csv(index=False))
    # Several figures share one page, and the same results give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": name}), figure(svg, width, height) as canvas:
        yield canvas
    drawn.append(Drawn(name, caption, csv, svg))


def tabulated(drawn: list[Drawn], out: Path, name: str, caption: str, data: pandas.DataFrame) -> None:
    """Write `data` as `<name>.csv` into `out`, to be shown as a table, and append it to `drawn`."""
    write_atomically(out / f"{name}.csv", data.to_csv(index=False))
    drawn.append(Drawn(name, caption, out / f"{name}.csv"))


def seeds_in(table: pandas.DataFrame) -> str:
    """Return "n = 3 seeds": how many seeds the rows have that are done."""
    count = int(table.loc[table["status"] == "done", "seed"].nunique())
    return f"n = {count} seed{'' if count == 1 else 's'}"
