"""The figures of the truncation study. They read the table and the cells' arrays, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.ticker import MaxNLocator

from studies.compare.figures import ROUNDING, bond_axis, error_axis
from studies.engine.drawing import Drawn, arrays_of, drawing, seeds_in
from studies.engine.job import DONE
from studies.style import EXACT, look
from studies.truncation.measure import MEASURES

Arrays = Mapping[str, np.ndarray[Any, Any]]


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw metric, convergence, loops, estimates and ranks into `out`; only what is done."""
    drawn: list[Drawn] = []
    done = table[table["status"] == DONE]
    if done.empty:
        return drawn
    draw_metric(drawn, out, done)
    exact = done[done["trained_with"].isna()]
    if exact.empty:
        return drawn
    arrays = {row.seed: arrays_of(row.folder) for row in exact.itertuples()}
    n = seeds_in(exact)
    draw_convergence(drawn, out, arrays, n, str(exact["metric_name"].iloc[0]))
    draw_loops(drawn, out, arrays, n)
    draw_estimates(drawn, out, arrays, n)
    draw_ranks(drawn, out, arrays, n)
    return drawn


def draw_metric(drawn: list[Drawn], out: Path, done: pandas.DataFrame) -> None:
    """The metric against the bond dimension, for weights trained exactly and trained as they are evaluated."""
    rows = []
    for row in done.itertuples():
        content = arrays_of(row.folder)
        own = None if pandas.isna(row.trained_with) else int(row.trained_with)
        for bond, value in [(None, content["exact"][0]), *zip(content["bonds"], content["metric"], strict=True)]:
            rows.append({"trained_with": own, "tested_with": bond, "seed": row.seed, "metric": float(value)})
    data = pandas.DataFrame(rows)
    name, n = str(done["metric_name"].iloc[0]), seeds_in(done)
    caption = (
        f"Test {name} against the bond dimension χ at which the weights are evaluated; mean and standard deviation, "
        f"{n}. The dashed line is the exact state with the weights trained exactly."
    )
    trained_exactly = data["trained_with"].isna()
    same = data["trained_with"] == data["tested_with"]
    back = data["tested_with"].isna() & ~trained_exactly
    lines = {
        "trained exactly": (data[trained_exactly & data["tested_with"].notna()], "tested_with"),
        "trained at χ, evaluated at χ": (data[same], "tested_with"),
        "trained at χ, evaluated exactly": (data[back], "trained_with"),
    }
    with drawing(drawn, out, "metric", caption, data, width=7.5) as canvas:
        axes = canvas.add_subplot()
        for index, (label, (part, against)) in enumerate(lines.items()):
            if not part.empty:
                grouped = part.groupby(against)["metric"].agg(["mean", "std"]).fillna(0.0)
                # Shifted a little, so that bars at the same χ stay apart.
                at = grouped.index.to_numpy(float) * (1 + 0.04 * (index - 1))
                dashes = ("-", "--", ":")[index]
                axes.errorbar(at, grouped["mean"], grouped["std"], **look(index), ls=dashes, capsize=3, label=label)
        baseline = data[trained_exactly & data["tested_with"].isna()]["metric"]
        if not baseline.empty:
            axes.axhline(baseline.mean(), color=EXACT, linestyle=(0, (6, 3)), linewidth=1)
        bond_axis(axes, sorted({int(bond) for bond in data["tested_with"].dropna()}))
        axes.set_ylabel(f"test {name}")
        axes.set_title(f"truncation in training and in use ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_convergence(drawn: list[Drawn], out: Path, arrays: Mapping[int, Arrays], n: str, metric: str) -> None:
    """Distance from the exact readouts, loss and metric against the bond dimension."""
    rows = []
    for seed, content in arrays.items():
        for k, bond in enumerate(content["bonds"].tolist()):
            distances = {
                "readouts fed back (rms)": np.sqrt(np.square(content["readout_closed"][k]).mean()),
                "readouts, exact run's angles (rms)": np.sqrt(np.square(content["readout_open"][k]).mean()),
                "test loss (nats)": abs(content["loss"][k] - content["exact"][1]),
                f"test {metric}": abs(content["metric"][k] - content["exact"][0]),
            }
            rows += [{"seed": seed, "max_bond": bond, "of": of, "distance": d} for of, d in distances.items()]
    data = pandas.DataFrame(rows)
    caption = (
        f"Distance from the exact state against the bond dimension χ, of weights trained exactly; mean, {n}. Zeros "
        "and what is below single precision are drawn at its level."
    )
    with drawing(drawn, out, "convergence", caption, data, width=7.5) as canvas:
        axes = canvas.add_subplot()
        for index, (of, part) in enumerate(data.groupby("of", sort=False)):
            mean = part.groupby("max_bond")["distance"].mean().clip(lower=ROUNDING)
            axes.plot(mean.index, mean, **look(index), linestyle=("-", "--", "-.", ":")[index], label=str(of))
        bond_axis(axes, sorted(data["max_bond"].unique()))
        error_axis(axes)
        axes.set_ylabel("distance from the exact value")
        axes.set_title(f"convergence in χ ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_loops(drawn: list[Drawn], out: Path, arrays: Mapping[int, Arrays], n: str) -> None:
    """The readout error over time, readouts fed back beside the exact run's angles."""
    rows = []
    for seed, content in arrays.items():
        for k, bond in enumerate(content["bonds"].tolist()):
            for loop in ("closed", "open"):
                values = content[f"readout_{loop}"][k]
                rows += [
                    {"seed": seed, "max_bond": bond, "loop": loop, "timestep": t, "readout_rms": v}
                    for t, v in enumerate(values.tolist(), 1)
                ]
    data = pandas.DataFrame(rows)
    caption = (
        f"Root mean square of z - z_exact against the timestep, of weights trained exactly; rms over the seeds, {n}. "
        "Solid: the truncated readouts go back into the controller. Dotted: the exact run's angles, so that every "
        "difference is truncation. Above the dotted line, feedback amplifies errors; below, it corrects them."
    )
    with drawing(drawn, out, "loops", caption, data, width=6.5) as canvas:
        axes = canvas.add_subplot()
        for index, (bond, part) in enumerate(data.groupby("max_bond")):
            for loop, dashes, face in (("closed", "-", look(index)["color"]), ("open", ":", "none")):
                of_loop = part[part["loop"] == loop].groupby("timestep")["readout_rms"]
                rms = np.sqrt(of_loop.apply(lambda v: np.square(v).mean())).clip(lower=ROUNDING)
                label = f"χ = {bond}" if loop == "closed" else None
                axes.plot(rms.index, rms, **look(index), ls=dashes, markerfacecolor=face, label=label)
        axes.plot([], [], color=EXACT, label="readouts fed back")
        axes.plot([], [], color=EXACT, linestyle=":", label="exact run's angles")
        axes.set_xlabel("timestep")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        error_axis(axes)
        axes.set_ylabel("rms readout error  |z − z_exact|")
        axes.set_title(f"open and closed loop ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_estimates(drawn: list[Drawn], out: Path, arrays: Mapping[int, Arrays], n: str) -> None:
    """What the ledger says against the true infidelity, one point per sequence."""
    rows = []
    for seed, content in arrays.items():
        for k, bond in enumerate(content["bonds"].tolist()):
            for sample, (infidelity, error, bound) in enumerate(content["final"][k].T.tolist()):
                rows.append(
                    {"seed": seed, "max_bond": bond, "sample": sample, "infidelity": infidelity,
                     "truncation_error": error, "infidelity_bound": bound}
                )  # fmt: skip
    data = pandas.DataFrame(rows)
    caption = (
        f"What the state reports against the true infidelity with the exact state after the last timestep, one point "
        f"per sequence ({len(data)} of {n}), exact run's angles. On the line, the report is the truth. The bound holds "
        "for every point up to rounding; the truncation error estimates, and may fall on either side."
    )
    shown = data[(data["infidelity"] > 10 * ROUNDING) & (data["truncation_error"] > 10 * ROUNDING)]
    with drawing(drawn, out, "estimates", caption, data, width=6.5) as canvas:
        axes = canvas.add_subplot()
        for index, (bond, part) in enumerate(shown.groupby("max_bond")):
            style = {**look(index), "linestyle": "none", "markersize": 3.5}
            axes.plot(part["infidelity"], part["truncation_error"], **style, alpha=0.7, label=f"χ = {bond}")
            axes.plot(part["infidelity"], part["infidelity_bound"], **style, alpha=0.5, markerfacecolor="none")
        if not shown.empty:
            ends = [shown["infidelity"].min(), 1.0]
            axes.plot(ends, ends, color=EXACT, linewidth=1, label="the truth")
        axes.plot([], [], "o", color=EXACT, label="truncation error")
        axes.plot([], [], "o", color=EXACT, markerfacecolor="none", label="bound")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("true infidelity  1 − |⟨exact|MPS⟩|²")
        axes.set_ylabel("reported by the state")
        axes.set_title(f"estimated against true infidelity ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_ranks(drawn: list[Drawn], out: Path, arrays: Mapping[int, Arrays], n: str) -> None:
    """Effective ranks by cut: the exact state's, by both measures, and what every bond dimension leaves."""
    rows = []
    for seed, content in arrays.items():
        states = {"exact": content["rank_exact"], **dict(zip(content["bonds"].tolist(), content["rank"], strict=True))}
        for state, ranks in states.items():
            for measure, values in zip(MEASURES, ranks.max(1), strict=True):
                rows += [
                    {"seed": seed, "state": state, "measure": measure, "cut": cut, "rank": v}
                    for cut, v in enumerate(values.tolist(), 1)
                ]
    data = pandas.DataFrame(rows)
    caption = (
        "Effective rank at every cut, about how many Schmidt values matter: exponential of the entropy (solid) and "
        f"participation ratio (dashed), mean over sequences, largest over timesteps, mean over seeds, {n}. A bond of "
        "dimension χ holds a rank of at most χ: where the exact state's is below χ, little is lost."
    )
    with drawing(drawn, out, "ranks", caption, data, width=6.5) as canvas:
        axes = canvas.add_subplot()
        for index, (state, part) in enumerate(data.groupby("state", sort=False)):
            style = look(index - 1) if index else {"color": EXACT, "marker": "*"}
            for measure, dashes in zip(MEASURES, ("-", "--"), strict=True):
                mean = part[part["measure"] == measure].groupby("cut")["rank"].mean()
                label = (f"χ = {state}" if index else "exact") if dashes == "-" else None
                axes.plot(mean.index, mean, **style, linestyle=dashes, label=label)
        axes.plot([], [], color=EXACT, label="exp(entropy)")
        axes.plot([], [], color=EXACT, linestyle="--", label="participation ratio")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0.9)
        axes.set_xlabel("cut: qubits on its left")
        axes.set_ylabel("effective rank")
        axes.set_title(f"effective rank by cut ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
