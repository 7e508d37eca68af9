"""What a cell of the noise study costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.tasks.task import SequenceTask
from studies.engine.study import Price
from studies.noise.measure import flags_of, studied_cell
from studies.noise.spec import KINDS, WHO, noise_of
from studies.training import training_price
from tnqrnn import QRNNCell

_TEST_SECONDS = 0.2  # to set up one test


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
        return studied_cell(model)

    tests = sum(settings["draws"] if noise_of(words)["shots"] is not None else 1 for words in settings["tested_with"])
    found = training_price(settings, watched, tested_with=[None] * tests)
    return Price(found.seconds + tests * _TEST_SECONDS, found.bytes)
