"""The command line: `tnqrnn COMMAND ...`, also as `python -m tnqrnn COMMAND ...`.

Exit codes: 0 done, 1 a run that had to stop, 2 a request that was refused with one sentence, 128 + n left by signal n.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import tnqrnn
from tnqrnn import signals
from tnqrnn.namesakes import PACKAGES, HiddenPackage, children_without_working_directory, require_ours

COMMANDS = {
    "fit": "train, test and write the result; resumes a run that was interrupted",
    "validate": "evaluate a checkpoint on the validation set",
    "test": "evaluate a checkpoint on the test set",
    "compare": "exact against MPS with the same weights: metric, errors, gradients, cost",
    "benchmark": "time and memory of a training step, beside other simulators",
    "slurm-script": "the batch script that trains a configuration on nodes of a SLURM cluster",
    "study": "a question answered by many runs; 'tnqrnn study' lists them",
    "report": "the report of a study's folder: one HTML file, and Markdown",
}

TRAINING = ("fit", "validate", "test")  # all others are studies

# What is kept of a command that a signal ends.
KEPT = {
    "fit": "the same command goes on with what the run has saved",
    "compare": "a training is kept as far as it was saved, and the same command goes on with it",
    "benchmark": "sizes that were measured are in the table, and the same command begins anew",
    "study": "what was measured is kept, and the same command goes on",
}


def overview() -> str:
    """Return the help of the whole program."""
    from lightning_modules.cli.command_line import shipped_names

    commands = "\n".join(f"  {name:<14}{text}" for name, text in COMMANDS.items())
    return f"""usage: tnqrnn COMMAND --config NAME [--setting value ...]

Train quantum recurrent neural networks on an exact statevector or a matrix product state.

commands:
{commands}

configurations (or the path of a YAML file):
  {", ".join(shipped_names())}

examples:
  tnqrnn fit --config digits
  tnqrnn fit --config digits --model.backend mps --model.max_bond 8 --seed 1
  tnqrnn fit --config digits --help          every setting of that task
  tnqrnn compare --config digits --max-bond 1 2 4 8
  tnqrnn study tasks --dry-run

'tnqrnn COMMAND --help' explains a command, 'tnqrnn --version' says which version this is."""


@signals.listening()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        require_ours(*PACKAGES)
    except HiddenPackage as hidden:
        print(hidden, file=sys.stderr)
        return 2
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if arguments[0] in {"-V", "--version"}:
        print(f"tnqrnn {tnqrnn.__version__}")
        return 0
    from backends.errors import InvalidInput, require_choice
    from tnqrnn.extras import require_extra

    try:
        command = require_choice("tnqrnn", "command", arguments[0], COMMANDS)
        signals.advise(KEPT.get(command, "nothing is lost, and the same command begins anew"))
        require_extra("train" if command in TRAINING else "studies", f"tnqrnn {command}")
    except InvalidInput as refusal:
        print(refusal, file=sys.stderr)
        return 2
    with children_without_working_directory():
        return _run(command, arguments)


def _run(command: str, arguments: list[str]) -> int:
    """Run a command that is known; `arguments` begin with it."""
    # Threads that wait for each other by spinning bring a small model to a crawl as soon as anything else runs on the
    # machine (measured: 60 s instead of 6 for three epochs of digits). Read by OpenMP when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Torch and Lightning take seconds to import, so that waits until a command needs them.
    if command == "compare":
        from studies.compare.command import main as compare

        return compare(arguments[1:])
    if command == "benchmark":
        from studies.benchmark.command import main as benchmark

        return benchmark(arguments[1:])
    if command == "slurm-script":
        from studies.slurm_script import main as slurm_script

        return slurm_script(arguments[1:])
    if command == "study":
        from studies.registry import main as study

        return study(arguments[1:])
    if command == "report":
        from studies.report.command import main as report

        return report(arguments[1:])
    from lightning_modules.cli.cli import main as train

    return train(arguments)


if __name__ == "__main__":
    sys.exit(main())
