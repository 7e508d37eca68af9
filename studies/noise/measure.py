"""One cell: weights trained with or without noise, tested with several kinds and strengths of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_modules.tasks.task import SequenceTask
from studies.evaluation import evaluated, require_qrnn
from studies.noise.spec import EXACT, WHO, noise_of
from studies.training import facts, trained
from tnqrnn import QRNNCell


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return the test metric and loss by kind of noise; where shots are drawn, the mean over `draws` of them.

    Noise changes what is fed back as well as what the head sees. That of a training acts in its validation too, and is
    replaced by that of the test.
    """
    run = trained(settings, seed, folder, *flags_of(settings["trained_with"]))
    data = run.data()
    metrics, losses = dict[str, float](), dict[str, float]()
    for words in settings["tested_with"]:
        noise = noise_of(words)
        draws = settings["draws"] if noise["shots"] is not None else 1
        found = [
            evaluated(run.model(**noise, noise_in="both", noise_seed=draw), data, run.task.headline)
            for draw in range(draws)
        ]
        metrics[words], losses[words] = (sum(values) / draws for values in zip(*found, strict=True))
    return {**facts(run), "metric_name": run.task.headline, "metric": metrics, "loss": losses}


def studied_cell(model: SequenceTask) -> QRNNCell:
    """Return the model's QRNN cell; refuses a model that is not one QRNN over a sequence."""
    return require_qrnn(WHO, model)


def flags_of(words: str) -> list[str]:
    """Return the settings of a training with some noise; it validates with the same noise."""
    given = noise_of(words)
    flags = [part for name, value in given.items() if value for part in (f"--model.{name}", str(value))]
    return flags if words != EXACT else []
