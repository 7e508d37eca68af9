"""A picture of where a translator looks: for every written token, the weights over the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lightning_modules.runs.pictures import or_said


@dataclass(frozen=True)
class AttentionMap:
    """One translation: its tokens, the source's, and the weights (target, source), rows summing to 1."""

    source: Sequence[str]
    target: Sequence[str]
    weights: Tensor


def draw_attention(maps: Sequence[AttentionMap], path: Path) -> None:
    """Write one picture with a panel per translation, in shades of grey: white is 0, black is 1.

    A picture that cannot be drawn is said, and costs nothing else.
    """
    if maps:
        with or_said(path):
            _draw(maps, path)


def _draw(maps: Sequence[AttentionMap], path: Path) -> None:
    # Its own canvas, not pyplot's: nothing global changes in the process that trains.
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    widest = max(len(each.source) for each in maps)
    tallest = max(len(each.target) for each in maps)
    columns = min(2, len(maps))
    rows = -(-len(maps) // columns)
    size = (columns * (1.6 + 0.42 * widest) + 0.8, rows * (1.5 + 0.34 * tallest))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, each in zip(panels, maps, strict=False):
        _draw_panel(axes, each)
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    shades = ScalarMappable(Normalize(0, 1), "Greys")
    figure.colorbar(shades, ax=panels.tolist(), label="attention weight", shrink=0.8)
    figure.savefig(path, dpi=200)


def _draw_panel(axes: Any, each: AttentionMap) -> None:
    if not each.weights.numel():  # its first token was the end
        axes.set_title("nothing was written", fontsize="medium")
        axes.set_axis_off()
        return
    axes.imshow(each.weights.float().cpu().numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(each.source)), each.source, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(each.target)), each.target)
    axes.set_xlabel("source token")
    axes.set_ylabel("written token")
