"""The figures of the noise study. They read the table and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas
from matplotlib.axes import Axes

from studies.engine.drawing import Drawn, drawing, seeds_in
from studies.engine.job import DONE
from studies.noise.spec import EXACT, single
from studies.style import EXACT as GREY
from studies.style import look

_NAMES = {
    "state_depolarising": "register, at every timestep",
    "depolarising": "qubits, when they are read",
}


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw the metric against shots and against depolarising into `out`; only what is done."""
    drawn: list[Drawn] = []
    done = table[table["status"] == DONE]
    if done.empty:
        return drawn
    data, name, n = _long(done), str(done["metric_name"].iloc[0]), seeds_in(done)
    if data.empty:  # no test gave a number
        return drawn
    if not data[data["kind"] == "shots"].empty:
        draw_shots(drawn, out, data, name, n)
    if not data[data["kind"].isin(list(_NAMES))].empty:
        draw_depolarising(drawn, out, data, name, n)
    return drawn


def draw_shots(drawn: list[Drawn], out: Path, data: pandas.DataFrame, metric: str, n: str) -> None:
    """The metric against the number of measurements of every readout."""
    caption = (
        f"Test {metric} against the number of measurements (shots) of every readout, in evaluation, of weights trained "
        f"on exact readouts and of weights trained with as many shots; mean and standard deviation, {n}. Dashed: exact "
        "readouts in training and evaluation. The noisy readouts are fed back."
    )
    rows = data[data["kind"].isin(["shots", EXACT])]
    with drawing(drawn, out, "shots", caption, rows) as canvas:
        axes = canvas.add_subplot()
        _pair(axes, data[data["kind"] == "shots"], 0, "")
        _baseline(axes, data)
        axes.set_xscale("log")
        axes.set_xlabel("shots per readout")
        axes.set_ylabel(f"test {metric}")
        axes.set_title(f"finite shots ({n})")
        axes.legend()


def draw_depolarising(drawn: list[Drawn], out: Path, data: pandas.DataFrame, metric: str, n: str) -> None:
    """The metric against the strength of depolarising, of the register and of what is read."""
    caption = (
        f"Test {metric} against the probability of depolarising: of the whole register after every timestep, where "
        "after t timesteps (1 - p)^t of the signal is left, and of every qubit just before it is read, where 1 - p is "
        "left at every timestep. Weights trained without noise, and with the same; mean and standard deviation, "
        f"{n}. No shots: the means are exact. Dashed: no noise at all."
    )
    rows = data[data["kind"].isin([*_NAMES, EXACT])]
    with drawing(drawn, out, "depolarising", caption, rows, width=7.0, height=4.4) as canvas:
        axes = canvas.add_subplot()
        for index, (kind, name) in enumerate(_NAMES.items()):
            _pair(axes, data[data["kind"] == kind], 2 * index, f"{name}: ")
        _baseline(axes, data)
        axes.set_xlabel("probability p of depolarising")
        axes.set_ylabel(f"test {metric}")
        axes.set_title(f"depolarising ({n})")
        axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _long(done: pandas.DataFrame) -> pandas.DataFrame:
    """Return one row per training, test and seed: kind and strength of the test's noise, metric and loss."""
    rows = []
    for _, row in done.iterrows():
        for column in done.columns:
            words = column.removeprefix("metric.")
            if words != column and not pandas.isna(row[column]):
                kind, strength = (EXACT, 0.0) if words == EXACT else single(words) or ("several", float("nan"))
                rows.append(
                    {"trained_with": row["trained_with"], "tested_with": words, "kind": kind, "strength": strength,
                     "seed": row["seed"], "metric": row[column], "loss": row[f"loss.{words}"]}
                )  # fmt: skip
    return pandas.DataFrame(rows)


def _pair(axes: Axes, data: pandas.DataFrame, first: int, name: str) -> None:
    """Two lines: trained without noise, and trained with the noise of the test."""
    parts = {
        "trained without noise": data[data["trained_with"] == EXACT],
        "trained with the same": data[data["trained_with"] == data["tested_with"]],
    }
    for number, (label, part) in enumerate(parts.items()):
        if not part.empty:
            found = part.groupby("strength")["metric"].agg(["mean", "std"]).fillna(0.0)
            axes.errorbar(
                found.index, found["mean"], found["std"], **look(first + number), ls=("-", ":")[number], capsize=3,
                label=f"{name}{label}",
            )  # fmt: skip


def _baseline(axes: Axes, data: pandas.DataFrame) -> None:
    exact = data[(data["trained_with"] == EXACT) & (data["tested_with"] == EXACT)]["metric"]
    if not exact.empty:
        axes.axhline(exact.mean(), color=GREY, linestyle="--", linewidth=1, label="no noise at all")
