"""The pictures of a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes

from studies.benchmark.measure import Measurement
from studies.style import figure, look

AXES = {"n_qubits": "qubits", "n_layers": "layers", "batch": "samples", "timesteps": "timesteps"}


def draw(measurements: list[Measurement], folder: Path) -> list[Path]:
    """Write a picture of time and one of memory against every size that varies; return the paths.

    The other sizes are those of the first measurement.
    """
    varied = [axis for axis in AXES if len({getattr(m, axis) for m in measurements}) > 1]
    return [path for axis in varied or ["n_qubits"] for path in _draw_against(axis, measurements, folder)]


def _draw_against(axis: str, measurements: list[Measurement], folder: Path) -> list[Path]:
    others = [name for name in AXES if name != axis]
    first = measurements[0]
    line = [m for m in measurements if all(getattr(m, name) == getattr(first, name) for name in others)]
    title = ", ".join(f"{getattr(first, name)} {AXES[name]}" for name in others)
    time, memory = (folder / f"{what}_against_{AXES[axis]}.png" for what in ("time", "memory"))
    with figure(time, width=6.5) as drawing:
        axes = drawing.add_subplot()
        _lines(axes, axis, line, lambda m: m.step_seconds)
        _floor(axes, axis, line)
        _finish(axes, axis, line, "training step, forward and backward (s)", title)
    with figure(memory, width=6.5) as drawing:
        axes = drawing.add_subplot()
        _lines(axes, axis, [m for m in line if m.stored_bytes], lambda m: m.stored_bytes / 2**20)
        _finish(axes, axis, line, "stored for the backward (MiB)", title)
    return [time, memory]


def _lines(axes: Axes, axis: str, measurements: list[Measurement], value: Callable[[Measurement], float]) -> None:
    for index, name in enumerate(dict.fromkeys(m.simulator for m in measurements)):
        own = [m for m in measurements if m.simulator == name]
        axes.plot([getattr(m, axis) for m in own], [value(m) for m in own], **look(index), label=name)


def _floor(axes: Axes, axis: str, measurements: list[Measurement]) -> None:
    """What the counted operations would take at the speed of a matrix product."""
    own = [m for m in measurements if m.simulator == measurements[0].simulator]
    floor = [m.flop_floor_seconds for m in own]
    axes.plot([getattr(m, axis) for m in own], floor, color="0.5", linestyle=":", label="counted operations")


def _finish(axes: Axes, axis: str, measurements: list[Measurement], label: str, title: str) -> None:
    axes.set_yscale("log")
    if axis != "n_qubits":  # sizes that double
        axes.set_xscale("log", base=2)
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.set_xticks(sizes := sorted({getattr(m, axis) for m in measurements}), [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
