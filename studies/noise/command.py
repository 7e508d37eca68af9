"""`tnqrnn study noise`."""

from __future__ import annotations

from functools import partial

from studies.engine.command import run_study
from studies.engine.study import Study

STUDY = Study(
    name="noise",
    question="what a finite number of shots and depolarising cost a task",
    package="studies.noise",
    preload=("studies.engine.warm", "studies.training"),
)
main = partial(run_study, STUDY)
