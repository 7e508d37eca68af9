"""Where the readouts z_t go: on the Bloch disc of every qubit, and in their first two principal components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas

from studies.entanglement.seen import Seen
from studies.plots import Album, style_of
from studies.style import COLOURS, EXACT, look

_MOST_CLASSES = 5
_MOST_QUBITS = 9
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)))
Readouts = np.ndarray[Any, Any]


def by_class(cell: Seen) -> dict[str, Readouts]:
    """Return mean readouts (T, 3 n) by class, of the first few classes; by sequence where there are no classes.

    Timesteps at which fewer than half of a class are still running are left out.
    """
    readouts, classes = cell.arrays["readouts"], cell.arrays["classes"]
    if (classes < 0).all():
        named = {f"sequence {number}": readouts[number] for number in cell.arrays["shown"].tolist()}
    else:
        kinds = np.unique(classes)[:_MOST_CLASSES].tolist()
        named = {f"class {kind}": _mean(readouts[classes == kind]) for kind in kinds}
    return {name: z[np.isfinite(z[:, 0])] for name, z in list(named.items())[:_MOST_CLASSES]}


def draw_bloch(album: Album, task: str, cell: Seen, n_qubits: int) -> None:
    """The reduced state of every qubit in the plane of <X> and <Z>: mean of each class, timestep after timestep."""
    paths = by_class(cell)
    rows = [
        {"of": name, "timestep": t, "qubit": qubit, **dict(zip("xyz", z[qubit::n_qubits], strict=True))}
        for name, steps in paths.items()
        for t, z in enumerate(steps.tolist(), 1)
        for qubit in range(n_qubits)
    ]
    shown = min(n_qubits, _MOST_QUBITS)
    columns = min(3, shown)
    lines = -(-shown // columns)
    caption = (
        f"{task}: mean readouts of each class in the plane of <X> and <Z> of every qubit, timestep after timestep "
        "from the black star, |0>; the large marker is the last timestep. On the circle the qubit is pure: "
        f"inside, it is entangled, or differs between sequences. One training (seed {cell.seed}); <Y> is "
        "in the CSV file."
    )
    data = pandas.DataFrame(rows)
    with album.figure(f"{task}_bloch", caption, data, width=7.5, height=2.5 * lines + 0.7) as canvas:
        for qubit in range(shown):
            axes = canvas.add_subplot(lines, columns, qubit + 1)
            angle = np.linspace(0, 2 * np.pi, 200)
            axes.plot(np.sin(angle), np.cos(angle), color=EXACT, linewidth=0.8)
            axes.plot([0], [1], "*", color="black", markersize=9)
            for index, (name, steps) in enumerate(paths.items()):
                xs, zs = (np.concatenate([[start], steps[:, k * n_qubits + qubit]]) for k, start in ((0, 0), (2, 1)))
                _path(axes, xs, zs, index, name if qubit == 0 else None)
            axes.set_title(f"qubit {qubit}", fontsize="medium")
            axes.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlabel="⟨X⟩", ylabel="⟨Z⟩")
        canvas.legend(loc="outside right upper")
        canvas.suptitle(f"{task}: every qubit while it reads (1 seed)")


def draw_pca(album: Album, task: str, cell: Seen) -> None:
    """The readouts in their first two principal components: mean of each class, and every sequence's end."""
    readouts, classes = cell.arrays["readouts"], cell.arrays["classes"]
    centre, axes_of, share = principal_axes(readouts)
    paths = {name: (steps - centre) @ axes_of for name, steps in by_class(cell).items()}
    ends = (_last(readouts) - centre) @ axes_of
    rows = [
        {"of": name, "timestep": t, "first": a, "second": b}
        for name, steps in paths.items()
        for t, (a, b) in enumerate(steps.tolist(), 1)
    ]
    caption = (
        f"{task}: the readouts of all qubits in their first two principal components ({share[0]:.0%} and "
        f"{share[1]:.0%} of the variance over test sequences and timesteps). Lines: mean of each class, timestep after "
        "timestep, to the large marker. Small dots: every test sequence's last timestep. One training "
        f"(seed {cell.seed})."
    )
    title, x = (
        f"{task}: readouts over time (1 seed)",
        f"first principal component of z ({share[0]:.0%} of the variance)",
    )
    with album.axes(
        f"{task}_pca", caption, pandas.DataFrame(rows), title=title, x=x, y=f"second ({share[1]:.0%})"
    ) as axes:
        for index, (name, steps) in enumerate(paths.items()):
            _path(axes, steps[:, 0], steps[:, 1], index, name)
            own = ends[classes == int(name.split()[1])] if name.startswith("class") else ends[:0]
            axes.plot(own[:, 0], own[:, 1], ".", color=COLOURS[index], alpha=0.5, markersize=4)


def principal_axes(readouts: Readouts) -> tuple[Readouts, Readouts, list[float]]:
    """Return mean (d,), first two principal axes (d, 2) and their shares of the variance, of (S, T, d) without NaN."""
    points = readouts.reshape(-1, readouts.shape[-1])
    points = points[np.isfinite(points[:, 0])]
    if len(points) < 2:  # nothing varies
        return np.zeros(readouts.shape[-1]), np.zeros((readouts.shape[-1], 2)), [0.0, 0.0]
    centre = points.mean(0)
    _, singular, directions = np.linalg.svd(points - centre, full_matrices=False)
    total = float(np.square(singular).sum()) or 1.0
    return centre, directions[:2].T, [float(value**2) / total for value in singular[:2]]


def _path(axes: Any, xs: Readouts, ys: Readouts, index: int, label: str | None) -> None:
    axes.plot(xs, ys, **style_of(index, _DASHES), markersize=3, label=label)
    axes.plot(xs[-1:], ys[-1:], **look(index), markersize=9, markeredgecolor="black")


def _mean(readouts: Readouts) -> Readouts:
    """Mean over the sequences that are still running; NaN where fewer than half are: a few would stand for all."""
    running = np.isfinite(readouts[:, :, :1])
    count = running.sum(0)
    enough = 2 * count >= len(readouts)
    return np.where(enough, np.where(running, readouts, 0).sum(0) / np.maximum(count, 1), np.nan)


def _last(readouts: Readouts) -> Readouts:
    """The readouts after the last timestep of every sequence, (S, d)."""
    steps = np.isfinite(readouts[:, :, 0]).sum(1)
    last: Readouts = readouts[np.arange(len(readouts)), steps - 1]
    return last
