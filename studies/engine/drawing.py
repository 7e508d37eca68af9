"""Figures of a study: an SVG, the CSV behind it, and a caption; each can be drawn again from its CSV alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas
from matplotlib.figure import Figure

from lightning_modules.runs.run_directory import write_atomically
from studies.style import figure


@dataclass(frozen=True)
class Drawn:
    """A figure: its name, what it shows in words, the SVG and the CSV behind it. No SVG: a table, or not drawn."""

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

    The caption says what is shown, in which units, over how many seeds. A figure that cannot be drawn is a table.
    """
    out.mkdir(parents=True, exist_ok=True)
    svg, csv = out / f"{name}.svg", out / f"{name}.csv"
    write_atomically(csv, data.to_csv(index=False))
    # Several figures share one page, and the same results give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": name}), figure(svg, width, height) as canvas:
        yield canvas
    if not svg.exists():
        caption += " (The figure itself could not be drawn.)"
    drawn.append(Drawn(name, caption, csv, svg if svg.exists() else None))


def tabulated(drawn: list[Drawn], out: Path, name: str, caption: str, data: pandas.DataFrame) -> None:
    """Write `data` as `<name>.csv` into `out`, to be shown as a table, and append it to `drawn`."""
    write_atomically(out / f"{name}.csv", data.to_csv(index=False))
    drawn.append(Drawn(name, caption, out / f"{name}.csv"))


def arrays_of(folder: Path | str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a cell's arrays.npz; what is infinite is no number to draw, and is NaN."""
    with np.load(Path(folder) / "arrays.npz") as content:
        return {name: _finite(content[name]) for name in content}


def _finite(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(np.isinf(array), np.nan, array) if array.dtype.kind == "f" else array


def seeds_in(table: pandas.DataFrame) -> str:
    """Return "3 seeds": how many seeds the rows have that are done. (n stands for qubits.)"""
    count = int(table.loc[table["status"] == "done", "seed"].nunique())
    return f"{count} seed{'' if count == 1 else 's'}"
