"""The pictures and tables of the scaling study, one set for every topology and number of layers in the grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
from matplotlib.axes import Axes

from studies.engine.drawing import Drawn, drawing, seeds_in, tabulated
from studies.scaling import planes
from studies.scaling.fits import Crossover, break_even, crossovers, exponents, medians
from studies.scaling.lines import label_of, lines_of, qubit_axis, style_of
from studies.style import COLOURS, EXACT

_PARTS = {"forward_seconds": "forward", "backward_seconds": "backward", "readout_seconds": "readout, all timesteps"}
_ROUNDING = 1e-8
ERRORS = {
    "exact.infidelity": "infidelity at the last timestep\n1 − |⟨exact|MPS⟩|² (no unit)",
    "exact.readout_rms_closed": "rms readout error, fed back\n|z − z_exact| (no unit)",
    "exact.gradient_cosine": "distance of gradients\n1 − cosine (no unit)",
}


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw what there is."""
    drawn: list[Drawn] = []
    parts = list(table.groupby(["topology", "layers"], sort=False))
    for (topology, layers), part in parts:
        if (part["status"] == "done").any():
            suffix = f"_{topology}_{layers}" if len(parts) > 1 else ""
            _Set(part, out, drawn, suffix, f"{topology}, {layers} layer{'s' if layers > 1 else ''}").draw()
    return drawn


class _Set:
    """The figures of one circuit family."""

    def __init__(self, table: pandas.DataFrame, out: Path, drawn: list[Drawn], suffix: str, title: str) -> None:
        self._table, self._out, self._drawn, self._suffix = table, out, drawn, suffix
        first = table[table["status"] == "done"].iloc[0]
        about = f"{first['config']}, {first['timesteps']:.0f} timesteps, batch {first['batch']}"
        self._about = f"{title}; {about}; {seeds_in(table)}"
        self._title = title

    def draw(self) -> None:
        self._cost("step_seconds", "time", "training step, forward and backward (s)", 1.0)
        self._parts()
        self._cost("peak_bytes", "memory", "peak memory of a training step (MiB)", 2**20)
        crossed = pandas.DataFrame([vars(crossover) for crossover in crossovers(self._table)])
        if (self._table["backend"] == "mps").any():
            planes.draw_plane(self._drawn, self._out, f"scaling_plane{self._suffix}", self._table, self._about)
        if "exact.infidelity" in self._table and self._table["exact.infidelity"].notna().any():
            self._errors()
        if "metric" in self._table and self._table["metric"].notna().any():
            self._metric()
        fitted = exponents(self._table)
        if not fitted.empty:
            caption = "Exponents k, fitted seed by seed to the measured cells; from three sizes on."
            tabulated(self._drawn, self._out, f"scaling_exponents{self._suffix}", caption, fitted)
        if not crossed.empty:
            caption = (
                "Between which measured sizes a training step on the MPS becomes faster than on the statevector: with "
                "every seed, not in the median alone. Where the ranges over the seeds overlap, the two are not "
                "distinguishable."
            )
            tabulated(self._drawn, self._out, f"scaling_crossover{self._suffix}", caption, crossed)

    def _cost(self, quantity: str, name: str, label: str, unit: float) -> None:
        data = medians(self._table, quantity)
        excess = self._table[self._table["status"] == "over_budget"][
            ["backend", "max_bond", "qubits"]
        ].drop_duplicates()
        caption = (
            f"{label[0].upper()}{label[1:]} against qubits: median over the seeds, bars from lowest to highest. "
            f"Crosses at the top: cells over budget, not measured. {self._about}."
        )
        behind = pandas.concat([data, excess.assign(seeds=0)])
        with drawing(self._drawn, self._out, f"scaling_{name}{self._suffix}", caption, behind, width=7) as canvas:
            axes = canvas.add_subplot()
            for index, (bond, line) in enumerate(lines_of(data)):
                low, high = (line["median"] - line["low"]) / unit, (line["high"] - line["median"]) / unit
                axes.errorbar(
                    line["qubits"],
                    line["median"] / unit,
                    [low, high],
                    capsize=2,
                    label=label_of(bond),
                    **style_of(index),
                )
            if (data["median"] > 0).any():  # a tiny run may need no memory beyond that of the process
                axes.set_yscale("log")
            self._mark_excess(axes, data, excess)
            if quantity == "step_seconds":
                self._mark_crossovers(axes, [bond for bond, _ in lines_of(data)])
            qubit_axis(axes, self._table)
            axes.set_ylabel(label)
            room = 6 + 9 * len(lines_of(excess))  # points, for the crosses
            axes.set_title(f"{self._title}, {seeds_in(self._table)}", pad=room)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    def _mark_excess(self, axes: Axes, data: pandas.DataFrame, excess: pandas.DataFrame) -> None:
        """A cross above the axes for every size that was over budget, in the colour of its line."""
        known = [bond for bond, _ in lines_of(data)]
        for bond, cells in lines_of(excess):
            index = known.index(bond) if bond in known else len(known)
            height = 1.02 + 0.03 * index
            style: Any = {"color": COLOURS[index % len(COLOURS)], "linestyle": "none", "marker": "x", "clip_on": False}
            axes.plot(cells["qubits"], [height] * len(cells), transform=axes.get_xaxis_transform(), **style)
        if not excess.empty:
            axes.plot([], [], "x", color=EXACT, label="over budget")

    def _mark_crossovers(self, axes: Axes, bonds: Sequence[int | None]) -> None:
        """Shade where an MPS overtakes, and dot where it becomes fewer numbers than all amplitudes."""
        for index, bond in enumerate(bonds):
            if bond is not None:
                axes.axvline(break_even(bond), color=COLOURS[index % len(COLOURS)], linestyle=":", linewidth=1.2)
        if any(bond is not None for bond in bonds):
            axes.plot([], [], ":", color=EXACT, linewidth=1.2, label="memory break-even\n(colour of its χ)")
        for number, crossover in enumerate(crossovers(self._table)):
            if crossover.above is not None:
                low = crossover.below or crossover.above
                axes.axvspan(low, crossover.above, color="0.5", alpha=0.12, linewidth=0)
            behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
            place = (0.02, 0.95 - 0.06 * number)
            axes.annotate(_note(crossover), place, xycoords="axes fraction", fontsize=8, bbox=behind)

    def _parts(self) -> None:
        shown = lines_of(medians(self._table, "step_seconds"))
        if not shown:
            return
        chosen = {label_of(bond): bond for bond, _ in (shown[0], shown[-1])}
        frames = [medians(self._table, part).assign(part=name) for part, name in _PARTS.items()]
        data = pandas.concat(frames)
        caption = f"Where the time of a training step goes; the readouts are part of the forward. {self._about}."
        with drawing(self._drawn, self._out, f"scaling_parts{self._suffix}", caption, data, width=7.5) as canvas:
            panels = canvas.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
            for axes, (label, bond) in zip(panels, chosen.items(), strict=True):
                own = dict(lines_of(data))[bond]
                for index, (name, line) in enumerate(own.groupby("part", sort=False)):
                    axes.plot(line["qubits"], line["median"], label=name, **style_of(index))
                axes.set_yscale("log")
                qubit_axis(axes, own)
                axes.set_title(f"{label}, {seeds_in(self._table)}")
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
        with drawing(
            self._drawn, self._out, f"scaling_errors{self._suffix}", caption, data[columns], width=10, height=3.6
        ) as canvas:
            panels = canvas.subplots(1, 3)
            for axes, (quantity, label) in zip(panels, ERRORS.items(), strict=True):
                for index, (n, part) in enumerate(data.groupby("qubits")):
                    line = part.groupby("max_bond").median(numeric_only=True)
                    axes.plot(line.index, line[quantity].clip(lower=_ROUNDING), label=f"{n} qubits", **style_of(index))
                    if quantity == "exact.infidelity":
                        bound = line["exact.infidelity_bound"].clip(lower=_ROUNDING)
                        axes.plot(line.index, bound, **{**style_of(index), "linestyle": ":", "markerfacecolor": "none"})
                axes.set_yscale("log")
                axes.set_xscale("log", base=2)
                axes.set_xticks(bonds := sorted(data["max_bond"].unique()), [f"{bond:g}" for bond in bonds])
                axes.set_xlabel("bond dimension χ")
                axes.set_ylabel(label)
            panels[1].set_title(f"{self._title}, {seeds_in(self._table)}")
            panels[2].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    def _metric(self) -> None:
        done = self._table[self._table["metric"].notna()]
        name, steps = done.iloc[0]["metric_name"], done.iloc[0]["steps"]
        data = medians(self._table, "metric")
        caption = (
            f"Test {name} after {steps} training steps from the task's own start, a fixed budget, far from the end "
            f"of learning: median over the seeds, bars from lowest to highest. {self._about}."
        )
        with drawing(self._drawn, self._out, f"scaling_metric{self._suffix}", caption, data, width=7) as canvas:
            axes = canvas.add_subplot()
            lines = lines_of(data)
            for index, (bond, line) in enumerate(lines):
                # Shifted a little, so that points on top of each other stay apart.
                shift = 1 + 0.012 * (index - (len(lines) - 1) / 2)
                bars = [line["median"] - line["low"], line["high"] - line["median"]]
                axes.errorbar(
                    line["qubits"] * shift, line["median"], bars, capsize=2, label=label_of(bond), **style_of(index)
                )
            qubit_axis(axes, self._table)
            axes.set_ylabel(f"test {name} after {steps} steps (no unit)")
            axes.set_title(f"{self._title}, {seeds_in(self._table)}")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _note(crossover: Crossover) -> str:
    """Say in a few words from where on the MPS is the faster one."""
    if crossover.above is None:
        return f"χ = {crossover.max_bond}: not distinguishable"
    between = f"{crossover.below}–{crossover.above}" if crossover.below else f"≤ {crossover.above}"
    budget = " (budget)" if "over budget" in crossover.why else ""
    return f"χ = {crossover.max_bond} faster from n = {between}{budget}"
