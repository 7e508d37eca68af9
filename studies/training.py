"""Trainings inside the cells of a study: what they are asked to be, what they will cost, and their weights."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.choice import timestep_seconds
from backends.errors import InvalidInput
from lightning_modules.cli.run_command import PreparedRun, prepare_run, run_command
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.trained_run import TrainedRun
from studies.engine.study import Price
from tnqrnn import QRNNCell

_TIMESTEP_SECONDS = 1e-3  # of a training step, whatever it simulates: controller, autograd, optimiser
_IMPORTS_SECONDS = 5.0
PROCESS_BYTES = 700 * 2**20  # Python, torch, Lightning and a compiled kernel


def fit_arguments(settings: Mapping[str, Any], *further: str) -> list[str]:
    """Return the arguments of `tnqrnn fit` for the settings config, n_qubits, epochs and flags of a study.

    `flags` is text, such as "--data.delay 5 --model.learning_rate 0.01"; `further` flags come last. Raises InvalidInput
    on quotation marks that do not close.
    """
    try:
        flags = shlex.split(settings["flags"])
    except ValueError as error:  # a quotation mark without its partner
        raise InvalidInput(f"study: flags cannot be read as a command line ({error}): {settings['flags']}") from error
    epochs = ["--trainer.max_epochs", str(settings["epochs"])]
    qubits = [] if settings["n_qubits"] is None else ["--model.n_qubits", str(settings["n_qubits"])]
    return ["--config", settings["config"], *qubits, *epochs, *flags, *further]


def trained(settings: Mapping[str, Any], seed: int, folder: Path, *further: str) -> TrainedRun:
    """Train what the settings say in `folder`, or take up what is there of it; return the best weights.

    Raises:
        InvalidInput: The settings are refused.
        TrainingStopped: The training could not go on.
    """
    arguments = fit_arguments(settings, *further, "--seed", str(seed), "--runs", str(folder / "runs"))
    return TrainedRun.of(run_command("fit", arguments).best_or_last())


def facts(run: TrainedRun) -> dict[str, Any]:
    """Return what a report says of a trained model: sha256 of its data, number of its parameters by part."""
    return {"data_sha256": run.data().sha256, "parameters": run.model().parameter_counts()}


def training_price(
    settings: Mapping[str, Any],
    watched: Callable[[SequenceTask], QRNNCell],
    *,
    trained_with: Sequence[int | None] = (None,),  # bond dimensions; None: exact
    tested_with: Sequence[int | None] = (None,),
) -> Price:
    """Return what trainings and tests with these bond dimensions cost, and refuse what cannot be trained.

    `watched` returns the cell that is studied, or refuses the model.

    Raises:
        InvalidInput: The settings are refused.
    """
    prepared = _prepared(tuple(fit_arguments(settings)))
    cell = watched(prepared.model)
    train = settings["epochs"] * len(prepared.data.train_dataloader())
    test = 2 * len(prepared.data.test_dataloader())
    steps, batch, qubits = prepared.data.sequence_length, prepared.data.batch_size, cell.backend.n_qubits
    seconds = _IMPORTS_SECONDS
    for count, bonds in ((train, trained_with), (test, tested_with)):
        for bond in bonds:
            exact, truncated = timestep_seconds(cell.circuit, bond, batch)
            seconds += count * steps * (_TIMESTEP_SECONDS + (exact if bond is None else truncated))
    stored = 3 * steps * batch * cell.backend.dtype.itemsize << qubits
    return Price(seconds, PROCESS_BYTES + stored)


@lru_cache(maxsize=64)
def _prepared(arguments: tuple[str, ...]) -> PreparedRun:
    """A model and data for a look at their sizes; the seed changes neither."""
    try:
        return prepare_run([*arguments, "--runs", "."])
    except SystemExit as end:  # from --help among the flags
        raise InvalidInput("study: flags must be settings of 'tnqrnn fit', such as '--data.batch_size 32'.") from end
