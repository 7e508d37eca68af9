"""The pictures of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from studies.benchmark.measure import Measurement
from studies.benchmark.mps_measure import MPSMeasurement
from studies.style import figure, look

AXES = {
    "n_qubits": "qubits",
    "n_layers": "layers",
    "batch": "samples",
    "timesteps": "timesteps",
    "max_bond": "bond dimension",
}
FORWARD_ONLY = "forward_only_seconds"  # of an MPSMeasurement
Measured = Measurement | MPSMeasurement
Value = Callable[[Measured], float | None]


def draw(measurements: Sequence[Measured], folder: Path) -> list[Path]:
    """Write pictures of time and memory against every size that varies; return the paths of those that were drawn.

    The other sizes are those of the first measurement.
    """
    present = [axis for axis in AXES if hasattr(measurements[0], axis)]
    varied = [axis for axis in present if len({getattr(m, axis) for m in measurements}) > 1]
    paths = [path for axis in varied or ["n_qubits"] for path in _draw_against(axis, present, measurements, folder)]
    return [path for path in paths if path.exists()]


def _draw_against(axis: str, present: list[str], measurements: Sequence[Measured], folder: Path) -> list[Path]:
    others = [name for name in present if name != axis]
    first = measurements[0]
    line = [m for m in measurements if all(getattr(m, name) == getattr(first, name) for name in others)]
    what: dict[str, tuple[str, Value]] = {"time": ("training step, forward and backward (s)", lambda m: m.step_seconds)}
    if isinstance(first, MPSMeasurement):
        what["forward"] = ("forward only (s)", lambda m: getattr(m, FORWARD_ONLY))
    if all(m.peak_bytes is not None for m in line):
        what["memory"] = ("peak of the memory (MiB)", lambda m: (m.peak_bytes or 0) / 2**20 or None)
    else:
        what["memory"] = ("stored for the backward (MiB)", lambda m: m.stored_bytes / 2**20 or None)
    paths = []
    for name, (label, value) in what.items():
        paths.append(folder / f"{name}_against_{AXES[axis].replace(' ', '_')}.png")
        with figure(paths[-1], width=6.5) as drawing:
            axes = drawing.add_subplot()
            _lines(axes, axis, line, value)
            if name == "time":
                _floor(axes, axis, line)
            _finish(axes, axis, line, label, ", ".join(_size(first, other) for other in others))
    return paths


def _size(measured: Measured, axis: str) -> str:
    value = getattr(measured, axis)
    return f"χ = {value}" if axis == "max_bond" else f"{value} {AXES[axis]}"


def _lines(axes: Axes, axis: str, measurements: Sequence[Measured], value: Value) -> None:
    for index, name in enumerate(dict.fromkeys(m.simulator for m in measurements)):
        own = [(getattr(m, axis), value(m)) for m in measurements if m.simulator == name]
        points = [(size, number) for size, number in own if number is not None]
        if points:
            axes.plot(*zip(*points, strict=True), **look(index), label=name)


def _floor(axes: Axes, axis: str, measurements: Sequence[Measured]) -> None:
    """What the counted operations of the statevector would take at the speed of a matrix product."""
    own = [m for m in measurements if isinstance(m, Measurement) and m.simulator == measurements[0].simulator]
    if own:
        floor = [m.flop_floor_seconds for m in own]
        axes.plot([getattr(m, axis) for m in own], floor, color="0.5", linestyle=":", label="counted operations")


def _finish(axes: Axes, axis: str, measurements: Sequence[Measured], label: str, title: str) -> None:
    axes.set_yscale("log")
    if axis != "n_qubits":  # sizes that double
        axes.set_xscale("log", base=2)
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.set_xticks(sizes := sorted({getattr(m, axis) for m in measurements}), [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
