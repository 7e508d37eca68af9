"""What a run needs of a task and its data, asked before anything is trained, and what it does without.

A class of a user's own that lacks something must not find out after the training, when the result is to be written.
"""

from __future__ import annotations

import json

from backends.errors import InvalidInput
from lightning_modules.data.loaders import SequenceData
from lightning_modules.tasks.task import SPLITS, SequenceTask

KINDS = ("real", "synthetic")
SIZES = ("input_size", "output_size", "sequence_length")


def require_contract(model: SequenceTask, data: SequenceData) -> None:
    """Refuse a task or data that lack what the run will need of them.

    Raises:
        InvalidInput: Names the class and what is missing.
    """
    who = type(data).__name__
    kind = getattr(data, "data_kind", None)
    if kind not in KINDS:
        raise InvalidInput(f"{who}: data_kind must be one of {', '.join(KINDS)}, got {kind!r}; set it in the class.")
    for name in SIZES:
        size = getattr(data, name, None)
        if type(size) is not int or size < 1:
            raise InvalidInput(f"{who}: {name} must be an integer of at least 1, got {size!r}; set it in __init__.")
    if not isinstance(digest := getattr(data, "sha256", None), str):
        raise InvalidInput(f"{who}: sha256 must be the digest of the data as text, got {digest!r}; set it in __init__.")
    for split in SPLITS:
        if len(data.dataset(split)) < 1:
            raise InvalidInput(f"{who}: the split {split!r} is empty; every split needs at least one sample.")
    try:
        json.dumps(data.facts())
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{who}: facts() must return plain values by name ({error}).") from error
    if type(model).read is SequenceTask.read:
        raise InvalidInput(f"{type(model).__name__}: read(z), which turns readouts into logits, is not written.")


def baselines_of(data: SequenceData) -> tuple[dict[str, float], str | None]:
    """Return the baselines, and why there are none if they fail: a yardstick must not cost the result."""
    try:
        return {name: float(value) for name, value in data.baselines().items()}, None
    except Exception as error:  # of any library that counts words
        return {}, f"no baselines: {type(data).__name__}.baselines failed ({_told(error)})"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
