"""What a cell of the entanglement study costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.errors import require_positive_int
from lightning_modules.tasks.trained_run import TrainedRun
from studies.engine.study import Price
from studies.entanglement.observe import WHO, watched_cell
from studies.training import PROCESS_BYTES, training_price

_READING_SECONDS = 15.0  # imports, the test set, and the readings of the state


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    for name in ("samples", "shown"):
        require_positive_int(WHO, name, settings[name])
    if settings["checkpoint"] is not None:
        watched_cell(TrainedRun.of(Path(settings["checkpoint"])).model())
        return Price(_READING_SECONDS, PROCESS_BYTES)
    require_positive_int(WHO, "epochs", settings["epochs"])
    found = training_price(settings, watched_cell)
    return Price(found.seconds + _READING_SECONDS, found.bytes)
