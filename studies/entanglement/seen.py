"""One cell of the entanglement study, as its files have it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studies.engine.drawing import arrays_of
from studies.entanglement.measure import EPOCHS
from studies.entanglement.progress import read_epochs


@dataclass(frozen=True)
class Seen:
    """Arrays and labels as `measure` wrote them, and the epochs of the training, if there was one."""

    seed: int
    arrays: dict[str, np.ndarray[Any, Any]]
    labels: list[list[str]]
    epochs: list[dict[str, float]]

    @classmethod
    def of(cls, folder: Path, seed: int) -> Seen:
        """Read the folder of a cell."""
        labels = json.loads((folder / "texts.json").read_text())["labels"]
        path = folder / EPOCHS
        return cls(seed, arrays_of(folder), labels, read_epochs(path) if path.exists() else [])
