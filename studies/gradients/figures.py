"""The figures of the gradient study. They read the table and the cells' arrays, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes

from studies.engine.drawing import Drawn, arrays_of, seeds_in
from studies.engine.job import DONE
from studies.fits import Slope, slope_over_seeds
from studies.plots import Album, line_over_seeds, style_of, whole_numbers
from tnqrnn.cells import CELLS

_TINY = 1e-30
_BELOW: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "fontsize": "x-small"}  # a legend


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw norms against timestep, T and n, and variances against n and depth, into `out`; only what is done."""
    done = table[table["status"] == DONE]
    album = Album(out, seeds_in(done))
    if not done.empty:
        done = done.assign(variant=[_variant(row) for _, row in done.iterrows()])
        draw_norms(album, done)
        draw_reach(album, done)
        draw_variance(album, done)
        draw_plateau(album, done)
    return album.drawn


def draw_norms(album: Album, done: pandas.DataFrame) -> None:
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
        f"mean over random initialisations and {album.seeds}, at {where}. A line that falls towards the left loses "
        "what was read first."
    )
    title, y = f"gradient norm per timestep, {where} ({album.seeds})", "|dC/dh(t)|  (readout per unit of the state)"
    with album.axes("norms", caption, data, title=title, x="timestep t", y=y, width=7.0) as axes:
        for index, (of, lines) in enumerate(data.groupby("of", sort=False)):
            mean = lines.groupby("timestep")["norm"].mean().fillna(0.0).clip(lower=0)
            every = max(1, len(mean) // 8)
            axes.plot(mean.index, mean, label=str(of), markevery=(index * every // 6, every), **style_of(index))
        axes.set_yscale("log", nonpositive="clip")


def draw_reach(album: Album, done: pandas.DataFrame) -> None:
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
        f"standard deviation over {album.seeds} of geometric means over random initialisations. In the legend, the "
        f"factor per timestep towards the beginning ({where_n}, largest T)."
    )
    factors = _largest(at_n, "timesteps")[0].groupby("variant")["per_timestep"].agg(["mean", "std", "count"])
    rates = {row.Index: Slope(row.mean, row.std, row.count) for row in factors[factors["count"] > 0].itertuples()}
    with album.figure("reach", caption, done[kept], width=9.0) as canvas:
        left, right = canvas.subplots(1, 2, sharey=True)
        for index, variant in enumerate(done["variant"].unique()):
            label = f"{variant}: × {rates[variant]}" if variant in rates else str(variant)
            _line(left, at_n[at_n["variant"] == variant], "timesteps", "first", index, label)
            _line(right, at_t[at_t["variant"] == variant], "n_qubits", "first", index, None)
        _doubling_axis(left, f"timesteps T ({where_n})")
        _qubit_axis(right, f"qubits n ({where_t})")
        left.set_ylabel("|dC/dh(1)|  (readout per unit of the state)")
        canvas.legend(loc="outside lower center", ncols=2, fontsize="small")
        canvas.suptitle(f"how much of the gradient reaches the first timestep ({album.seeds})")


def draw_variance(album: Album, done: pandas.DataFrame) -> None:
    """Variance over initialisations against n, of all trained parameters, at the smallest and at the largest T."""
    lengths = sorted({int(done["timesteps"].min()), int(done["timesteps"].max())})
    part = done[done["timesteps"].isin(lengths)]
    data = _with_exponents(part[["variant", "n_qubits", "timesteps", "seed", "variance"]], "variance")
    caption = (
        "Variance over random initialisations of the derivative of one readout after the last timestep, averaged over "
        f"all trained parameters, against the qubits n, for T = {' and '.join(map(str, lengths))} timesteps; mean and "
        f"standard deviation, {album.seeds}. b: the variance falls as 2^(-b n), fitted by seed, mean ± standard "
        "deviation. A cell without qubits has 3 n units."
    )
    with album.figure("variance", caption, data, width=5.0 * len(lengths), height=4.6) as canvas:
        panels = canvas.subplots(1, len(lengths), squeeze=False)[0]
        for axes, length in zip(panels, lengths, strict=True):
            _against_qubits(axes, data[data["timesteps"] == length], data["variant"].unique(), "variance")
            axes.set_title(f"T = {length}", fontsize="medium")
        panels[0].set_ylabel("variance of the derivative in a parameter")
        canvas.suptitle(f"variance over initialisations, all parameters ({album.seeds})")


def draw_plateau(album: Album, done: pandas.DataFrame) -> None:
    """Variance of the derivative in the circuit's angles at the smallest T, against n and against the layers."""
    part = done[done["variance_angles"].notna()]
    if part.empty:
        return
    length = int(part["timesteps"].min())
    kept = ["variant", "n_qubits", "n_layers", "angle_scale", "timesteps", "seed", "variance_angles"]
    data = _with_exponents(part[part["timesteps"] == length][kept], "variance_angles")
    scale = data["angle_scale"].max()  # NaN if there is only the usual start
    deep = data[data["angle_scale"].isna() if pandas.isna(scale) else data["angle_scale"] == scale]
    caption = (
        "Variance over random initialisations of the derivative of one readout in an angle of the circuit, mean over "
        f"the angles, T = {length}: left against the qubits n, right against the layers of the circuit "
        f"({_start(scale)}); mean and standard deviation, {album.seeds}. b: the variance falls as 2^(-b n), fitted by "
        "seed, mean ± standard deviation. A barren plateau is a b well above 0 that grows with the layers "
        "(arXiv:1803.11173)."
    )
    with album.figure("plateau", caption, data, width=9.5, height=4.4) as canvas:
        left, right = canvas.subplots(1, 2, sharey=True)
        _against_qubits(left, data, data["variant"].unique(), "variance_angles")
        for index, (qubits, lines) in enumerate(deep.groupby("n_qubits")):
            _line(right, lines, "n_layers", "variance_angles", index, f"{qubits} qubits")
        _doubling_axis(right, f"layers of the circuit ({_start(scale)})")
        right.legend(**_BELOW)
        left.set_ylabel("variance of the derivative in an angle")
        canvas.suptitle(f"barren plateaus, T = {length} ({album.seeds})")


def _line(axes: Axes, rows: pandas.DataFrame, x: str, y: str, index: int, label: str | None) -> None:
    """Mean and standard deviation over the seeds on a logarithmic axis."""
    line_over_seeds(axes, rows, x, y, label=label, **style_of(index))
    axes.set_yscale("log", nonpositive="clip")


def _against_qubits(axes: Axes, data: pandas.DataFrame, variants: Any, quantity: str) -> None:
    """A line for each of the variants that has data, its exponent in the legend."""
    for index, variant in enumerate(variants):
        lines = data[data["variant"] == variant]
        if not lines.empty:
            _line(axes, lines, "n_qubits", quantity, index, f"{variant}: b = {lines['exponent'].iloc[0]}")
    _qubit_axis(axes, "qubits n")
    axes.legend(**_BELOW)


def _qubit_axis(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    whole_numbers(axes)


def _doubling_axis(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")


def _with_exponents(data: pandas.DataFrame, quantity: str) -> pandas.DataFrame:
    """Add the column `exponent`: b of 2^(-b n), by variant and timesteps, with its spread over the seeds, as text."""
    texts = {}
    for where, rows in data.groupby(["variant", "timesteps"]):
        rows = rows[rows[quantity] > 0]
        found = slope_over_seeds([(line["n_qubits"], np.log2(line[quantity])) for _, line in rows.groupby("seed")])
        texts[where] = str(Slope(-found.mean, found.std, found.seeds)) if found else "not fitted"
    return data.assign(exponent=[texts[row.variant, row.timesteps] for row in data.itertuples()])


def _largest(done: pandas.DataFrame, *names: str) -> tuple[pandas.DataFrame, str]:
    """Return the rows with the largest value of each setting, and these values in words."""
    told = []
    for name in names:
        most = int(done[name].max())
        done = done[done[name] == most]
        told.append(f"{most} {'qubits' if name == 'n_qubits' else name}")
    return done, ", ".join(told)


def _variant(row: pandas.Series) -> str:
    """Name a cell with the settings of its circuit, of those that it has."""
    parts, used = [str(row["cell"])], CELLS[row["cell"]].settings
    if "n_layers" in used:
        layers = int(row["n_layers"])
        parts.append(f"{layers} layer{'s' if layers > 1 else ''}")
    if "angle_scale" in used:
        parts.append(_start(row["angle_scale"]))
    return ", ".join(parts)


def _start(angle_scale: float) -> str:
    return "usual start" if pandas.isna(angle_scale) else f"angle scale {angle_scale:g}"
