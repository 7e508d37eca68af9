"""`tnqrnn study scaling`: cost and accuracy against qubits and bond dimension, on both backends."""

from __future__ import annotations

from collections.abc import Sequence

from studies.engine.command import run_study
from studies.engine.study import Settings, Study


def normalise(settings: Settings) -> Settings:
    """An exact state has no bond dimension, and is not compared with itself."""
    if settings["backend"] == "mps":
        return settings
    return {**settings, "max_bond": None, "exact_up_to": 0, "samples": 0}


STUDY = Study(
    name="scaling",
    question="how cost and accuracy of both backends grow with qubits and bond dimension",
    package="studies.scaling",
    normalise=normalise,
)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    return run_study(STUDY, argv)
