"""metrics.jsonl: one JSON object per line, append-only.

    {"step": 63, "epoch": 2, "time": 1767225600.1, "train_loss": 0.52, "train_accuracy": 0.83}

`step` is the number of the optimiser step, from 0; `time` is in seconds since 1970. A run that was killed and resumed
repeats the steps after its last checkpoint; their lines are already there, and are the same, so they are not written
again.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger


class MetricsLog(Logger):
    """A Lightning logger that appends to one file and never rewrites it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._written: set[tuple[int, str]] | None = None

    @property
    def name(self) -> str:
        """Return an empty name: Lightning would put a folder of that name into the run's own."""
        return ""

    @property
    def version(self) -> str:
        """Return an empty version: a run directory holds one run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the settings are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append the metrics of one step that are not in the file yet."""
        step = step or 0
        if self._written is None:
            self._written = {(row["step"], name) for row in read_metrics(self.path) for name in row}
        values = {name: value for name, value in metrics.items() if name != "epoch"}
        new = {name: _json_number(value) for name, value in values.items() if (step, name) not in self._written}
        if new:
            self._append({"step": step, "epoch": int(metrics.get("epoch", 0)), "time": round(time.time(), 3), **new})
            self._written.update((step, name) for name in new)

    def _append(self, row: dict[str, Any]) -> None:
        line = json.dumps(row, allow_nan=False) + "\n"
        if self.path.exists() and _ends_torn(self.path):
            line = "\n" + line
        # One write of one whole line to a file opened for appending: a kill leaves no half line behind.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            left = line.encode()
            while left:  # a disk that becomes full takes a part, and complains the next time only
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a metrics.jsonl; a line that a full disk or a power cut broke is left out, and named."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:  # no JSON, or no UTF-8
            row = None
        if isinstance(row, dict) and type(row.get("step")) is int:
            yield row
        elif line.strip():
            logging.getLogger("tnqrnn").warning(
                "metrics: line %d of %s is no JSON object with an integer 'step'; it is left out", number, path
            )


def _json_number(value: float) -> float | str:
    """Return `value`, or its name: JSON has no NaN and no infinity."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"
