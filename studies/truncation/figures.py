"""The figures of the truncation study. They read the table and the cells' arrays, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from studies.compare.figures import ROUNDING, bond_axis, error_axis
from studies.engine.drawing import Drawn, arrays_of, seeds_in
from studies.engine.job import DONE
from studies.plots import DASHES, Album, key, line_over_seeds, long_table, style_of, whole_numbers
from studies.style import EXACT, look
from studies.truncation.measure import MEASURES

Arrays = Mapping[str, np.ndarray[Any, Any]]
BySeed = Mapping[int, Arrays]  # arrays.npz of the weights that were trained exactly
_BOND = "bond dimension χ"


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw metric, convergence, loops, estimates and ranks into `out`; only what is done."""
    done = table[table["status"] == DONE]
    if done.empty:
        return []
    album, metric = Album(out, seeds_in(done)), str(done["metric_name"].iloc[0])
    draw_metric(album, done, metric)
    exact = done[done["trained_with"].isna()]
    if not exact.empty:
        arrays = {row.seed: arrays_of(row.folder) for row in exact.itertuples()}
        of_exact = Album(out, seeds_in(exact), album.drawn)
        draw_convergence(of_exact, arrays, metric)
        draw_loops(of_exact, arrays)
        draw_estimates(of_exact, arrays)
        draw_ranks(of_exact, arrays)
    return album.drawn


def draw_metric(album: Album, done: pandas.DataFrame, metric: str) -> None:
    """The metric against the bond dimension, for weights trained exactly and trained as they are evaluated."""
    data = pandas.concat([_metrics(row) for _, row in done.iterrows()])
    caption = (
        f"Test {metric} against the bond dimension χ at which the weights are evaluated; mean and standard deviation, "
        f"{album.seeds}. The dashed line is the exact state with the weights trained exactly."
    )
    trained_exactly, tested_exactly = data["trained_with"].isna(), data["tested_with"].isna()
    lines = {
        "trained exactly": (trained_exactly & ~tested_exactly, "tested_with"),
        "trained at χ, evaluated at χ": (data["trained_with"] == data["tested_with"], "tested_with"),
        "trained at χ, evaluated exactly": (~trained_exactly & tested_exactly, "trained_with"),
    }
    title = f"truncation in training and in use ({album.seeds})"
    with album.axes("metric", caption, data, title=title, x=_BOND, y=f"test {metric}", width=7.5) as axes:
        for index, (label, (chosen, against)) in enumerate(lines.items()):
            # Shifted a little, so that bars at the same χ stay apart.
            style = {**look(index), "linestyle": ("-", "--", ":")[index], "shift": 1 + 0.04 * (index - 1)}
            line_over_seeds(axes, data[chosen], against, "metric", label=label, **style)
        baseline = data[trained_exactly & tested_exactly]["metric"]
        if not baseline.empty:
            axes.axhline(baseline.mean(), color=EXACT, linestyle=(0, (6, 3)), linewidth=1)
        bond_axis(axes, sorted({int(bond) for bond in data["tested_with"].dropna()}))


def draw_convergence(album: Album, arrays: BySeed, metric: str) -> None:
    """Distance from the exact readouts, loss and metric against the bond dimension."""

    def of_seed(cell: Arrays) -> pandas.DataFrame:
        distances = {
            "readouts fed back (rms)": np.sqrt(np.square(cell["readout_closed"]).mean(1)),
            "readouts, exact run's angles (rms)": np.sqrt(np.square(cell["readout_open"]).mean(1)),
            "test loss (nats)": abs(cell["loss"] - cell["exact"][1]),
            f"test {metric}": abs(cell["metric"] - cell["exact"][0]),
        }
        return long_table(np.stack(list(distances.values()), 1), "distance", max_bond=cell["bonds"], of=list(distances))

    data = _by_seed(arrays, of_seed)
    caption = (
        f"Distance from the exact state against the bond dimension χ, of weights trained exactly; mean, {album.seeds}. "
        "Zeros and what is below single precision are drawn at its level."
    )
    title, y = f"convergence in χ ({album.seeds})", "distance from the exact value"
    with album.axes("convergence", caption, data, title=title, x=_BOND, y=y, width=7.5) as axes:
        for index, (of, part) in enumerate(data.groupby("of", sort=False)):
            mean = part.groupby("max_bond")["distance"].mean().clip(lower=ROUNDING)
            axes.plot(mean.index, mean, **style_of(index), label=str(of))
        bond_axis(axes, sorted(data["max_bond"].unique()))
        error_axis(axes)


def draw_loops(album: Album, arrays: BySeed) -> None:
    """The readout error over time, readouts fed back beside the exact run's angles."""

    def of_seed(cell: Arrays) -> pandas.DataFrame:
        errors = np.stack([cell["readout_closed"], cell["readout_open"]], 1)
        steps = range(1, errors.shape[2] + 1)
        return long_table(errors, "readout_rms", max_bond=cell["bonds"], loop=("closed", "open"), timestep=steps)

    data = _by_seed(arrays, of_seed)
    caption = (
        "Root mean square of z - z_exact against the timestep, of weights trained exactly; rms over the seeds, "
        f"{album.seeds}. Solid: the truncated readouts go back into the controller. Dotted: the exact run's angles, so "
        "that every difference is truncation. Above the dotted line, feedback amplifies errors; below, it corrects "
        "them."
    )
    title, y = f"open and closed loop ({album.seeds})", "rms readout error  |z − z_exact|"
    with album.axes("loops", caption, data, title=title, x="timestep", y=y, width=6.5) as axes:
        for index, (bond, part) in enumerate(data.groupby("max_bond")):
            for loop, dashes, face in (("closed", "-", look(index)["color"]), ("open", ":", "none")):
                of_loop = part[part["loop"] == loop].groupby("timestep")["readout_rms"]
                rms = np.sqrt(of_loop.apply(lambda v: np.square(v).mean())).clip(lower=ROUNDING)
                label = f"χ = {bond}" if loop == "closed" else None
                axes.plot(rms.index, rms, **look(index), ls=dashes, markerfacecolor=face, label=label)
        key(axes, "readouts fed back", "-")
        key(axes, "exact run's angles", ":")
        whole_numbers(axes)
        error_axis(axes)


def draw_estimates(album: Album, arrays: BySeed) -> None:
    """What the ledger says against the true infidelity, one point per sequence."""

    def of_seed(cell: Arrays) -> pandas.DataFrame:
        infidelity, error, bound = cell["final"].astype(float).swapaxes(0, 1)
        samples = range(infidelity.shape[1])
        found = long_table(infidelity, "infidelity", max_bond=cell["bonds"], sample=samples)
        return found.assign(truncation_error=error.ravel(), infidelity_bound=bound.ravel())

    data = _by_seed(arrays, of_seed)
    caption = (
        "What the state reports against the true infidelity with the exact state after the last timestep, one point "
        f"per sequence ({len(data)} of {album.seeds}), exact run's angles. On the line, the report is the truth. The "
        "bound holds for every point up to rounding; the truncation error estimates, and may fall on either side."
    )
    shown = data[(data["infidelity"] > 10 * ROUNDING) & (data["truncation_error"] > 10 * ROUNDING)]
    title, x = f"estimated against true infidelity ({album.seeds})", "true infidelity  1 − |⟨exact|MPS⟩|²"
    with album.axes("estimates", caption, data, title=title, x=x, y="reported by the state", width=6.5) as axes:
        for index, (bond, part) in enumerate(shown.groupby("max_bond")):
            style = {**look(index), "linestyle": "none", "markersize": 3.5}
            axes.plot(part["infidelity"], part["truncation_error"], **style, alpha=0.7, label=f"χ = {bond}")
            axes.plot(part["infidelity"], part["infidelity_bound"], **style, alpha=0.5, markerfacecolor="none")
        if not shown.empty:
            ends = [shown["infidelity"].min(), 1.0]
            axes.plot(ends, ends, color=EXACT, linewidth=1, label="the truth")
        key(axes, "truncation error", "o")
        key(axes, "bound", "o", markerfacecolor="none")
        axes.set(xscale="log", yscale="log")


def draw_ranks(album: Album, arrays: BySeed) -> None:
    """Effective ranks by cut: the exact state's, by both measures, and what every bond dimension leaves."""

    def of_seed(cell: Arrays) -> pandas.DataFrame:
        ranks = np.concatenate([cell["rank_exact"][None], cell["rank"]]).max(2)  # (states, measures, cuts)
        states, cuts = ["exact", *cell["bonds"].tolist()], range(1, ranks.shape[2] + 1)
        return long_table(ranks, "rank", state=states, measure=MEASURES, cut=cuts)

    data = _by_seed(arrays, of_seed)
    caption = (
        "Effective rank at every cut, about how many Schmidt values matter: exponential of the entropy (solid) and "
        "participation ratio (dashed), mean over sequences, largest over timesteps, mean over seeds, "
        f"{album.seeds}. A bond of dimension χ holds a rank of at most χ: where the exact state's is below χ, little "
        "is lost."
    )
    title, x = f"effective rank by cut ({album.seeds})", "cut: qubits on its left"
    with album.axes("ranks", caption, data, title=title, x=x, y="effective rank", width=6.5) as axes:
        for index, (state, part) in enumerate(data.groupby("state", sort=False)):
            style = look(index - 1) if index else {"color": EXACT, "marker": "*"}
            for measure, dashes in zip(MEASURES, DASHES, strict=False):
                mean = part[part["measure"] == measure].groupby("cut")["rank"].mean()
                label = (f"χ = {state}" if index else "exact") if dashes == "-" else None
                axes.plot(mean.index, mean, **style, linestyle=dashes, label=label)
        key(axes, "exp(entropy)", "-")
        key(axes, "participation ratio", "--")
        whole_numbers(axes)
        axes.set_ylim(bottom=0.9)


def _metrics(row: pandas.Series) -> pandas.DataFrame:
    """The metric of one training, evaluated exactly and at every bond dimension."""
    cell = arrays_of(row["folder"])
    tested, metrics = [np.nan, *cell["bonds"]], [cell["exact"][0], *cell["metric"]]
    return pandas.DataFrame(
        {"trained_with": row["trained_with"], "tested_with": tested, "seed": row["seed"], "metric": metrics}
    )


def _by_seed(arrays: BySeed, of_seed: Callable[[Arrays], pandas.DataFrame]) -> pandas.DataFrame:
    return pandas.concat({seed: of_seed(cell) for seed, cell in arrays.items()}, names=["seed"]).reset_index(0)
