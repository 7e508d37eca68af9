"""`tnqrnn study scaling`: cost and accuracy against qubits and bond dimension, on both backends."""

from __future__ import annotations

from studies.engine.study import Settings, Study
from studies.scaling.figures import figures
from studies.scaling.measure import measure
from studies.scaling.price import price


def normalise(settings: Settings) -> Settings:
    """An exact state has no bond dimension, and is not compared with itself."""
    if settings["backend"] == "mps":
        return settings
    return {**settings, "max_bond": None, "exact_up_to": 0, "samples": 0}


STUDY = Study(
    "scaling",
    "how cost and accuracy of both backends grow with qubits and bond dimension",
    measure,
    price,
    figures,
    normalise=normalise,
)
