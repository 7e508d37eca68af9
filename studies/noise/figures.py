"""The figures of the noise study. They read the table and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas
from matplotlib.axes import Axes

from studies.engine.drawing import Drawn, seeds_in
from studies.engine.job import DONE
from studies.noise.spec import EXACT, single
from studies.plots import Album, line_over_seeds
from studies.style import EXACT as GREY
from studies.style import look

_NAMES = {
    "state_depolarising": "register, at every timestep",
    "depolarising": "qubits, when they are read",
}


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw the metric against shots and against depolarising into `out`; only what is done."""
    done = table[table["status"] == DONE]
    data = _long(done)
    album = Album(out, seeds_in(done))
    if not data.empty:  # some test gave a number
        metric = str(done["metric_name"].iloc[0])
        if "shots" in set(data["kind"]):
            draw_shots(album, data, metric)
        if set(data["kind"]) & set(_NAMES):
            draw_depolarising(album, data, metric)
    return album.drawn


def draw_shots(album: Album, data: pandas.DataFrame, metric: str) -> None:
    """The metric against the number of measurements of every readout."""
    caption = (
        f"Test {metric} against the number of measurements (shots) of every readout, in evaluation, of weights trained "
        "on exact readouts and of weights trained with as many shots; mean and standard deviation, "
        f"{album.seeds}. Dashed: exact readouts in training and evaluation. The noisy readouts are fed back."
    )
    with album.figure("shots", caption, data[data["kind"].isin(["shots", EXACT])]) as canvas:
        axes = canvas.add_subplot()
        _pair(axes, data[data["kind"] == "shots"], 0, "")
        _baseline(axes, data)
        axes.set_xscale("log")
        axes.set(xlabel="shots per readout", ylabel=f"test {metric}", title=f"finite shots ({album.seeds})")
        axes.legend()


def draw_depolarising(album: Album, data: pandas.DataFrame, metric: str) -> None:
    """The metric against the strength of depolarising, of the register and of what is read."""
    caption = (
        f"Test {metric} against the probability of depolarising: of the whole register after every timestep, where "
        "after t timesteps (1 - p)^t of the signal is left, and of every qubit just before it is read, where 1 - p is "
        "left at every timestep. Weights trained without noise, and with the same; mean and standard deviation, "
        f"{album.seeds}. No shots: the means are exact. Dashed: no noise at all."
    )
    rows = data[data["kind"].isin([*_NAMES, EXACT])]
    with album.figure("depolarising", caption, rows, width=7.0, height=4.4) as canvas:
        axes = canvas.add_subplot()
        for index, (kind, name) in enumerate(_NAMES.items()):
            _pair(axes, data[data["kind"] == kind], 2 * index, f"{name}: ")
        _baseline(axes, data)
        x, title = "probability p of depolarising", f"depolarising ({album.seeds})"
        axes.set(xlabel=x, ylabel=f"test {metric}", title=title)
        axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _long(done: pandas.DataFrame) -> pandas.DataFrame:
    """Return one row per training, test and seed: kind and strength of the test's noise, metric and loss."""
    parts = []
    for column in [name for name in done.columns if name.startswith("metric.")]:
        words = column.removeprefix("metric.")
        kind, strength = (EXACT, 0.0) if words == EXACT else single(words) or ("several", float("nan"))
        found = pandas.DataFrame({"trained_with": done["trained_with"], "tested_with": words})
        measured = {"seed": done["seed"], "metric": done[column], "loss": done[f"loss.{words}"]}
        parts.append(found.assign(kind=kind, strength=strength, **measured).dropna(subset="metric"))
    return pandas.concat(parts).sort_index(kind="stable") if parts else pandas.DataFrame()


def _pair(axes: Axes, data: pandas.DataFrame, first: int, name: str) -> None:
    """Two lines: trained without noise, and trained with the noise of the test."""
    exact, same = data["trained_with"] == EXACT, data["trained_with"] == data["tested_with"]
    line_over_seeds(
        axes, data[exact], "strength", "metric", **look(first), ls="-", label=f"{name}trained without noise"
    )
    line_over_seeds(
        axes, data[same], "strength", "metric", **look(first + 1), ls=":", label=f"{name}trained with the same"
    )


def _baseline(axes: Axes, data: pandas.DataFrame) -> None:
    exact = data[(data["trained_with"] == EXACT) & (data["tested_with"] == EXACT)]["metric"]
    if not exact.empty:
        axes.axhline(exact.mean(), color=GREY, linestyle="--", linewidth=1, label="no noise at all")
