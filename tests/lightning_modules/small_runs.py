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

COSTS = ("seconds", "inference_ms_per_sample", "peak_memory_bytes")

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


def end_of(root: Path) -> dict[str, Any]:
    """Return everything that a run ends with, but for what it cost."""
    run = only_run(root)
    last, best = (torch.load(run / "checkpoints" / name, weights_only=True) for name in ("last.ckpt", "best.ckpt"))
    logged = [
        ((row["step"], name), (row["epoch"], value))
        for row in rows(run)
        for name, value in row.items()
        if name not in ("step", "epoch", "time")
    ]
    assert len(dict(logged)) == len(logged), "a value was logged twice"
    result = json.loads((run / "result.json").read_text())
    return {
        "last": [last[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "global_step")],
        "best": best["state_dict"],
        "logged": dict(logged),
        "result": {name: value for name, value in result.items() if name not in COSTS},
    }


def assert_equal(found: Any, expected: Any, what: str) -> None:
    """The same, bit for bit."""
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), what
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), what
        for name, value in expected.items():
            assert_equal(found[name], value, f"{what}: {name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), what
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_equal(one, other, f"{what}: {number}")
    else:
        assert found == expected, what
