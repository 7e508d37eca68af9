"""The studies that `tnqrnn study NAME` knows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.errors import InvalidInput, require_choice

if TYPE_CHECKING:
    from studies.engine.command import Command

STUDIES = {
    "tasks": "every task with every cell at equal parameter counts, over seeds",
    "scaling": "how cost and accuracy of both backends grow with qubits and bond dimension",
    "truncation": "what a limited bond dimension costs, in training and in use",
    "entanglement": "what the hidden state does while a model reads and learns",
    "gradients": "how gradients shrink with timesteps, qubits and depth",
    "noise": "what a finite number of shots and depolarising cost a task",
}


def find_study(who: str, name: str) -> Command:
    """Return a study by name. Its modules, and torch with them, take seconds to import: only those are.

    Raises:
        InvalidInput: There is none of this name.
    """
    match require_choice(who, "study", name, STUDIES):
        case "tasks":
            from studies.tasks.study import STUDY as tasks

            return tasks
        case "scaling":
            from studies.scaling.command import STUDY as scaling

            return scaling
        case "truncation":
            from studies.truncation.command import STUDY as truncation

            return truncation
        case "entanglement":
            from studies.entanglement.command import STUDY as entanglement

            return entanglement
        case "gradients":
            from studies.gradients.command import STUDY as gradients

            return gradients
        case _:
            from studies.noise.command import STUDY as noise

            return noise


def overview() -> str:
    """Return the help of `tnqrnn study`."""
    studies = "\n".join(f"  {name:<14}{question}" for name, question in STUDIES.items())
    return f"usage: tnqrnn study NAME [--help] [options]\n\nstudies:\n{studies}"


def main(argv: Sequence[str]) -> int:
    """Run the study named first and return its exit code: 0 done, 1 incomplete, 2 refused."""
    if not argv or argv[0] in {"-h", "--help"}:
        print(overview())
        return 0
    try:
        study = find_study("tnqrnn study", argv[0])
    except InvalidInput as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return study.main(argv[1:])
