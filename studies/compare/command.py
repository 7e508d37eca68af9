"""`tnqrnn compare`: train once, or take a checkpoint, and hold the exact state against MPS of several bonds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from backends.errors import InvalidInput
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.run_directory import require_writable
from studies.arguments import Parser
from studies.fresh_folder import beside, fresh_folder

_DEFAULTS = Path(__file__).parent.parent / "conf" / "compare.yaml"
DESCRIPTION = """Compare the exact state with matrix product states of several bond dimensions, all with the same
weights. Trains the configuration first (or finds it trained), unless --checkpoint names trained weights. Every other
setting, such as --model.n_qubits 8 or --seed 1, is that of 'tnqrnn fit'."""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tnqrnn compare",
        usage="tnqrnn compare --config NAME [--max-bond 1 2 4 8] [--checkpoint FILE] [--setting value ...]",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument("--config", help="shipped configuration or path of a YAML file; not needed with --checkpoint")
    parser.add_argument("--max-bond", type=int, nargs="+", metavar="CHI", help="bond dimensions (%(default)s)")
    parser.add_argument("--checkpoint", type=Path, help="trained weights; without it the configuration is trained")
    parser.add_argument("--samples", type=int, help="test sequences on which errors are measured (%(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the results ('comparison' in the run's directory, or beside a checkpoint without a run)",
    )
    parser.set_defaults(**yaml.safe_load(_DEFAULTS.read_text()))
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 stopped, 2 refused."""
    return exit_code(lambda: _run(argv))


def _run(argv: Sequence[str]) -> None:
    settings, others = _parser().parse_known_args(argv)
    _check(settings, others)
    from lightning_modules.cli.run_command import prepare_run, run_command
    from lightning_modules.tasks.trained_run import TrainedRun
    from studies.compare.rows import TABLE
    from studies.compare.study import compare, report
    from studies.evaluation import require_qrnn

    checkpoint = settings.checkpoint
    if checkpoint is None:
        if settings.config is None:
            raise InvalidInput(
                "tnqrnn compare: give --config with what to train, or --checkpoint with trained weights."
            )
        arguments = ["--config", settings.config, *others, "--model.backend", "statevector"]
        require_qrnn("compare", prepare_run(arguments).model)
        print("training the exact model (statevector)", flush=True)
        checkpoint = run_command("fit", arguments).best_or_last()
    run = TrainedRun.of(checkpoint)
    folder = fresh_folder(settings.out or beside(checkpoint) / "comparison", TABLE)
    comparison = compare(run, sorted(set(settings.max_bond)), settings.samples)
    report(comparison, run, folder)


def _check(settings: argparse.Namespace, others: list[str]) -> None:
    for bond in settings.max_bond:
        if bond < 1:
            raise InvalidInput(f"tnqrnn compare: --max-bond must be integers of at least 1, got {bond}.")
    if settings.samples < 1:
        raise InvalidInput(f"tnqrnn compare: --samples must be at least 1, got {settings.samples}.")
    if settings.out is not None:
        require_writable(settings.out, "--out")
    if settings.checkpoint is not None and others:
        raise InvalidInput(
            f"tnqrnn compare: {others[0]} is a setting of a training, but --checkpoint is trained; leave one out."
        )
    if settings.checkpoint is not None and settings.config is not None:
        raise InvalidInput(
            "tnqrnn compare: a checkpoint knows its configuration; give --config or --checkpoint, not both."
        )
