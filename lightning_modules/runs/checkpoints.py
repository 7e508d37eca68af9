"""Reading checkpoints, and refusing those that a run must not go on from, or be tested with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import LightningDataModule
from torch import nn

from backends.errors import InvalidInput
from lightning_modules.runs.checkpoint_files import CheckpointFiles
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.run_directory import RunDirectory


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint of ours.

    Raises:
        InvalidInput: The file is missing, cannot be read, or was written by something else.
    """
    if not path.is_file():
        raise InvalidInput(f"checkpoint: there is no file {path}; train first, or name another with --checkpoint.")
    try:
        checkpoint = CheckpointFiles().load_checkpoint(path)
    except InvalidInput:
        raise
    except Exception as error:  # torch has no common class for what a broken file can raise
        raise InvalidInput(
            f"checkpoint: {path} cannot be read as a checkpoint; restore it from a copy, move it away, or name another."
        ) from error
    if not isinstance(checkpoint, dict) or not {"tnqrnn", "state_dict", "loops"} <= checkpoint.keys():
        raise InvalidInput(f"checkpoint: {path} was not written by tnqrnn; move it away, or name another checkpoint.")
    with taking_up(path):
        _require_contents(checkpoint)
    return checkpoint


def _require_contents(checkpoint: dict[str, Any]) -> None:
    """Raise TypeError or ValueError unless there are settings, weights and the number of steps."""
    signature, weights = checkpoint["tnqrnn"], checkpoint["state_dict"]
    names = ("task", "config_hash", "config")
    if not isinstance(signature, dict) or not all(isinstance(signature.get(name), str) for name in names):
        raise TypeError("the settings of its run are missing")
    config = yaml.safe_load(signature["config"])
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("data"), dict)
        or not {"task", "seed"} <= config.keys()
    ):
        raise ValueError("the settings of its run are not whole")
    if not isinstance(weights, dict) or not all(isinstance(weight, torch.Tensor) for weight in weights.values()):
        raise TypeError("its weights are no tensors by name")
    if not isinstance(checkpoint.get("hyper_parameters"), Mapping) or type(checkpoint.get("global_step")) is not int:
        raise TypeError("the model's settings or the number of steps are missing")


@contextmanager
def taking_up(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with a checkpoint whose contents cannot be used, however that shows.

    Raises:
        InvalidInput: In place of what came up inside, but for refusals and failures of the file system.
    """
    try:
        yield
    except (InvalidInput, TrainingStopped, OSError):
        raise
    except Exception as error:  # there is no end to what a crafted file can make fail
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InvalidInput(
            f"checkpoint: {path} is not whole ({why}); restore it from a copy, move it away, or name another."
        ) from error


def require_place(checkpoint: dict[str, Any], data: LightningDataModule, path: Path) -> None:
    """Refuse to resume from a checkpoint that tells weights, but not where training stood."""
    parts = ("callbacks", "optimizer_states", "lr_schedulers", type(data).__qualname__)
    missing = [name for name in parts if not checkpoint.get(name)]
    if missing:
        raise InvalidInput(
            f"checkpoint: {path} cannot be resumed from, as it has no {' and no '.join(missing)}; restore it from a "
            "copy, or move it away to start afresh."
        )


def require_same_run(checkpoint: dict[str, Any], run: RunDirectory) -> None:
    """Refuse to resume from a checkpoint of a run with other settings."""
    found = checkpoint["tnqrnn"]["config_hash"]
    if found != run.config_hash:
        raise InvalidInput(
            f"checkpoint: {run.last} belongs to a run with config hash {found}, this run has {run.config_hash}; "
            "move it away to start afresh."
        )


def require_same_weights(checkpoint: dict[str, Any], model: nn.Module, path: Path) -> None:
    """Refuse weights whose names or shapes are not those of `model`."""
    found = {name: tuple(weight.shape) for name, weight in checkpoint["state_dict"].items()}
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise InvalidInput(
                f"checkpoint: {path} does not fit the model: {name} has shape {found.get(name, 'none')} there and "
                f"{expected.get(name, 'none')} here; use the model settings it was trained with."
            )


def require_same_data(checkpoint: dict[str, Any], data: dict[str, Any], path: Path) -> None:
    """Refuse to evaluate weights on data that are prepared otherwise than those they were trained on."""
    trained = yaml.safe_load(checkpoint["tnqrnn"]["config"])["data"]
    for name in trained.keys() & data.keys() - {"batch_size"}:
        if trained[name] != data[name]:
            raise InvalidInput(
                f"checkpoint: {path} was trained with data.{name} {trained[name]!r}, asked for is {data[name]!r}; use "
                "the configuration it was trained with."
            )
