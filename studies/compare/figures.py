"""The pictures of a comparison. They read the measured rows and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from torch import Tensor

from studies.compare.rows import Comparison
from studies.style import EXACT, figure, look

# Errors of single precision below this are rounding, not truncation.
ROUNDING = 1e-7


def draw_all(comparison: Comparison, folder: Path) -> list[Path]:
    """Write every figure into `folder` and return the paths of those that could be drawn."""
    drawings: dict[str, tuple[Callable[[Comparison, Figure], None], float]] = {
        "metric.png": (draw_metric, 5.0),
        "readout_error.png": (draw_readout_error, 6.0),
        "fidelity.png": (draw_fidelity, 6.0),
        "gradient.png": (draw_gradient, 5.0),
        "entropy.png": (draw_entropy, 6.0),
        "cost.png": (draw_cost, 7.5),
    }
    for name, (draw, width) in drawings.items():
        with figure(folder / name, width) as drawing:
            draw(comparison, drawing)
    return [folder / name for name in drawings if (folder / name).exists()]


def draw_metric(comparison: Comparison, drawing: Figure) -> None:
    """Task metric on the test set against the bond dimension."""
    axes = drawing.add_subplot(title=f"{comparison.task}: what truncation costs the task")
    values = [row.metric for row in comparison.truncated]
    axes.axhline(comparison.exact.metric, color=EXACT, linestyle="--", label="exact statevector")
    axes.plot(comparison.bonds, values, **look(0), label="MPS, same weights")
    bond_axis(axes, comparison.bonds)
    # A few test samples more or less are no effect of truncation: keep them small in the picture.
    finite = [value for value in (*values, comparison.exact.metric) if math.isfinite(value)]
    if finite:
        axes.set_ylim(min(finite) - 0.03, max(finite) + 0.03)
    axes.set_ylabel(f"test {comparison.metric_name}")
    axes.legend()


def draw_readout_error(comparison: Comparison, drawing: Figure) -> None:
    """Readout error against the timestep, readouts fed back (solid) and driven by the exact angles (dotted)."""
    axes = drawing.add_subplot(title=f"{comparison.task}: readout error over time")
    curves = {bond: (found.readout_closed, found.readout_open) for bond, found in comparison.deviations.items()}
    _over_time(axes, curves, ("readouts fed back", "exact run's angles"))
    axes.set_ylabel("rms readout error  |z − z_exact|")


def draw_fidelity(comparison: Comparison, drawing: Figure) -> None:
    """Infidelity with the exact state (solid) below the bound that the state itself reports (dotted)."""
    axes = drawing.add_subplot(title=f"{comparison.task}: error and its bound, exact run's angles")
    curves = {bond: (found.infidelity, found.bound) for bond, found in comparison.deviations.items()}
    _over_time(axes, curves, ("measured", "ledger's bound"))
    axes.set_ylabel("infidelity  1 − |⟨exact|MPS⟩|²  (mean)")


def draw_gradient(comparison: Comparison, drawing: Figure) -> None:
    """Distance of the gradient from the exact one against the bond dimension."""
    axes = drawing.add_subplot(title=f"{comparison.task}: gradient of the training loss")
    error = [max(row.gradient_error, ROUNDING) for row in comparison.truncated]
    lost = [max(1 - row.gradient_cosine, ROUNDING) for row in comparison.truncated]
    axes.plot(comparison.bonds, error, **look(0), label="relative error")
    axes.plot(comparison.bonds, lost, **look(1), linestyle="--", label="1 − cosine")
    bond_axis(axes, comparison.bonds)
    error_axis(axes)
    axes.set_ylabel("distance from the exact gradient")
    axes.legend()


def draw_entropy(comparison: Comparison, drawing: Figure) -> None:
    """Largest entanglement entropy of the exact state by cut and timestep."""
    axes = drawing.add_subplot(title=f"{comparison.task}: entanglement of the exact state")
    entropy = comparison.exact_entropy.cpu().numpy().T
    image = axes.imshow(entropy, origin="lower", aspect="auto", cmap="cividis", vmin=0, interpolation="nearest")
    axes.grid(False)
    cuts, steps = entropy.shape
    axes.set_yticks(range(cuts), [f"{cut}|{cut + 1}" for cut in range(cuts)])
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, 9)).round().astype(int))
    axes.set_xticks(chosen, [str(step + 1) for step in chosen])
    axes.set_xlabel("timestep")
    axes.set_ylabel("cut between qubits")
    bar = drawing.colorbar(image, ax=axes, label=f"entanglement entropy (nats), largest of {comparison.samples}")
    for bond in comparison.bonds:
        most = math.log(bond)  # what a bond of this dimension can hold
        if 0 < most < float(entropy.max()):
            bar.ax.axhline(most, color="white", linewidth=1.5)
            bar.ax.text(0.5, most, f"χ = {bond}", color="white", ha="center", va="bottom", fontsize=7)


def draw_cost(comparison: Comparison, drawing: Figure) -> None:
    """Time and memory of a training step per timestep against the bond dimension."""
    drawing.suptitle(f"{comparison.task}: cost of a training step (forward and backward)")
    left, right = drawing.subplots(1, 2)
    milliseconds = [1e3 * row.seconds_per_timestep for row in comparison.rows]
    mebibytes = [row.stored_bytes_per_timestep / 2**20 for row in comparison.rows]
    for axes, values in ((left, milliseconds), (right, mebibytes)):
        axes.plot(comparison.bonds, values[1:], **look(0), label="MPS")
        axes.axhline(values[0], color=EXACT, linestyle="--", label="exact")
        bond_axis(axes, comparison.bonds)
        axes.set_ylim(bottom=0)
    left.set_ylabel("time per timestep (ms)")
    right.set_ylabel("stored per timestep (MiB)")
    left.legend()


def bond_axis(axes: Axes, bonds: Sequence[int]) -> None:
    """Logarithmic, with a tick at every bond dimension."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(bonds))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(bond) for bond in bonds])
    axes.set_xlabel("bond dimension χ")


def error_axis(axes: Axes) -> None:
    """Logarithmic, with a line below which an error is rounding and is drawn on the line."""
    axes.set_yscale("log")
    axes.axhline(ROUNDING, color=EXACT, linewidth=0.8)
    axes.annotate("rounding", (1.0, ROUNDING), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)


def _over_time(axes: Axes, curves: Mapping[int, tuple[Tensor, Tensor]], names: tuple[str, str]) -> None:
    """Draw two errors against the timestep for every bond dimension, one solid, one dotted.

    What is zero or rounding is drawn at the level of rounding: the axis is logarithmic.
    """
    for index, (bond, (solid, dotted)) in enumerate(curves.items()):
        steps, style = range(1, len(solid) + 1), look(index)
        axes.plot(steps, solid.clamp(min=ROUNDING), **style, label=f"χ = {bond}")
        axes.plot(steps, dotted.clamp(min=ROUNDING), **style, linestyle=":", markerfacecolor="none")
    for name, line in zip(names, ("-", ":"), strict=True):
        axes.plot([], [], color=EXACT, linestyle=line, label=name)
    axes.set_xlabel("timestep")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    error_axis(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
