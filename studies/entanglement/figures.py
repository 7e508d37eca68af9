"""The figures of the entanglement study, for every model by itself. They read the table and the cells' arrays."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pandas

from studies.engine.drawing import Drawn, arrays_of, seeds_in
from studies.engine.job import DONE
from studies.entanglement.draw_maps import draw_maps
from studies.entanglement.draw_spectra import draw_progress, draw_spectra
from studies.entanglement.draw_trajectories import draw_bloch, draw_pca
from studies.entanglement.measure import EPOCHS, TRAINING
from studies.entanglement.progress import read_epochs
from studies.entanglement.seen import Seen


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw maps, spectra, Bloch and PCA trajectories and progress of every model into `out`; only what is done.

    Curves are means over the seeds; maps and trajectories are those of the first seed, as states of different
    trainings cannot be laid over each other.
    """
    drawn: list[Drawn] = []
    done = table[table["status"] == DONE]
    if done.empty:
        return drawn
    taken: set[str] = set()
    for _, part in done.groupby(list(TRAINING), sort=False, dropna=False):
        name = _free(str(part["name"].iloc[0]), taken)
        pairs = zip(part["folder"], part["seed"], strict=True)
        cells = [_seen(Path(folder), int(seed)) for folder, seed in pairs]
        n_qubits, metric = int(part["qubits"].iloc[0]), str(part["metric_name"].iloc[0])
        draw_maps(drawn, out, name, cells[0], n_qubits)
        draw_spectra(drawn, out, name, cells, seeds_in(part))
        draw_progress(drawn, out, name, cells, seeds_in(part), n_qubits, metric)
        draw_bloch(drawn, out, name, cells[0], n_qubits)
        draw_pca(drawn, out, name, cells[0])
    return drawn


def _seen(folder: Path, seed: int) -> Seen:
    arrays = arrays_of(folder)
    labels = json.loads((folder / "texts.json").read_text())["labels"]
    path = folder / EPOCHS
    return Seen(seed, arrays, labels, read_epochs(path) if path.exists() else [])


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other group has, and take it: the configuration may be run with several sizes."""
    numbered = (f"{name}_{number}" for number in count(2))
    free = name if name not in taken else next(other for other in numbered if other not in taken)
    taken.add(free)
    return free
