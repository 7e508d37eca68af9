"""Schmidt spectra, and entanglement against training progress: means over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas
from matplotlib.ticker import MaxNLocator

from studies.engine.drawing import Drawn, drawing
from studies.entanglement.page import page_entropy
from studies.entanglement.seen import Seen
from studies.style import EXACT, look

_LOWEST = 1e-8  # single precision
_STEPS = 4  # timesteps whose spectra are drawn


def draw_spectra(drawn: list[Drawn], out: Path, task: str, cells: Sequence[Seen], n: str) -> None:
    """Squared Schmidt values of the middle cut at some timesteps, largest first."""
    rows = [
        {"seed": cell.seed, "timestep": t, "number": k, "weight": weight}
        for cell in cells
        for t, weights in enumerate(cell.arrays["spectrum"].tolist(), 1)
        for k, weight in enumerate(weights, 1)
    ]
    data = pandas.DataFrame(rows)
    last, ranks = int(data["timestep"].max()), int(data["number"].max())
    caption = (
        f"{task}: squared Schmidt values of the middle cut, largest first, mean over the test sequences and {n}. The "
        f"dotted line is the flat spectrum of a maximally entangled state, 1/{ranks}. What a bond dimension χ cuts off "
        "is what lies to the right of χ."
    )
    with drawing(drawn, out, f"{task}_spectra", caption, data, width=7.5) as canvas:
        axes = canvas.add_subplot()
        for index, step in enumerate(np.unique(np.linspace(1, last, min(last, _STEPS)).round().astype(int)).tolist()):
            mean = data[data["timestep"] == step].groupby("number")["weight"].mean().clip(lower=_LOWEST)
            axes.plot(mean.index, mean, **look(index), label=f"timestep {step}")
        axes.axhline(1 / ranks, color=EXACT, linestyle=":", label="maximally entangled")
        axes.set_yscale("log")
        axes.set_xticks(range(1, ranks + 1) if ranks <= 16 else np.linspace(1, ranks, 9).round())
        axes.set_xlabel("Schmidt value, by size")
        axes.set_ylabel("squared Schmidt value")
        axes.set_title(f"{task}: Schmidt spectrum of the middle cut ({n})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_progress(
    drawn: list[Drawn], out: Path, task: str, cells: Sequence[Seen], n: str, n_qubits: int, metric: str
) -> None:
    """Entropy and validation metric against the epoch; nothing for a checkpoint, whose training was not watched."""
    rows = [{"seed": cell.seed, **line} for cell in cells for line in cell.epochs]
    if not rows:
        return
    data, page = pandas.DataFrame(rows), page_entropy(n_qubits, n_qubits // 2)
    caption = (
        f"{task}: entanglement entropy in nats against the training's progress, mean and standard deviation, {n}; "
        "epoch 0 is the untrained model. Middle cut: mean over test sequences and timesteps. Largest: over cuts and "
        "timesteps, mean over test sequences. Dashed: Page's value of the middle cut. Below, the validation metric."
    )
    with drawing(drawn, out, f"{task}_progress", caption, data, width=7.5, height=4.4) as canvas:
        upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        for index, (name, label) in enumerate({"largest": "largest", "middle": "middle cut"}.items()):
            by_epoch = data.groupby("epoch")[name].agg(["mean", "std"]).fillna(0.0)
            upper.errorbar(by_epoch.index, by_epoch["mean"], by_epoch["std"], **look(index), capsize=3, label=label)
        upper.axhline(page, color=EXACT, linestyle="--", label="Page's value, middle cut")
        upper.set_ylim(bottom=0)
        upper.set_ylabel("entropy (nats)")
        upper.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        by_epoch = data[data["epoch"] > 0].groupby("epoch")[f"val_{metric}"].agg(["mean", "std"]).fillna(0.0)
        lower.errorbar(by_epoch.index, by_epoch["mean"], by_epoch["std"], **look(2), capsize=3)
        lower.set_ylabel(f"validation\n{metric}")
        lower.set_xlabel("epoch")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.suptitle(f"{task}: entanglement while it learns ({n})")
