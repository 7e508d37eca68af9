"""Heat maps of the entropy by cut and timestep, of chosen inputs, with Page's values beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.entanglement.page import page_values
from studies.entanglement.seen import Seen
from studies.plots import Album, long_table

_MOST_LABELS = 40  # more do not fit beside each other
_NUMBERED = 9


def draw_maps(album: Album, task: str, cell: Seen, n_qubits: int) -> None:
    """One map for every chosen input: what is read below it, Page's value at every cut in the narrow column."""
    shown, page = cell.arrays["shown"].tolist(), page_values(n_qubits)
    data = pandas.concat([_table(cell, place, page) for place in range(len(shown))])
    caption = (
        f"{task}: entanglement entropy in nats by cut (qubits on its left) and timestep, for {len(shown)} test "
        f"sequences; one training (seed {cell.seed}). Beside each map, on the same scale, Page's value: "
        "the mean entropy of random states of as many qubits (arXiv:gr-qc/9305007)."
    )
    with album.figure(f"{task}_maps", caption, data, width=7.0, height=2.6 * len(shown) + 0.6) as canvas:
        _draw(canvas, cell, shown, page)
        canvas.suptitle(f"{task}: entanglement while it reads (1 seed)")


def _table(cell: Seen, place: int, page: list[float]) -> pandas.DataFrame:
    """Numbers of one map: timestep by timestep, cut by cut."""
    number = int(cell.arrays["shown"][place])
    entropy, cuts = cell.arrays["entropy"][number], range(1, len(page) + 1)
    steps = range(1, len(entropy) + 1)
    labels = cell.labels[place] or [""] * len(entropy)
    data = long_table(entropy, "entropy_nats", timestep=steps, cut=cuts).assign(page_nats=page * len(entropy))
    data.insert(1, "label", [label for label in labels for _ in cuts])
    data.insert(0, "class", int(cell.arrays["classes"][number]))
    data.insert(0, "sequence", number)
    return data


def _draw(canvas: Figure, cell: Seen, shown: list[int], page: list[float]) -> None:
    pixels = cell.arrays["inputs"].shape[2] > 1 and not any(cell.labels)
    heights = [ratio for _ in shown for ratio in ((3, 1) if pixels else (1,))]
    grid = canvas.add_gridspec(len(heights), 2, width_ratios=(24, 1), height_ratios=heights)
    per_map = 2 if pixels else 1
    images = []
    for place, number in enumerate(shown):
        axes = canvas.add_subplot(grid[per_map * place, 0])
        entropy = cell.arrays["entropy"][number]
        steps = int(np.isfinite(entropy[:, 0]).sum()) or len(entropy)  # a sequence without a number is an empty map
        images.append(_map(axes, entropy[:steps].T, max(page)))
        kind = int(cell.arrays["classes"][number])
        axes.set_title(f"test sequence {number}" + (f", class {kind}" if kind >= 0 else ""), fontsize="medium")
        below = axes
        if pixels:
            below = canvas.add_subplot(grid[per_map * place + 1, 0], sharex=axes)
            below.imshow(cell.arrays["inputs"][place, :steps].T, aspect="auto", cmap="gray", interpolation="nearest")
            below.grid(False)
            below.set_yticks([])
            below.set_ylabel("pixels\nof the row", fontsize="small")
            axes.tick_params(labelbottom=False)
        _label_time(below, cell.labels[place][:steps], steps)
        beside = canvas.add_subplot(grid[per_map * place, 1], sharey=axes)
        _map(beside, np.array(page)[:, None], max(page))
        beside.tick_params(labelleft=False)
        beside.set_ylabel("")
        beside.set_xticks([0], ["Page"])
    canvas.colorbar(images[0], ax=canvas.axes, label="entanglement entropy (nats)")


def _map(axes: Axes, values: np.ndarray[Any, Any], most: float) -> Any:
    image = axes.imshow(
        values, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=most, interpolation="nearest"
    )
    axes.grid(False)
    cuts = len(values)
    axes.set_yticks(range(cuts), [str(cut) for cut in range(1, cuts + 1)])
    axes.set_ylabel("cut")
    return image


def _label_time(axes: Axes, labels: list[str], steps: int) -> None:
    """Name every timestep by what is read at it, where that has a name and there is room."""
    if labels and steps <= _MOST_LABELS:
        axes.set_xticks(range(steps), labels, rotation=90, fontsize="small")
        axes.set_xlabel("what is read (one timestep each)")
        return
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, _NUMBERED)).round().astype(int))
    axes.set_xticks(chosen, [str(step + 1) for step in chosen])
    axes.set_xlabel("timestep")
