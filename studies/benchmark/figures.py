"""The pictures of a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from studies.benchmark.measure import Measurement
from studies.style import figure, look


def draw(measurements: list[Measurement], folder: Path) -> list[Path]:
    """Write time.png (seconds of a training step) and memory.png (stored for the backward); return the paths."""
    with figure(folder / "time.png", width=6.5) as drawing:
        axes = drawing.add_subplot()
        _lines(axes, measurements, lambda m: m.step_seconds)
        axes.set_ylabel("training step (s)")
        axes.set_title("forward and backward")
    with figure(folder / "memory.png", width=6.5) as drawing:
        axes = drawing.add_subplot()
        _lines(axes, [m for m in measurements if m.stored_bytes], lambda m: m.stored_bytes / 2**20)
        axes.set_ylabel("stored for the backward (MiB)")
        axes.set_title("memory of a training step")
    return [folder / "time.png", folder / "memory.png"]


def _lines(axes: Axes, measurements: list[Measurement], value: Callable[[Measurement], float]) -> None:
    for index, name in enumerate(dict.fromkeys(m.simulator for m in measurements)):
        own = [m for m in measurements if m.simulator == name]
        axes.plot([m.n_qubits for m in own], [value(m) for m in own], **look(index), label=name)
    axes.set_yscale("log")
    axes.set_xlabel("qubits")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
