"""The figures of the gradient study. They read the table and the cells' arrays, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from studies.engine.drawing import Drawn, arrays_of, drawing, seeds_in
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
    draw_plateau(drawn, out, done, n)
    return drawn


def draw_norms(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """The norm in the state of every timestep, at the largest T and n."""
    part, where = _largest(done, "timesteps", "n_qubits")
    rows = []
    for row in part.itertuples():
        norms = arrays_of(row.folder)["norms"]
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
        left.set_xscale("log", base=2)
        left.xaxis.set_major_formatter("{x:g}")
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.legend(loc="outside lower center", ncols=2, fontsize="small")
        canvas.suptitle(f"how much of the gradient reaches the first timestep ({n})")


def draw_variance(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """Variance over initialisations against n, of all trained parameters, at the smallest and at the largest T."""
    lengths = sorted({int(done["timesteps"].min()), int(done["timesteps"].max())})
    part = done[done["timesteps"].isin(lengths)]
    data = part[["variant", "n_qubits", "timesteps", "seed", "variance"]].copy()
    data["exponent"] = [_exponent(_of(data, row.variant, row.timesteps), "variance") for row in data.itertuples()]
    caption = (
        "Variance over random initialisations of the derivative of one readout after the last timestep, averaged over "
        f"all trained parameters, against the qubits n, for T = {' and '.join(map(str, lengths))} timesteps; mean and "
        f"standard deviation, {n}. b: the variance falls as 2^(-b n), fitted by seed, mean ± standard deviation. A "
        "cell without qubits has 3 n units."
    )
    with drawing(drawn, out, "variance", caption, data, width=5.0 * len(lengths), height=4.6) as canvas:
        panels = canvas.subplots(1, len(lengths), squeeze=False)[0]
        for axes, length in zip(panels, lengths, strict=True):
            for index, variant in enumerate(data["variant"].unique()):
                lines = _of(data, variant, length)
                if not lines.empty:
                    _line(axes, lines, "n_qubits", "variance", index, f"{variant}: b = {lines['exponent'].iloc[0]}")
            _qubit_axis(axes)
            axes.set_title(f"T = {length}", fontsize="medium")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize="x-small")
        panels[0].set_ylabel("variance of the derivative in a parameter")
        canvas.suptitle(f"variance over initialisations, all parameters ({n})")


def draw_plateau(drawn: list[Drawn], out: Path, done: pandas.DataFrame, n: str) -> None:
    """Variance of the derivative in the circuit's angles at the smallest T, against n and against the layers."""
    part = done[done["variance_angles"].notna()]
    if part.empty:
        return
    length = int(part["timesteps"].min())
    part = part[part["timesteps"] == length]
    data = part[["variant", "n_qubits", "n_layers", "angle_scale", "timesteps", "seed", "variance_angles"]].copy()
    data["exponent"] = [_exponent(_of(data, row.variant, length), "variance_angles") for row in data.itertuples()]
    scale = part["angle_scale"].max()  # NaN if there is only the usual start
    deep = data[data["angle_scale"].isna() if pandas.isna(scale) else data["angle_scale"] == scale]
    caption = (
        "Variance over random initialisations of the derivative of one readout in an angle of the circuit, mean over "
        f"the angles, T = {length}: left against the qubits n, right against the layers of the circuit "
        f"({_start(scale)}); mean and standard deviation, {n}. b: the variance falls as 2^(-b n), fitted by seed, mean "
        "± standard deviation. A barren plateau is a b well above 0 that grows with the layers (arXiv:1803.11173)."
    )
    with drawing(drawn, out, "plateau", caption, data, width=9.5, height=4.4) as canvas:
        left, right = canvas.subplots(1, 2, sharey=True)
        for index, variant in enumerate(data["variant"].unique()):
            lines = _of(data, variant, length)
            _line(left, lines, "n_qubits", "variance_angles", index, f"{variant}: b = {lines['exponent'].iloc[0]}")
        for index, (qubits, lines) in enumerate(deep.groupby("n_qubits")):
            _line(right, lines, "n_layers", "variance_angles", index, f"{qubits} qubits")
        _qubit_axis(left)
        right.set_xscale("log", base=2)
        right.xaxis.set_major_formatter("{x:g}")
        right.set_xlabel(f"layers of the circuit ({_start(scale)})")
        left.set_ylabel("variance of the derivative in an angle")
        for axes in (left, right):
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize="x-small")
        canvas.suptitle(f"barren plateaus, T = {length} ({n})")


def _of(data: pandas.DataFrame, variant: object, timesteps: object) -> pandas.DataFrame:
    return data[(data["variant"] == variant) & (data["timesteps"] == timesteps)]


def _qubit_axis(axes: Axes) -> None:
    axes.set_xlabel("qubits n")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


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


def _exponent(rows: pandas.DataFrame, quantity: str) -> str:
    """Return b of 2^(-b n) with its spread over the seeds, as text."""
    rows = rows[rows[quantity] > 0]
    lines = [(line["n_qubits"], np.log2(line[quantity])) for _, line in rows.groupby("seed")]
    found = slope_over_seeds(lines)
    return str(Slope(-found.mean, found.std, found.seeds)) if found else "not fitted"


def _largest(done: pandas.DataFrame, *names: str) -> tuple[pandas.DataFrame, str]:
    """Return the rows with the largest value of each setting, and these values in words."""
    words = {"timesteps": "timesteps", "n_qubits": "qubits"}
    told = []
    for name in names:
        most = int(done[name].max())
        done = done[done[name] == most]
        told.append(f"{most} {words[name]}")
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
