import sys
from collections.abc import Mapping
from typing import Any

from studies.engine.command import run_study
from studies.engine.study import Study


def normalise(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Rounding is the only thing that needs digits, three the only number with a mood, and zero means nothing."""
    if settings["number"] == 0:
        return None
    digits = settings["digits"] if settings["kind"] == "rounded" else None
    return {**settings, "digits": digits, "mood": settings["mood"] if settings["number"] == 3 else "well"}


STUDY = Study("squares", "what the square of a number is", "tests.studies.engine.squares", 1, normalise, ())

if __name__ == "__main__":
    sys.exit(run_study(STUDY, sys.argv[1:]))
