"""Writing checkpoints from which a run goes on exactly, and refusing those it must not go on from."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import Any, NoReturn

import numpy as np
import torch
import yaml
from pytorch_lightning import LightningDataModule, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import Checkpoint
from torch import nn

from backends.errors import InvalidInput
from lightning_modules.runs import preemption
from lightning_modules.runs.checkpoint_files import CheckpointFiles
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.exact_resume import (
    begin_next_epoch,
    begin_with_validation,
    complete_epoch,
    decisions,
    goes_on,
    is_over,
    log_ahead,
    take_up_decisions,
)
from lightning_modules.runs.processes import gathered
from lightning_modules.runs.run_directory import RunDirectory
from tnqrnn import signals

MONITOR = "val_loss"


class RunCheckpoint(Checkpoint):
    """Write `last.ckpt` before a validation, after every epoch and every `every_n_steps` steps, and `best.ckpt`.

    `best.ckpt` is written at a new lowest `val_loss`.

    A checkpoint holds the states of all random generators, of every process, and what `exact_resume` lists, so that a
    resumed run ends with the same weights, bit for bit, as one that was never interrupted. Resumed by another number of
    processes it sees the same batches, but other dropout masks.

    When a signal asks to leave, `last.ckpt` is written after the step; a job that is to lose its nodes is requeued.
    """

    def __init__(self, run: RunDirectory, task: str, config: str, every_n_steps: int = 0) -> None:
        self.run = run
        self.task = task
        self.config = config
        self.every_n_steps = every_n_steps
        self.best_score = float("inf")
        self._seconds_before = 0.0
        self._started: float | None = None
        self._leaves = False
        self.has_begun = False  # to train, with everything restored
        self._batches = 0  # of a validation or a test: those that every process has, after which it may leave
        self._random_states: list[dict[str, Any]] | None = None  # by rank
        self._decisions: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all the processes that worked on the run."""
        return self._seconds_before + (time.monotonic() - self._started if self._started is not None else 0.0)

    @property
    def has_started(self) -> bool:
        """Whether training has begun, in this process or in one before."""
        return self._started is not None or self._seconds_before > 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best score, the time spent and the states of the random generators."""
        first, *others = gathered(random_states())
        return {"best_score": self.best_score, "seconds": self.seconds, "random": first, "random_of_others": others}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of a checkpoint; the generators are set when training starts."""
        self.best_score = state_dict["best_score"]
        self._seconds_before = state_dict["seconds"]
        self._random_states = [state_dict["random"], *state_dict.get("random_of_others", [])]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Sign the checkpoint with the run it belongs to, and with its settings as YAML."""
        signature = {"task": self.task, "config_hash": self.run.config_hash, "config": self.config}
        checkpoint["tnqrnn"] = {**signature, "decisions": decisions(trainer)}
        if trainer.validating:
            begin_with_validation(checkpoint)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take up what was decided; it counts when the fit starts."""
        self._decisions = checkpoint["tnqrnn"].get("decisions", {})

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if that was decided before."""
        take_up_decisions(trainer, self._decisions)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and set the place and the random generators of a resumed run."""
        begin_next_epoch(trainer)
        self._started = time.monotonic()
        states = self._random_states or []
        if trainer.global_rank > 0 and len(states) != trainer.world_size:
            # Every process was seeded alike, for the same weights; from here on each needs its own dropout masks.
            seed = int(os.environ["PL_GLOBAL_SEED"])
            words = np.random.SeedSequence((seed, trainer.global_rank, trainer.global_step)).generate_state(1)
            seed_everything(int(words[0]), verbose=False)
            os.environ["PL_GLOBAL_SEED"] = str(seed)  # what Lightning seeds with, should it do so again
        elif states:
            set_random_states(states[trainer.global_rank])
        _leave_if_asked(trainer, self.run)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write `last.ckpt` every `every_n_steps` optimiser steps."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not stepped or not goes_on(trainer, batch_idx):
            return
        self._leaves = _must_leave(trainer)
        if self._leaves or (self.every_n_steps > 0 and trainer.global_step % self.every_n_steps == 0):
            self._save(trainer, self.run.last)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Leave before the next step: the last one is logged after `on_train_batch_end`."""
        self.has_begun = True
        if self._leaves:
            _leave(trainer, self.run)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt`, to resume with the validation: it may be long, and is not worth an epoch."""
        self._batches = 0
        if is_over(trainer):  # a resumed run would not even begin with it
            return
        self._batches = min(gathered(int(sum(trainer.num_val_batches))))
        self._save(trainer, self.run.last)
        _leave_if_asked(trainer, self.run)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave the validation, which a resumed run begins with."""
        if batch_idx < self._batches:  # all processes are asked, so all must be there to answer
            _leave_if_asked(trainer, self.run, listen=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `best.ckpt` if the validation loss is the lowest so far, then `last.ckpt`."""
        score = trainer.callback_metrics.get(MONITOR)
        if score is not None and float(score) < self.best_score:
            self.best_score = float(score)
            self._save(trainer, self.run.best)
        self._save(trainer, self.run.last)
        _leave_if_asked(trainer, self.run)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave before the test if asked to; a resumed run has only that to do."""
        self._batches = min(gathered(int(sum(trainer.num_test_batches))))
        _leave_if_asked(trainer, self.run)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave the test, which a resumed run repeats."""
        if batch_idx < self._batches:
            _leave_if_asked(trainer, self.run, listen=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._seconds_before, self._started = self.seconds, None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the last epoch, also of a run that had nothing left to train."""
        complete_epoch(trainer)

    def _save(self, trainer: Trainer, path: Path) -> None:
        log_ahead(trainer)
        trainer.save_checkpoint(path)  # by `CheckpointFiles`; nobody reads it, or leaves, before it is there


def _must_leave(trainer: Trainer) -> bool:
    """Whether any process was told to; one signal may reach them at different steps."""
    if not signals.is_listening():
        return False
    return bool(trainer.strategy.reduce_boolean_decision(signals.asked() is not None, all=False))


def _leave_if_asked(trainer: Trainer, run: RunDirectory, *, listen: bool = True) -> None:
    if listen:
        signals.listen_again()  # Lightning listens for SIGTERM too, and would leave without saving
    if _must_leave(trainer):
        _leave(trainer, run)


def _leave(trainer: Trainer, run: RunDirectory) -> NoReturn:
    """Stop, with everything saved."""
    # A requeued job is ended at once; that is another way to be told what is known already.
    signals.ignore_termination()
    number = max(asked for asked in gathered(signals.asked()) if asked is not None)
    if trainer.is_global_zero:
        saved = f"{run.path} is saved after step {trainer.global_step}" if run.last.exists() else "nothing to save yet"
        goes_on = preemption.requeue() if number == preemption.SIGNAL else "the same command goes on with the run"
        print(f"told to leave: {saved}; {goes_on}", flush=True)
    trainer.strategy.barrier()
    raise signals.Left(number, f"stopped after step {trainer.global_step}, told by {Signals(number).name}.")


def random_states() -> dict[str, Any]:
    """Return the states of every global random generator, as plain values and tensors."""
    algorithm, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  the state that seed_everything sets
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (algorithm, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Set every global random generator to what `random_states` returned."""
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    random.setstate(states["python"])
    algorithm, keys, *rest = states["numpy"]
    np.random.set_state((algorithm, keys.cpu().numpy().astype(np.uint32), *rest))  # noqa: NPY002


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
