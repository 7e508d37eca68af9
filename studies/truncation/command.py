"""`tnqrnn study truncation`."""

from __future__ import annotations

from studies.engine.study import Study
from studies.truncation.figures import figures
from studies.truncation.measure import measure, price

STUDY = Study(
    "truncation",
    "what a limited bond dimension costs: in training, in use, with the readouts fed back or not",
    measure,
    price,
    figures,
)
