"""`tnqrnn study noise`."""

from __future__ import annotations

from studies.engine.study import Study
from studies.noise.figures import figures
from studies.noise.measure import measure, price

STUDY = Study(
    "noise",
    "what a finite number of shots and depolarising cost a task",
    measure,
    price,
    figures,
)
