"""How our figures look: readable in print, in grey and for the colour-blind."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_modules.runs.pictures import or_said

# Okabe and Ito's colours, with a marker and a dash each so that grey print still tells the lines apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
EXACT = "#444444"

_MARGIN, _SAME = 0.05, 1e-6  # of a logarithmic axis: share of its length at either end; no range of values

# Nothing to warn of: such an axis gets ends below, and a legend of nothing is empty.
_OF_NO_DATA = ("Data has no positive values", "No artists with labels found to put in legend")

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
    """Draw into a figure (inches) and write it to `path` at the end.

    Where that fails, what is wrong is said and the work goes on: there is no file then.
    """
    with or_said(path), plt.rc_context(_SETTINGS), warnings.catch_warnings():
        for message in _OF_NO_DATA:
            warnings.filterwarnings("ignore", message=message)
        drawing = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield drawing
            for axes in drawing.axes:
                _give_width(axes)
            # Without the date, the same results give the same file.
            drawing.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        finally:
            plt.close(drawing)


def log_limits(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a logarithmic axis for data from `low` to `high`: never of no width, never without a number.

    Data that are one value, up to rounding, get a factor of two to either side.
    """
    if not (0 < low <= high < math.inf):
        return 0.1, 10.0
    span = math.log(high / low) if high / low < math.inf else 1.0
    factor = math.exp(_MARGIN * span) if span > _SAME else 2.0
    return low / factor or low, high * factor if high * factor < math.inf else high


def _give_width(axes: Axes) -> None:
    """Set the limits of logarithmic axes that were left to matplotlib.

    It takes data for a range that are one value but for the last digit, which is the processor's: limits without a
    width end in a division by zero. Nor does it take data without a positive number.
    """
    for name in "xy":
        if getattr(axes, f"get_{name}scale")() == "log" and getattr(axes, f"get_autoscale{name}_on")():
            shared = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
            low = min(getattr(own.dataLim, f"minpos{name}") for own in shared)
            high = max(max(getattr(own.dataLim, f"interval{name}")) for own in shared)
            getattr(axes, f"set_{name}lim")(*log_limits(float(low), float(high)))
