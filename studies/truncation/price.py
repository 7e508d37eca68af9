"""What a cell of the truncation study costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.errors import InvalidInput, require_positive_int
from studies.engine.study import Price
from studies.training import training_price
from studies.truncation.measure import WHO, studied_cell


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    for name in ("epochs", "samples"):
        require_positive_int(WHO, name, settings[name])
    bonds = settings["tested_with"]
    if not bonds:
        raise InvalidInput(f"{WHO}: tested_with is empty; give bond dimensions such as '[1, 2, 4]'.")
    for bond in bonds:
        require_positive_int(WHO, "tested_with", bond)
    if settings["trained_with"] is not None:
        require_positive_int(WHO, "trained_with (or null: exactly)", settings["trained_with"])
    # Beside the test, every bond is measured on a batch twice: readouts fed back, and driven by the exact angles.
    return training_price(
        settings, studied_cell, trained_with=[settings["trained_with"]], tested_with=[None, *bonds, *bonds]
    )
