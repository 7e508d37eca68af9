"""`tnqrnn study gradients`: over random initialisations, or of one model on its data (--config, --checkpoint)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.run_directory import config_hash
from studies.arguments import Parser
from studies.engine.study import Study
from studies.fresh_folder import fresh_folder
from studies.gradients.figures import figures
from studies.gradients.measure import measure, price
from tnqrnn.cells import CELLS

DESCRIPTION = """Norm of the gradient of a loss in the hidden state of every timestep, for one or more cells of a
configuration at the start of training, or for trained weights. Every other setting, such as --model.n_qubits 4 or
--data.delay 500, is that of 'tnqrnn fit'."""
_OF_ONE_MODEL = ("--config", "--checkpoint")


def normalise(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the settings of a circuit where a cell has none."""
    family = CELLS.get(settings["cell"])  # an unknown one is refused when it is priced
    used = family.settings if family else frozenset[str]()
    return {**settings, **{name: None for name in ("n_layers", "angle_scale") if name not in used}}


class _Gradients(Study):
    def main(self, argv: Sequence[str]) -> int:
        """Run the command and return its exit code: 0 done, 1 some cells failed, 2 refused."""
        if any(argument.partition("=")[0] in _OF_ONE_MODEL for argument in argv):
            return exit_code(lambda: _of_one_model(argv))
        return super().main(argv)


STUDY = _Gradients(
    "gradients",
    "how gradients shrink with timesteps, qubits and depth; with --config or --checkpoint, of one model",
    measure,
    price,
    figures,
    normalise=normalise,
)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tnqrnn study gradients",
        usage="tnqrnn study gradients --config NAME [--cells qrnn lstm] [--checkpoint FILE ...] [--setting value ...]",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument("--config", help="shipped configuration or path of a YAML file; untrained")
    parser.add_argument("--cells", nargs="+", metavar="CELL", default=["qrnn"], help="of --config (%(default)s)")
    parser.add_argument("--checkpoint", type=Path, nargs="+", default=[], metavar="FILE", help="trained weights")
    parser.add_argument("--loss", default="last", help="last (timestep alone) or task (%(default)s)")
    parser.add_argument("--samples", type=int, default=16, help="test sequences (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/gradients-, and a hash of what is asked)")
    return parser


def _of_one_model(argv: Sequence[str]) -> None:
    settings, others = _parser().parse_known_args(argv)
    from studies.gradients.norms import LOSSES

    require_choice("tnqrnn study gradients", "loss", settings.loss, LOSSES)
    require_positive_int("tnqrnn study gradients", "--samples", settings.samples)
    if settings.config is None and others:
        raise InvalidInput(
            f"tnqrnn study gradients: {others[0]} is a setting of a model to be built, but --checkpoint is trained; "
            "leave it out, or give --config."
        )
    from studies.gradients.reach import TABLE, measure_models

    folder = fresh_folder(settings.out or Path("runs") / f"gradients-{_hash(settings, others)}", TABLE)
    arguments = ["--config", settings.config, *others] if settings.config else []
    measure_models(arguments, settings.cells, settings.checkpoint, settings.loss, settings.samples, folder)


def _hash(settings: argparse.Namespace, others: Sequence[str]) -> str:
    """Return eight digits that depend on what is asked; of a checkpoint, on what is in it."""
    weights = [sha256(path.read_bytes()).hexdigest() for path in settings.checkpoint if path.is_file()]
    asked = {**vars(settings), "checkpoint": weights, "others": list(others), "out": None}
    return config_hash({"gradients": asked})
