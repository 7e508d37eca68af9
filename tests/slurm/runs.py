"""Small trainings that several processes share, and what one looks for in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# fmt: off
_TWO_EPOCHS = ["--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1"]
_TINY = ["--model.n_qubits", "3", "--model.controller_width", "8", *_TWO_EPOCHS]
_SHORT = [*_TINY, "--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "2",
          "--trainer.limit_test_batches", "2"]
# Five steps an epoch of 8 timesteps of 4 qubits; the last batch of training and validation is smaller than the others.
_DIGITS = ["--config", "digits", "--model.n_qubits", "4", "--model.controller_width", "8", "--data.batch_size", "242",
           *_TWO_EPOCHS]
FITS: Mapping[str, list[str]] = {
    "statevector": _DIGITS,
    "mps": [*_DIGITS, "--model.backend", "mps", "--model.max_bond", "2"],
    "copying": ["--config", "copying", "--data.delay", "4", "--data.evaluation_size", "65", *_SHORT],
    "sentiment": ["--config", "sentiment", "--data.train_size", "200", "--data.evaluation_size", "66", *_SHORT],
    "language_modelling": ["--config", "language_modelling", "--data.segment_length", "8", *_SHORT],
    "translation": ["--config", "translation", "--data.largest", "200", "--data.val_size", "33", "--data.test_size",
                    "33", "--data.batch_size", "32", "--model.validation_samples", "20", *_SHORT],
}
# fmt: on


def fit_into(root: Path, name: str) -> list[str]:
    """Return the arguments of a fit whose run is the only one in `root / name`."""
    return [*FITS[name], "--runs", str(root / name)]


def the_run(root: Path) -> Path:
    """Return the one run folder under `root`."""
    [run] = root.iterdir()
    return run


def curve(root: Path) -> dict[tuple[int, str], float]:
    """Return every logged value of the one run under `root`, by step and name."""
    rows = [json.loads(line) for line in (the_run(root) / "metrics.jsonl").read_text().splitlines()]
    about = ("step", "epoch", "time")
    return {(row["step"], name): value for row in rows for name, value in row.items() if name not in about}


def results(root: Path) -> dict[str, float]:
    """Return the metrics of the test."""
    found: dict[str, float] = json.loads((the_run(root) / "result.json").read_text())["metrics"]
    return found
