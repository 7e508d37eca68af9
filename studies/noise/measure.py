"""One cell: weights trained with or without noise, tested with several kinds and strengths of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.tasks.task import SequenceTask
from studies.engine.study import Price
from studies.evaluation import evaluated, require_qrnn
from studies.noise.spec import EXACT, KINDS, WHO, noise_of
from studies.training import facts, trained, training_price
from tnqrnn import QRNNCell

_TEST_SECONDS = 0.2  # to set up one test


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


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    for name in ("epochs", "draws"):
        require_positive_int(WHO, name, settings[name])
    if not isinstance(settings["tested_with"], list) or not settings["tested_with"]:
        raise InvalidInput(f"{WHO}: tested_with must be a list of noise such as '[exact, shots=100]'.")
    flags_of(settings["trained_with"])

    def watched(model: SequenceTask) -> QRNNCell:
        if any(model.hparams[kind] for kind in KINDS):
            raise InvalidInput(f"{WHO}: the noise of a training is given by trained_with, not by config or flags.")
        every = (settings["trained_with"], *settings["tested_with"])
        if model.continues_state and any(noise_of(words)["state_depolarising"] for words in every):
            raise InvalidInput(
                f"{WHO}: a {type(model).__name__} goes on from the state of an earlier call, whose age is not known to "
                "state_depolarising; leave it out of trained_with and tested_with."
            )
        return require_qrnn(WHO, model)

    tests = sum(settings["draws"] if noise_of(words)["shots"] is not None else 1 for words in settings["tested_with"])
    found = training_price(settings, watched, tested_with=[None] * tests)
    return Price(found.seconds + tests * _TEST_SECONDS, found.bytes)


def flags_of(words: str) -> list[str]:
    """Return the settings of a training with some noise; it validates with the same noise."""
    given = noise_of(words)
    flags = [part for name, value in given.items() if value for part in (f"--model.{name}", str(value))]
    return flags if words != EXACT else []
