"""The pictures of a comparison. They read the measured rows and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from torch import Tensor

from studies.compare.rows import Comparison
from studies.style import EXACT, figure, look

# Errors of single precision below this are rounding, not truncation.
ROUNDING = 1e-7


def draw_all(comparison: Comparison, folder: Path) -> list[Path]:
    """Write every figure into `folder` and return the paths of those that could be drawn."""
    drawings: dict[str, Callable[[Comparison, Path], None]] = {
        "metric.png": draw_metric,
        "readout_error.png": draw_readout_error,
        "fidelity.png": draw_fidelity,
        "gradient.png": draw_gradient,
        "entropy.png": draw_entropy,
        "cost.png": draw_cost,
    }
    for name, draw in drawings.items():
        draw(comparison, folder / name)
    return [folder / name for name in drawings if (folder / name).exists()]


def draw_metric(comparison: Comparison, path: Path) -> None:
    """Task metric on the test set against the bond dimension."""
    with figure(path) as drawing:
        axes = drawing.add_subplot()
        bonds = comparison.bonds
        values = [row.metric for row in comparison.truncated]
        axes.axhline(comparison.exact.metric, color=EXACT, linestyle="--", label="exact statevector")
        axes.plot(bonds, values, **look(0), label="MPS, same weights")
        bond_axis(axes, comparison.bonds)
        # A few test samples more or less are no effect of truncation: keep them small in the picture.
        finite = [value for value in (*values, comparison.exact.metric) if math.isfinite(value)]
        if finite:
            axes.set_ylim(min(finite) - 0.03, max(finite) + 0.03)
        axes.set_ylabel(f"test {comparison.metric_name}")
        axes.set_title(f"{comparison.task}: what truncation costs the task")
        axes.legend()


def draw_readout_error(comparison: Comparison, path: Path) -> None:
    """Readout error against the timestep, readouts fed back (solid) and driven by the exact angles (dotted)."""
    with figure(path, width=6.0) as drawing:
        axes = drawing.add_subplot()
        for index, (bond, deviation) in enumerate(comparison.deviations.items()):
            steps = range(1, comparison.timesteps + 1)
            style = look(index)
            axes.plot(steps, _floored(deviation.readout_closed), **style, label=f"χ = {bond}")
            axes.plot(steps, _floored(deviation.readout_open), **style, linestyle=":", markerfacecolor="none")
        axes.plot([], [], color=EXACT, label="readouts fed back")
        axes.plot([], [], color=EXACT, linestyle=":", label="exact run's angles")
        _time_axis(axes)
        error_axis(axes)
        axes.set_ylabel("rms readout error  |z − z_exact|")
        axes.set_title(f"{comparison.task}: readout error over time")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_fidelity(comparison: Comparison, path: Path) -> None:
    """Infidelity with the exact state (solid) below the bound that the state itself reports (dotted)."""
    with figure(path, width=6.0) as drawing:
        axes = drawing.add_subplot()
        for index, (bond, deviation) in enumerate(comparison.deviations.items()):
            steps = range(1, comparison.timesteps + 1)
            style = look(index)
            axes.plot(steps, _floored(deviation.infidelity), **style, label=f"χ = {bond}")
            axes.plot(steps, _floored(deviation.bound), **style, linestyle=":", markerfacecolor="none")
        axes.plot([], [], color=EXACT, label="measured")
        axes.plot([], [], color=EXACT, linestyle=":", label="ledger's bound")
        _time_axis(axes)
        error_axis(axes)
        axes.set_ylabel("infidelity  1 − |⟨exact|MPS⟩|²  (mean)")
        axes.set_title(f"{comparison.task}: error and its bound, exact run's angles")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_gradient(comparison: Comparison, path: Path) -> None:
    """Distance of the gradient from the exact one against the bond dimension."""
    with figure(path) as drawing:
        axes = drawing.add_subplot()
        bonds = comparison.bonds
        error = [max(row.gradient_error, ROUNDING) for row in comparison.truncated]
        axes.plot(bonds, error, **look(0), label="relative error")
        lost = [max(1 - row.gradient_cosine, ROUNDING) for row in comparison.truncated]
        axes.plot(bonds, lost, **look(1), linestyle="--", label="1 − cosine")
        bond_axis(axes, comparison.bonds)
        error_axis(axes)
        axes.set_ylabel("distance from the exact gradient")
        axes.set_title(f"{comparison.task}: gradient of the training loss")
        axes.legend()


def draw_entropy(comparison: Comparison, path: Path) -> None:
    """Largest entanglement entropy of the exact state by cut and timestep."""
    with figure(path, width=6.0) as drawing:
        axes = drawing.add_subplot()
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
        axes.set_title(f"{comparison.task}: entanglement of the exact state")


def draw_cost(comparison: Comparison, path: Path) -> None:
    """Time and memory of a training step per timestep against the bond dimension."""
    with figure(path, width=7.5) as drawing:
        left, right = drawing.subplots(1, 2)
        bonds = comparison.bonds
        left.plot(bonds, [1e3 * row.seconds_per_timestep for row in comparison.truncated], **look(0), label="MPS")
        left.axhline(1e3 * comparison.exact.seconds_per_timestep, color=EXACT, linestyle="--", label="exact")
        left.set_ylabel("time per timestep (ms)")
        right.plot(bonds, [row.stored_bytes_per_timestep / 2**20 for row in comparison.truncated], **look(0))
        right.axhline(comparison.exact.stored_bytes_per_timestep / 2**20, color=EXACT, linestyle="--")
        right.set_ylabel("stored per timestep (MiB)")
        for axes in (left, right):
            bond_axis(axes, comparison.bonds)
            axes.set_ylim(bottom=0)
        left.legend()
        drawing.suptitle(f"{comparison.task}: cost of a training step (forward and backward)")


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


def _time_axis(axes: Axes) -> None:
    axes.set_xlabel("timestep")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _floored(values: Tensor) -> Tensor:
    """For a logarithmic axis: what is zero or rounding is drawn at the level of rounding."""
    return values.clamp(min=ROUNDING)
