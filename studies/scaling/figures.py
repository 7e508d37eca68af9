"""The pictures and tables of the scaling study, one set for every topology and number of layers in the grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from studies.engine.drawing import Drawn, seeds_in, tabulated
from studies.plots import Album, beside, key, style_of
from studies.scaling.fits import Crossover, break_even, crossovers, exponents, medians
from studies.scaling.planes import draw_plane
from studies.style import COLOURS

ERRORS = {
    "exact.infidelity": "infidelity at the last timestep\n1 − |⟨exact|MPS⟩|² (no unit)",
    "exact.readout_rms_closed": "rms readout error, fed back\n|z − z_exact| (no unit)",
    "exact.gradient_cosine": "distance of gradients\n1 − cosine (no unit)",
}
_PARTS = {"forward_seconds": "forward", "backward_seconds": "backward", "readout_seconds": "readout, all timesteps"}
_ROUNDING = 1e-8
_DASHES = ("-", "--", "-.", (0, (1, 1)))
_MEDIAN = "median over the seeds, bars from lowest to highest"


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw what there is."""
    drawn: list[Drawn] = []
    parts = list(table.groupby(["topology", "layers"], sort=False))
    for (topology, layers), part in parts:
        if (part["status"] == "done").any():
            suffix = f"_{topology}_{layers}" if len(parts) > 1 else ""
            title = f"{topology}, {layers} layer{'s' if layers > 1 else ''}"
            _Set(part, Album(out, seeds_in(part), drawn), suffix, title).draw()
    return drawn


class _Set:
    """The figures of one circuit family."""

    def __init__(self, table: pandas.DataFrame, album: Album, suffix: str, family: str) -> None:
        self._table, self._album, self._suffix = table, album, suffix
        self._done = table[table["status"] == "done"]
        first = self._done.iloc[0]
        about = f"{first['config']}, {first['timesteps']:.0f} timesteps, batch {first['batch']}"
        self._about = f"{family}; {about}; {album.seeds}"
        self._title = f"{family}, {album.seeds}"

    def draw(self) -> None:
        self._cost("step_seconds", "time", "training step, forward and backward (s)", 1.0)
        self._parts()
        self._cost("peak_bytes", "memory", "peak memory of a training step (MiB)", 2**20)
        if (self._table["backend"] == "mps").any():
            draw_plane(self._album, f"scaling_plane{self._suffix}", self._table, self._about)
        if self._has("exact.infidelity"):
            self._errors()
        if self._has("metric"):
            self._metric()
        self._tabulate(
            "exponents",
            exponents(self._table),
            "Exponents k, fitted seed by seed to the measured cells; from three sizes on.",
        )
        self._tabulate(
            "crossover",
            pandas.DataFrame([vars(crossover) for crossover in crossovers(self._table)]),
            "Between which measured sizes a training step on the MPS becomes faster than on the statevector: with "
            "every seed, not in the median alone. Where the ranges over the seeds overlap, the two are not "
            "distinguishable.",
        )

    def _has(self, column: str) -> bool:
        return column in self._table and bool(self._table[column].notna().any())

    def _name(self, what: str) -> str:
        return f"scaling_{what}{self._suffix}"

    def _tabulate(self, what: str, rows: pandas.DataFrame, caption: str) -> None:
        if not rows.empty:
            tabulated(self._album.drawn, self._album.out, self._name(what), caption, rows)

    def _cost(self, quantity: str, name: str, label: str, unit: float) -> None:
        data = medians(self._table, quantity)
        over = self._table[self._table["status"] == "over_budget"]
        excess = over[["backend", "max_bond", "qubits"]].drop_duplicates()
        caption = (
            f"{label[0].upper()}{label[1:]} against qubits: {_MEDIAN}. Crosses at the top: cells over budget, not "
            f"measured. {self._about}."
        )
        behind = pandas.concat([data, excess.assign(seeds=0)])
        with self._album.figure(self._name(name), caption, behind, width=7) as canvas:
            axes = canvas.add_subplot()
            _ranges(axes, data, unit)
            if (data["median"] > 0).any():  # a tiny run may need no memory beyond that of the process
                axes.set_yscale("log")
            _mark_excess(axes, data, excess)
            if quantity == "step_seconds":
                self._mark_crossovers(axes, [bond for bond, _ in lines_of(data)])
            qubit_axis(axes, self._table)
            axes.set_ylabel(label)
            axes.set_title(self._title, pad=6 + 9 * len(lines_of(excess)))  # points, room for the crosses
            beside(axes)

    def _mark_crossovers(self, axes: Axes, bonds: Sequence[int | None]) -> None:
        """Shade where an MPS overtakes, and dot where it becomes fewer numbers than all amplitudes."""
        for index, bond in enumerate(bonds):
            if bond is not None:
                axes.axvline(break_even(bond), color=COLOURS[index % len(COLOURS)], linestyle=":", linewidth=1.2)
        if any(bond is not None for bond in bonds):
            key(axes, "memory break-even\n(colour of its χ)", ":", linewidth=1.2)
        for number, crossover in enumerate(crossovers(self._table)):
            if crossover.above is not None:
                low = crossover.below or crossover.above
                axes.axvspan(low, crossover.above, color="0.5", alpha=0.12, linewidth=0)
            behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
            place = (0.02, 0.95 - 0.06 * number)
            axes.annotate(_note(crossover), place, xycoords="axes fraction", fontsize=8, bbox=behind)

    def _parts(self) -> None:
        shown = [bond for bond, _ in lines_of(medians(self._table, "step_seconds"))]
        if not shown:
            return
        chosen = {label_of(bond): bond for bond in (shown[0], shown[-1])}
        data = pandas.concat([medians(self._table, part).assign(part=name) for part, name in _PARTS.items()])
        caption = f"Where the time of a training step goes; the readouts are part of the forward. {self._about}."
        with self._album.figure(self._name("parts"), caption, data, width=7.5) as canvas:
            panels = canvas.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
            for axes, (label, bond) in zip(panels, chosen.items(), strict=True):
                own = dict(lines_of(data))[bond]
                for index, (name, line) in enumerate(own.groupby("part", sort=False)):
                    axes.plot(line["qubits"], line["median"], label=name, **style_of(index, _DASHES))
                axes.set_yscale("log")
                qubit_axis(axes, own)
                axes.set_title(f"{label}, {self._album.seeds}")
            panels[0].set_ylabel("seconds per training step")
            panels[0].legend()

    def _errors(self) -> None:
        data = self._table[self._table["exact.infidelity"].notna()].copy()
        data["exact.gradient_cosine"] = 1 - data["exact.gradient_cosine"]
        columns = ["qubits", "max_bond", "seed", *ERRORS, "exact.infidelity_bound", "exact.readout_rms_open"]
        caption = (
            "Distance from the exact state with the same weights against the bond dimension: median over the seeds; "
            f"below {_ROUNDING:g} is rounding. Dotted: the bound that the state itself reports. {self._about}."
        )
        bonds = sorted(data["max_bond"].unique())
        with self._album.figure(self._name("errors"), caption, data[columns], width=10, height=3.6) as canvas:
            panels = canvas.subplots(1, 3)
            for axes, (quantity, label) in zip(panels, ERRORS.items(), strict=True):
                for index, (n, part) in enumerate(data.groupby("qubits")):
                    line = part.groupby("max_bond").median(numeric_only=True).clip(lower=_ROUNDING)
                    style = style_of(index, _DASHES)
                    axes.plot(line.index, line[quantity], label=f"{n} qubits", **style)
                    if quantity == "exact.infidelity":
                        style |= {"linestyle": ":", "markerfacecolor": "none"}
                        axes.plot(line.index, line["exact.infidelity_bound"], **style)
                axes.set_yscale("log")
                axes.set_xscale("log", base=2)
                axes.set_xticks(bonds, [f"{bond:g}" for bond in bonds])
                axes.set(xlabel="bond dimension χ", ylabel=label)
            panels[1].set_title(self._title)
            beside(panels[2])

    def _metric(self) -> None:
        first = self._table[self._table["metric"].notna()].iloc[0]
        name, steps = first["metric_name"], first["steps"]
        data = medians(self._table, "metric")
        caption = (
            f"Test {name} after {steps} training steps from the task's own start, a fixed budget, far from the end "
            f"of learning: {_MEDIAN}. {self._about}."
        )
        with self._album.figure(self._name("metric"), caption, data, width=7) as canvas:
            axes = canvas.add_subplot()
            _ranges(axes, data, shift=0.012)
            qubit_axis(axes, self._table)
            axes.set(ylabel=f"test {name} after {steps} steps (no unit)", title=self._title)
            beside(axes)


def lines_of(data: pandas.DataFrame) -> list[tuple[int | None, pandas.DataFrame]]:
    """Return the statevector's rows (None), then those of every bond dimension, sorted by qubits."""
    exact = data[data["backend"] == "statevector"].sort_values("qubits")
    mps = data[data["backend"] == "mps"].sort_values("qubits")
    lines: list[tuple[int | None, pandas.DataFrame]] = [(None, exact)] if len(exact) else []
    return lines + [(int(bond), part) for bond, part in mps.groupby("max_bond")]


def label_of(bond: int | None) -> str:
    """Return the name of a line."""
    return "statevector" if bond is None else f"MPS, χ = {bond}"


def qubit_axis(axes: Axes, table: pandas.DataFrame) -> None:
    """Label the axis of qubits by the sizes in the table."""
    sizes = sorted({int(n) for n in table["qubits"]})
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    apart = [n for k, n in enumerate(sizes) if k == len(sizes) - 1 or len(sizes) <= 9 or k % 2 == 0]
    axes.set_xticks(apart, [str(n) for n in apart])
    axes.set_xlabel("qubits n")


def _ranges(axes: Axes, data: pandas.DataFrame, unit: float = 1.0, shift: float = 0.0) -> None:
    """Medians with bars from lowest to highest; lines are shifted a little, so that points in one place stay apart."""
    lines = lines_of(data)
    for index, (bond, line) in enumerate(lines):
        at = line["qubits"] * (1 + shift * (index - (len(lines) - 1) / 2))
        bars = [(line["median"] - line["low"]) / unit, (line["high"] - line["median"]) / unit]
        style = style_of(index, _DASHES)
        axes.errorbar(at, line["median"] / unit, bars, capsize=2, label=label_of(bond), **style)


def _mark_excess(axes: Axes, data: pandas.DataFrame, excess: pandas.DataFrame) -> None:
    """A cross above the axes for every size that was over budget, in the colour of its line."""
    known = [bond for bond, _ in lines_of(data)]
    for bond, cells in lines_of(excess):
        index = known.index(bond) if bond in known else len(known)
        height = 1.02 + 0.03 * index
        style: Any = {"color": COLOURS[index % len(COLOURS)], "linestyle": "none", "marker": "x", "clip_on": False}
        axes.plot(cells["qubits"], [height] * len(cells), transform=axes.get_xaxis_transform(), **style)
    if not excess.empty:
        key(axes, "over budget", "x")


def _note(crossover: Crossover) -> str:
    """Say in a few words from where on the MPS is the faster one."""
    if crossover.above is None:
        return f"χ = {crossover.max_bond}: not distinguishable"
    between = f"{crossover.below}–{crossover.above}" if crossover.below else f"≤ {crossover.above}"
    budget = " (budget)" if "over budget" in crossover.why else ""
    return f"χ = {crossover.max_bond} faster from n = {between}{budget}"
