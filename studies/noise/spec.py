"""Noise in words: "exact", "shots=100", "state_depolarising=0.05", or several of them with blanks between."""

from __future__ import annotations

from typing import Any

import yaml

from backends.errors import InvalidInput, require_choice
from tnqrnn import ReadoutNoise

WHO = "study noise"
EXACT = "exact"
KINDS = ("shots", "state_depolarising", "depolarising")


def noise_of(words: object) -> dict[str, Any]:
    """Return the settings of a task for some noise; every kind that is not named is off.

    Raises:
        InvalidInput: They are not of this form, or the values cannot work.
    """
    settings: dict[str, Any] = {"shots": None, "state_depolarising": None, "depolarising": 0.0}
    if not isinstance(words, str) or not words.split():
        raise InvalidInput(f"{WHO}: noise must be {EXACT!r} or like 'shots=100', got {words!r}.")
    for word in [] if words == EXACT else words.split():
        kind, equals, value = word.partition("=")
        require_choice(WHO, "kind of noise", kind, KINDS)
        if not equals:
            raise InvalidInput(f"{WHO}: {word!r} needs a value, such as '{kind}={100 if kind == 'shots' else 0.05}'.")
        settings[kind] = yaml.safe_load(value)
    ReadoutNoise(
        shots=settings["shots"],
        depolarising=settings["depolarising"],
        state_depolarising=0.0 if settings["state_depolarising"] is None else settings["state_depolarising"],
    )
    return settings


def single(words: str) -> tuple[str, float] | None:
    """Return kind and strength where there is exactly one kind of noise, for an axis; None otherwise."""
    if words == EXACT or len(words.split()) > 1:
        return None
    kind, _, _ = words.partition("=")
    return kind, float(noise_of(words)[kind])
