"""A small, fast run, and what one looks for in its directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

# Two epochs of five batches of a model that computes nothing slowly; dropout and shuffling are on.
# fmt: off
SMALL = [
    "--config", "digits", "--model.n_qubits", "2", "--model.controller_width", "4", "--model.dropout", "0.5",
    "--trainer.max_epochs", "2", "--trainer.limit_train_batches", "5", "--trainer.log_every_n_steps", "1",
    "--trainer.limit_val_batches", "2", "--trainer.limit_test_batches", "2", "--data.batch_size", "8",
]
# fmt: on

Fit = Callable[..., int]
KillAt = Callable[[int], None]


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def only_run(root: Path) -> Path:
    """Return the one run directory under `root`."""
    [run] = root.iterdir()
    return run


def rows(run: Path) -> list[dict[str, Any]]:
    """Return the rows of the run's metrics.jsonl."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint."""
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state
