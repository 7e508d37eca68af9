"""One cell of the entanglement study, as its files have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Seen:
    """Arrays and labels as `measure` wrote them, and the epochs of the training, if there was one."""

    seed: int
    arrays: dict[str, np.ndarray[Any, Any]]
    labels: list[list[str]]
    epochs: list[dict[str, float]]
