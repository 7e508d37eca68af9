"""The figures of the gradient study. They read the table and the cells' arrays, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from studies.engine.drawing import Drawn, drawing, seeds_in
from studies.engine.job import DONE
from studies.fits import Slope, slope_over_seeds
from studies.style import look
from tnqrnn.cells import CELLS

_DASHES = ("-", "--", "-.", ":")
_TINY = 1e-30


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw norms against timestep, T and n, and variances against n and depth, into `out`; only what is done."""
    drawn: list[Drawn] = []
    done = table[table["status"] == DONE]
    if done.empty:
        return drawn
    done = done.assign(variant=[_variant(row) for _, row in done.iterrows()])
    n = seeds_in(done)
    draw_norms(drawn, out, done, n)
    draw_reach(drawn, out, done, n)
    draw_variance(drawn, out, done, n)
    draw_depth(drawn, out, done, n)
    return drawn


def draw_norms(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """The norm in the state of every timestep, at the largest T and n."""
    part, where = _largest(done, "timesteps", "n_qubits")
    rows = []
    for row in part.itertuples():
        norms = np.load(Path(row.folder) / "arrays.npz")["norms"]
        means = np.exp(np.log(np.maximum(norms, _TINY)).mean(0))
        rows += [{"of": row.variant, "seed": row.seed, "timestep": t, "norm": v} for t, v in enumerate(means, 1)]
    if not rows:
        return
    data = pandas.DataFrame(rows)
    caption = (
        "Norm of the gradient of one readout after the last timestep in the hidden state of every timestep; geometric "
        f"mean over random initialisations and {n}, at {where}. A line that falls towards the left loses what was "
        "read first."
    )
    with drawing(drawn, out, "norms", caption, data, width=7.0) as canvas:
        axes = canvas.add_subplot()
        for index, (of, lines) in enumerate(data.groupby("of", sort=False)):
            _line(axes, lines, "timestep", "norm", index, str(of), bars=False)
        axes.set_xlabel("timestep t")
        axes.set_ylabel("|dC/dh(t)|  (readout per unit of the state)")
        axes.set_title(f"gradient norm per timestep, {where} ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_reach(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """The norm at the first timestep against T at the largest n, and against n at the largest T."""
    done = done[done["first"].notna()]
    if done.empty:
        return
    at_n, where_n = _largest(done, "n_qubits")
    at_t, where_t = _largest(done, "timesteps")
    kept = ["variant", "n_qubits", "timesteps", "seed", "first", "last", "per_timestep"]
    caption = (
        "Norm of the gradient of one readout after the last timestep in the state of the first timestep, against the "
        f"number of timesteps T ({where_n}) and against the qubits n ({where_t}; other cells have 3 n units); mean and "
        f"standard deviation over {n} of geometric means over random initialisations. In the legend, the factor per "
        f"timestep towards the beginning ({where_n}, largest T)."
    )
    rates = {}
    for variant, part in _largest(at_n, "timesteps")[0].groupby("variant", sort=False):
        factors = part["per_timestep"].dropna()
        if len(factors):
            rates[variant] = Slope(factors.mean(), factors.std() if len(factors) > 1 else np.nan, len(factors))
    with drawing(drawn, out, "reach", caption, done[kept], width=9.0) as canvas:
        left, right = canvas.subplots(1, 2, sharey=True)
        for index, variant in enumerate(done["variant"].unique()):
            label = f"{variant}: × {rates[variant]}" if variant in rates else str(variant)
            _line(left, at_n[at_n["variant"] == variant], "timesteps", "first", index, label)
            _line(right, at_t[at_t["variant"] == variant], "n_qubits", "first", index, None)
        left.set_xlabel(f"timesteps T ({where_n})")
        right.set_xlabel(f"qubits n ({where_t})")
        left.set_ylabel("|dC/dh(1)|  (readout per unit of the state)")
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.legend(loc="outside lower center", ncols=2, fontsize="small")
        canvas.suptitle(f"how much of the gradient reaches the first timestep ({n})")


def draw_variance(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """Variance over initialisations against n at the largest T, of all parameters and of the circuit's angles."""
    part, where = _largest(done, "timesteps")
    rows = [
        {"of": variant, "derivatives": name, "n_qubits": row.n_qubits, "seed": row.seed, "variance": getattr(row, name)}
        for name in ("variance", "variance_angles")
        for variant, of_one in part.groupby("variant", sort=False)
        for row in of_one.itertuples()
        if not pandas.isna(getattr(row, name))
    ]
    data = pandas.DataFrame(rows)
    data["exponent"] = [_exponent(data, row.of, row.derivatives) for row in data.itertuples()]
    caption = (
        "Variance over random initialisations of the derivative of one readout, averaged over all trained parameters "
        f"(left) and over those that are angles of the circuit (right), against the qubits n, at {where}; mean and "
        f"standard deviation, {n}. b: the variance falls as 2^(-b n), fitted by seed, mean ± standard deviation. A "
        "barren plateau has b > 0 (arXiv:1803.11173). A cell without qubits has 3 n units."
    )
    titles = {"variance": "all trained parameters", "variance_angles": "angles of the circuit"}
    with drawing(drawn, out, "variance", caption, data, width=10.0, height=4.8) as canvas:
        for axes, (name, title) in zip(canvas.subplots(1, 2), titles.items(), strict=True):
            of_name = data[data["derivatives"] == name]
            for index, variant in enumerate(done["variant"].unique()):
                lines = of_name[of_name["of"] == variant]
                if not lines.empty:
                    label = f"{variant}: b = {lines['exponent'].iloc[0]}"
                    _line(axes, lines, "n_qubits", "variance", index, label)
            axes.set_xlabel("qubits n")
            axes.set_ylabel("variance of the derivative")
            axes.set_title(title, fontsize="medium")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize="x-small")
        canvas.suptitle(f"variance over initialisations, {where} ({n})")


def draw_depth(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """Variance of the angles' derivatives against the layers of circuit that act in a whole sequence."""
    part = done[done["variance_angles"].notna()]
    if part.empty:
        return
    data = part.assign(depth=part["n_layers"] * part["timesteps"])
    data = data[["cell", "angle_scale", "n_qubits", "n_layers", "timesteps", "depth", "seed", "variance_angles"]]
    panels = list(data.groupby(["cell", "angle_scale"], dropna=False, sort=False))
    caption = (
        "Variance over random initialisations of the derivative of one readout in the circuit's angles, against the "
        "depth: layers of circuit that act in a whole sequence (layers per timestep × timesteps); mean and standard "
        f"deviation, {n}. One line per number of qubits."
    )
    with drawing(drawn, out, "depth", caption, data, width=4.5 * len(panels) + 0.5) as canvas:
        every = canvas.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, ((cell, scale), lines) in zip(every, panels, strict=True):
            for index, (qubits, line) in enumerate(lines.groupby("n_qubits")):
                _line(axes, line, "depth", "variance_angles", index, f"n = {qubits}")
            axes.set_xscale("log", base=2)
            axes.set_xlabel("depth: layers × timesteps")
            axes.set_title(f"{cell}, {_start(scale)}", fontsize="medium")
        every[0].set_ylabel("variance of the derivative in an angle")
        every[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        canvas.suptitle(f"variance against depth ({n})")


def _line(
    axes: Axes, rows: pandas.DataFrame, x: str, y: str, index: int, label: str | None, *, bars: bool = True
) -> None:
    """Mean and standard deviation over the seeds on a logarithmic axis."""
    if not rows.empty:
        grouped = rows.groupby(x)[y].agg(["mean", "std"]).fillna(0.0).clip(lower=0)
        style = {**look(index), "linestyle": _DASHES[index % len(_DASHES)]}
        if bars:
            axes.errorbar(grouped.index, grouped["mean"], grouped["std"], capsize=3, label=label, **style)
        else:
            every = max(1, len(grouped) // 8)
            axes.plot(grouped.index, grouped["mean"], label=label, markevery=(index * every // 6, every), **style)
    axes.set_yscale("log", nonpositive="clip")


def _exponent(data: pandas.DataFrame, variant: str, derivatives: str) -> str:
    rows = data[(data["of"] == variant) & (data["derivatives"] == derivatives) & (data["variance"] > 0)]
    found = slope_over_seeds(list(_lines(rows)))
    return str(Slope(-found.mean, found.std, found.seeds)) if found else "not fitted"


def _lines(rows: pandas.DataFrame) -> Iterator[tuple[Any, Any]]:
    for _, line in rows.groupby("seed"):
        yield line["n_qubits"], np.log2(line["variance"])


def _largest(done: pandas.DataFrame, *names: str) -> tuple[pandas.DataFrame, str]:
    """Return the rows with the largest value of each setting, and these values in words."""
    words = {"timesteps": "T", "n_qubits": "n"}
    told = []
    for name in names:
        most = int(done[name].max())
        done = done[done[name] == most]
        told.append(f"{words[name]} = {most}")
    return done, ", ".join(told)


def _variant(row: Any) -> str:
    """Name a cell with the settings of its circuit, of those that it has."""
    parts, used = [str(row["cell"])], CELLS[row["cell"]].settings
    if "n_layers" in used:
        layers = int(row["n_layers"])
        parts.append(f"{layers} layer{'s' if layers > 1 else ''}")
    if "angle_scale" in used:
        parts.append(_start(row["angle_scale"]))
    return ", ".join(parts)


def _start(angle_scale: Any) -> str:
    return "usual start" if pandas.isna(angle_scale) else f"angle scale {angle_scale:g}"
