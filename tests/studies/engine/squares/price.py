from collections.abc import Mapping
from typing import Any

from backends.errors import InvalidInput
from studies.engine.study import Price


def price(settings: Mapping[str, Any]) -> Price:
    if settings["number"] < 0:
        raise InvalidInput(f"study squares: number must be at least 0, got {settings['number']}.")
    return Price(seconds=0.01 * settings["number"] + settings["pause"], bytes=1000 * settings["number"])
