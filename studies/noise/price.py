"""What a cell of the noise study costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.errors import InvalidInput, require_positive_int
from studies.engine.study import Price
from studies.noise.measure import flags_of, studied_cell
from studies.noise.spec import WHO, noise_of
from studies.training import training_price

_TEST_SECONDS = 0.2  # to set up one test


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    for name in ("epochs", "draws"):
        require_positive_int(WHO, name, settings[name])
    if not isinstance(settings["tested_with"], list) or not settings["tested_with"]:
        raise InvalidInput(f"{WHO}: tested_with must be a list of noise such as '[exact, shots=100]'.")
    flags_of(settings["trained_with"])
    tests = sum(settings["draws"] if noise_of(words)["shots"] is not None else 1 for words in settings["tested_with"])
    found = training_price(settings, studied_cell, tested_with=[None] * tests)
    return Price(found.seconds + tests * _TEST_SECONDS, found.bytes)
