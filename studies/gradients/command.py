"""`tnqrnn study gradients`: how far back the loss reaches, of models at the start of training or of trained ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.cli import exit_code
from lightning_modules.run_directory import require_writable
from studies.arguments import Parser

_DEFAULTS = Path(__file__).parent.parent / "conf" / "gradients.yaml"
DESCRIPTION = """Measure the norm of the gradient of the loss in the hidden state of every timestep: of the cells of a
configuration at the start of training, of checkpoints, or of both in one figure. Every other setting, such as
--model.n_qubits 8 or --data.delay 500, is that of 'tnqrnn fit'."""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tnqrnn study gradients",
        usage="tnqrnn study gradients --config NAME [--cells qrnn lstm] [--checkpoint FILE ...] [--setting value ...]",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument("--config", help="shipped configuration or path of a YAML file; untrained")
    parser.add_argument("--cells", nargs="+", metavar="CELL", help="of --config (%(default)s)")
    parser.add_argument("--checkpoint", type=Path, nargs="+", default=[], metavar="FILE", help="trained weights")
    parser.add_argument("--loss", help="last (timestep alone) or task (%(default)s)")
    parser.add_argument("--samples", type=int, help="test sequences (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/gradients"), help="folder of the results (%(default)s)")
    parser.set_defaults(**yaml.safe_load(_DEFAULTS.read_text()))
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 2 refused."""
    return exit_code(lambda: _run(argv))


def _run(argv: Sequence[str]) -> None:
    settings, others = _parser().parse_known_args(argv)
    from studies.gradients.measure import LOSSES

    require_choice("tnqrnn study gradients", "loss", settings.loss, LOSSES)
    require_positive_int("tnqrnn study gradients", "--samples", settings.samples)
    require_writable(settings.out, "--out")
    if settings.config is None and not settings.checkpoint:
        raise InvalidInput(
            "tnqrnn study gradients: give --config for models at the start of training, --checkpoint for trained ones."
        )
    if settings.config is None and others:
        raise InvalidInput(
            f"tnqrnn study gradients: {others[0]} is a setting of a model to be built, but --checkpoint is trained; "
            "leave it out, or give --config."
        )
    from studies.gradients.study import measure_all, report

    arguments = ["--config", settings.config, *others] if settings.config else []
    study = measure_all(arguments, settings.cells, settings.checkpoint, settings.loss, settings.samples)
    report(study, settings.out)
