from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studies.engine.study import Study
from tests.studies.engine.squares.figures import figures
from tests.studies.engine.squares.measure import measure
from tests.studies.engine.squares.price import price


def normalise(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Rounding is the only thing that needs digits, three the only number with a mood, and zero means nothing."""
    if settings["number"] == 0:
        return None
    digits = settings["digits"] if settings["kind"] == "rounded" else None
    return {**settings, "digits": digits, "mood": settings["mood"] if settings["number"] == 3 else "well"}


STUDY = Study(
    "squares", "what the square of a number is", measure, price, figures, 1, normalise, (), Path(__file__).parents[1]
)
