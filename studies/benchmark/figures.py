"""The pictures of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas
from matplotlib.axes import Axes

from studies.plots import beside
from studies.style import figure, look

AXES = {
    "n_qubits": "qubits",
    "n_layers": "layers",
    "batch": "samples",
    "timesteps": "timesteps",
    "max_bond": "bond dimension",
}


def draw(table: pandas.DataFrame, folder: Path) -> list[Path]:
    """Write pictures of time and memory against every size that varies; return the paths of those that were drawn.

    The other sizes are those of the first measurement.
    """
    varied = [axis for axis in AXES if table[axis].nunique() > 1] or ["n_qubits"]
    paths = [path for axis in varied for path in _draw_against(axis, table, folder)]
    return [path for path in paths if path.exists()]


def _draw_against(axis: str, table: pandas.DataFrame, folder: Path) -> list[Path]:
    others = {name: table[name].iloc[0] for name in AXES if name != axis and table[name].notna().any()}
    rows = table[(table[list(others)] == pandas.Series(others)).all(axis=1)]
    quantities = {"time": (rows["step_seconds"], "training step, forward and backward (s)")}
    if rows["max_bond"].notna().all():
        quantities["forward"] = rows["forward_only_seconds"], "forward only (s)"
    if rows["peak_bytes"].notna().all():
        quantities["memory"] = rows["peak_bytes"] / 2**20, "peak of the memory (MiB)"
    else:
        quantities["memory"] = rows["stored_bytes"] / 2**20, "stored for the backward (MiB)"
    paths = []
    for name, (values, label) in quantities.items():
        paths.append(folder / f"{name}_against_{AXES[axis].replace(' ', '_')}.png")
        with figure(paths[-1], width=6.5) as canvas:
            axes = canvas.add_subplot()
            _lines(axes, rows.assign(size=rows[axis], value=values.where(values != 0).astype(float)))
            if name == "time":
                _floor(axes, axis, rows)
            _label(axes, axis, rows, label, others)
    return paths


def _lines(axes: Axes, rows: pandas.DataFrame) -> None:
    for index, (name, own) in enumerate(rows.groupby("simulator", sort=False)):
        points = own.dropna(subset="value")
        if len(points):
            axes.plot(points["size"], points["value"], **look(index), label=str(name))


def _floor(axes: Axes, axis: str, rows: pandas.DataFrame) -> None:
    """What the counted operations of the statevector would take at the speed of a matrix product."""
    own = rows[(rows["simulator"] == rows["simulator"].iloc[0]) & rows["flop_floor_seconds"].notna()]
    if len(own):
        axes.plot(own[axis], own["flop_floor_seconds"], color="0.5", linestyle=":", label="counted operations")


def _label(axes: Axes, axis: str, rows: pandas.DataFrame, label: str, others: Mapping[str, int]) -> None:
    axes.set_yscale("log")
    if axis != "n_qubits":  # sizes that double
        axes.set_xscale("log", base=2)
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel(label)
    axes.set_title(", ".join(_size(name, size) for name, size in others.items()))
    axes.set_xticks(sizes := sorted(rows[axis].unique()), [str(size) for size in sizes])
    axes.minorticks_off()
    beside(axes)


def _size(axis: str, size: int) -> str:
    return f"χ = {size}" if axis == "max_bond" else f"{size} {AXES[axis]}"
