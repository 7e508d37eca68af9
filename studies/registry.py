"""The studies that `tnqrnn study NAME` knows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from backends.errors import InvalidInput, require_choice


@dataclass(frozen=True)
class Study:
    """What a study asks, and the module whose `main(argv)` answers."""

    question: str
    module: str


STUDIES = {
    "tasks": Study("every task with every cell at equal parameter counts, over seeds", "studies.tasks.command"),
    "scaling": Study(
        "how cost and accuracy of both backends grow with qubits and bond dimension", "studies.scaling.command"
    ),
    "truncation": Study("what a limited bond dimension costs, in training and in use", "studies.truncation.command"),
    "entanglement": Study("what the hidden state does while a model reads and learns", "studies.entanglement.command"),
    "gradients": Study("how gradients shrink with timesteps, qubits and depth", "studies.gradients.command"),
    "noise": Study("what a finite number of shots and depolarising cost a task", "studies.noise.command"),
}


def overview() -> str:
    """Return the help of `tnqrnn study`."""
    studies = "\n".join(f"  {name:<14}{study.question}" for name, study in STUDIES.items())
    return f"usage: tnqrnn study NAME [--help] [options]\n\nstudies:\n{studies}"


def main(argv: Sequence[str]) -> int:
    """Run the study named first and return its exit code: 0 done, 1 incomplete, 2 refused."""
    if not argv or argv[0] in {"-h", "--help"}:
        print(overview())
        return 0
    try:
        study = STUDIES[require_choice("tnqrnn study", "study", argv[0], STUDIES)]
    except InvalidInput as refusal:
        print(refusal, file=sys.stderr)
        return 2
    code: int = import_module(study.module).main(argv[1:])
    return code
