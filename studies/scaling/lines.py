"""The lines of the scaling study's figures: one for the statevector, one for every bond dimension."""

from __future__ import annotations

from typing import Any

import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from studies.style import look

_DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)))


def lines_of(data: pandas.DataFrame) -> list[tuple[int | None, pandas.DataFrame]]:
    """Return the statevector's rows (None), then those of every bond dimension, sorted by qubits."""
    exact = data[data["backend"] == "statevector"].sort_values("qubits")
    mps = data[data["backend"] == "mps"].sort_values("qubits")
    lines: list[tuple[int | None, pandas.DataFrame]] = [(None, exact)] if len(exact) else []
    return lines + [(int(bond), part) for bond, part in mps.groupby("max_bond")]


def label_of(bond: int | None) -> str:
    """Return the name of a line."""
    return "statevector" if bond is None else f"MPS, χ = {bond}"


def style_of(index: int) -> dict[str, Any]:
    """Return colour, marker and dash of the line number `index`."""
    return {**look(index), "linestyle": _DASHES[index % len(_DASHES)]}


def qubit_axis(axes: Axes, table: pandas.DataFrame) -> None:
    """Label the axis of qubits by the sizes in the table."""
    sizes = sorted({int(n) for n in table["qubits"]})
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    apart = [n for k, n in enumerate(sizes) if k == 0 or k == len(sizes) - 1 or len(sizes) <= 9 or k % 2 == 0]
    axes.set_xticks(apart, [str(n) for n in apart])
    axes.set_xlabel("qubits n")
