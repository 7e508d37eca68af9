"""How our figures look: readable in print, in grey and for the colour-blind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito's colours, with a marker and a dash each so that grey print still tells the lines apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
EXACT = "#444444"

_SETTINGS: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.markersize": 5,
}


def look(index: int) -> dict[str, Any]:
    """Return colour and marker of the line number `index`."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


@contextmanager
def figure(path: Path, width: float = 5.0, height: float = 3.4) -> Iterator[Figure]:
    """Draw into a figure (inches) and write it to `path` at the end."""
    with plt.rc_context(_SETTINGS):
        drawing = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield drawing
            # Without the date, the same results give the same file.
            drawing.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        finally:
            plt.close(drawing)
