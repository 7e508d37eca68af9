"""One cell: a model, trained for a small budget or taken from a checkpoint, and what its hidden state does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import require_positive_int
from lightning_modules.tasks.trained_run import TrainedRun
from studies.engine.study import Price
from studies.entanglement.observe import WHO, observe, time_labels, watched_cell
from studies.entanglement.progress import read_epochs
from studies.evaluation import evaluated, features, first_sequences
from studies.fresh_folder import beside
from studies.training import PROCESS_BYTES, facts, trained, training_price

EPOCHS = "epochs.jsonl"
TRAINING = ("config", "n_qubits", "epochs", "flags", "checkpoint")  # settings that say which model it is
_READING_SECONDS = 15.0  # imports, the test set, and the readings of the state


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return entropies in nats and the metric; write arrays.npz, texts.json, and epochs.jsonl if it was trained here.

    arrays.npz, for n qubits, T timesteps, S sequences: `entropy` (S, T, n - 1), `spectrum` (T, 2^(n / 2)), mean over
    the sequences, `readouts` (S, T, 3 n), `classes` (S,) (-1 where a sequence has none), `inputs` (shown, T, features).
    """
    run = _run(settings, seed, folder)
    model, data = run.model(), run.data()
    batch_inputs, targets = first_sequences(data, settings["samples"])
    seen = observe(model, batch_inputs)
    shown = _chosen(targets, settings["shown"])
    classes = targets if targets.dim() == 1 else torch.full((len(targets),), -1)
    np.savez(
        folder / "arrays.npz",
        entropy=seen.entropy.numpy(),
        spectrum=seen.spectrum.nanmean(0).numpy(),
        readouts=seen.readouts.numpy(),
        classes=classes.numpy(),
        shown=np.array(shown),
        inputs=features(model, batch_inputs[shown])[0].numpy(),
    )
    labels = time_labels(model, data, batch_inputs[shown])
    (folder / "texts.json").write_text(json.dumps({"labels": labels}))
    middle = seen.entropy.shape[2] // 2
    metric, loss = evaluated(model, data, run.task.headline)
    return {
        **facts(run),
        "name": beside(run.checkpoint).name if settings["config"] is None else Path(settings["config"]).stem,
        "qubits": watched_cell(model).backend.n_qubits,
        "metric_name": run.task.headline,
        "metric": metric,
        "loss": loss,
        "entropy_middle": float(seen.entropy[:, :, middle].nanmean()),
        "entropy_largest": float(seen.entropy.nan_to_num(0).amax((1, 2)).mean()),
    }


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


def _run(settings: Mapping[str, Any], seed: int, folder: Path) -> TrainedRun:
    if settings["checkpoint"] is not None:
        return TrainedRun.of(Path(settings["checkpoint"]))
    path = (folder / EPOCHS).resolve()
    callback = {
        "class_path": "studies.entanglement.progress.EntropyByEpoch",
        "init_args": {"path": str(path), "samples": settings["samples"]},
    }
    run = trained(settings, seed, folder, "--trainer.callbacks", json.dumps([callback]))
    assert read_epochs(path)
    return run


def _chosen(targets: Tensor, count: int) -> list[int]:
    """Return the numbers of the first `count` sequences, of different classes as long as there are any."""
    if targets.dim() > 1:
        return list(range(min(count, len(targets))))
    values = targets.tolist()
    first = [values.index(value) for value in dict.fromkeys(values)]
    return (first + [number for number in range(len(values)) if number not in first])[:count]
