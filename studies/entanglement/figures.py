"""The figures of the entanglement study, for every model by itself. They read the table and the cells' arrays."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pandas

from studies.engine.drawing import Drawn, seeds_in
from studies.engine.job import DONE
from studies.entanglement.draw_maps import draw_maps
from studies.entanglement.draw_spectra import draw_progress, draw_spectra
from studies.entanglement.draw_trajectories import draw_bloch, draw_pca
from studies.entanglement.measure import TRAINING
from studies.entanglement.seen import Seen
from studies.plots import Album


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    """Draw maps, spectra, Bloch and PCA trajectories and progress of every model into `out`; only what is done.

    Curves are means over the seeds; maps and trajectories are those of the first seed, as states of different
    trainings cannot be laid over each other.
    """
    drawn: list[Drawn] = []
    done = table[table["status"] == DONE]
    taken: set[str] = set()
    for _, part in done.groupby(list(TRAINING), sort=False, dropna=False):
        name = _free(str(part["name"].iloc[0]), taken)
        cells = [Seen.of(Path(row.folder), int(row.seed)) for row in part.itertuples()]
        n_qubits, metric = int(part["qubits"].iloc[0]), str(part["metric_name"].iloc[0])
        album = Album(out, seeds_in(part), drawn)
        draw_maps(album, name, cells[0], n_qubits)
        draw_spectra(album, name, cells)
        draw_progress(album, name, cells, n_qubits, metric)
        draw_bloch(album, name, cells[0], n_qubits)
        draw_pca(album, name, cells[0])
    return drawn


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other group has, and take it: the configuration may be run with several sizes."""
    numbered = (f"{name}_{number}" for number in count(2))
    free = name if name not in taken else next(other for other in numbered if other not in taken)
    taken.add(free)
    return free
