"""Schmidt spectra, and entanglement against training progress: means over the seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas

from studies.entanglement.page import page_entropy
from studies.entanglement.seen import Seen
from studies.plots import Album, beside, line_over_seeds, long_table, whole_numbers
from studies.style import EXACT, look

_LOWEST = 1e-8  # single precision
_STEPS = 4  # timesteps whose spectra are drawn


def draw_spectra(album: Album, task: str, cells: Sequence[Seen]) -> None:
    """Squared Schmidt values of the middle cut at some timesteps, largest first."""
    spectra = np.stack([cell.arrays["spectrum"] for cell in cells])
    _, last, ranks = spectra.shape
    places = {"seed": [cell.seed for cell in cells], "timestep": range(1, last + 1), "number": range(1, ranks + 1)}
    data = long_table(spectra, "weight", **places)
    caption = (
        f"{task}: squared Schmidt values of the middle cut, largest first, mean over the test sequences and "
        f"{album.seeds}. The dotted line is the flat spectrum of a maximally entangled state, 1/{ranks}. What a bond "
        "dimension χ cuts off is what lies to the right of χ."
    )
    title, x = f"{task}: Schmidt spectrum of the middle cut ({album.seeds})", "Schmidt value, by size"
    with album.axes(f"{task}_spectra", caption, data, title=title, x=x, y="squared Schmidt value", width=7.5) as axes:
        for index, step in enumerate(np.unique(np.linspace(1, last, min(last, _STEPS)).round().astype(int)).tolist()):
            mean = data[data["timestep"] == step].groupby("number")["weight"].mean().clip(lower=_LOWEST)
            axes.plot(mean.index, mean, **look(index), label=f"timestep {step}")
        axes.axhline(1 / ranks, color=EXACT, linestyle=":", label="maximally entangled")
        axes.set_yscale("log")
        axes.set_xticks(range(1, ranks + 1) if ranks <= 16 else np.linspace(1, ranks, 9).round())


def draw_progress(album: Album, task: str, cells: Sequence[Seen], n_qubits: int, metric: str) -> None:
    """Entropy and validation metric against the epoch; nothing for a checkpoint, whose training was not watched."""
    data = pandas.DataFrame([{"seed": cell.seed, **line} for cell in cells for line in cell.epochs])
    if data.empty:
        return
    caption = (
        f"{task}: entanglement entropy in nats against the training's progress, mean and standard deviation, "
        f"{album.seeds}; epoch 0 is the untrained model. Middle cut: mean over test sequences and timesteps. Largest: "
        "over cuts and timesteps, mean over test sequences. Dashed: Page's value of the middle cut. Below, the "
        "validation metric."
    )
    with album.figure(f"{task}_progress", caption, data, width=7.5, height=4.4) as canvas:
        upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        for index, (name, label) in enumerate({"largest": "largest", "middle": "middle cut"}.items()):
            line_over_seeds(upper, data, "epoch", name, **look(index), label=label)
        page = page_entropy(n_qubits, n_qubits // 2)
        upper.axhline(page, color=EXACT, linestyle="--", label="Page's value, middle cut")
        upper.set_ylim(bottom=0)
        upper.set_ylabel("entropy (nats)")
        beside(upper)
        line_over_seeds(lower, data[data["epoch"] > 0], "epoch", f"val_{metric}", **look(2))
        lower.set(xlabel="epoch", ylabel=f"validation\n{metric}")
        whole_numbers(lower)
        canvas.suptitle(f"{task}: entanglement while it learns ({album.seeds})")
