"""`tnqrnn study truncation`."""

from __future__ import annotations

from functools import partial

from studies.engine.command import run_study
from studies.engine.study import Study

STUDY = Study(
    name="truncation",
    question="what a limited bond dimension costs: in training, in use, with the readouts fed back or not",
    package="studies.truncation",
    preload=("studies.engine.warm", "studies.training"),
)
main = partial(run_study, STUDY)
