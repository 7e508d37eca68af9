"""Writing checkpoints from which a run goes on exactly."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import Checkpoint

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
from lightning_modules.runs.leaving import leave, leave_if_asked, must_leave
from lightning_modules.runs.processes import gathered
from lightning_modules.runs.random_states import random_states, set_random_states
from lightning_modules.runs.run_directory import RunDirectory

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
        leave_if_asked(trainer, self.run)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write `last.ckpt` every `every_n_steps` optimiser steps."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not stepped or not goes_on(trainer, batch_idx):
            return
        self._leaves = must_leave(trainer)
        if self._leaves or (self.every_n_steps > 0 and trainer.global_step % self.every_n_steps == 0):
            self._save(trainer, self.run.last)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Leave before the next step: the last one is logged after `on_train_batch_end`."""
        self.has_begun = True
        if self._leaves:
            leave(trainer, self.run)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt`, to resume with the validation: it may be long, and is not worth an epoch."""
        self._batches = 0
        if is_over(trainer):  # a resumed run would not even begin with it
            return
        self._batches = min(gathered(int(sum(trainer.num_val_batches))))
        self._save(trainer, self.run.last)
        leave_if_asked(trainer, self.run)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave the validation, which a resumed run begins with, or the test, which it repeats."""
        if batch_idx < self._batches:  # all processes are asked, so all must be there to answer
            leave_if_asked(trainer, self.run, listen=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `best.ckpt` if the validation loss is the lowest so far, then `last.ckpt`."""
        score = trainer.callback_metrics.get(MONITOR)
        if score is not None and float(score) < self.best_score:
            self.best_score = float(score)
            self._save(trainer, self.run.best)
        self._save(trainer, self.run.last)
        leave_if_asked(trainer, self.run)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave before the test if asked to; a resumed run has only that to do."""
        self._batches = min(gathered(int(sum(trainer.num_test_batches))))
        leave_if_asked(trainer, self.run)

    on_test_batch_end = on_validation_batch_end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._seconds_before, self._started = self.seconds, None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the last epoch, also of a run that had nothing left to train."""
        complete_epoch(trainer)

    def _save(self, trainer: Trainer, path: Path) -> None:
        log_ahead(trainer)
        trainer.save_checkpoint(path)  # by `CheckpointFiles`; nobody reads it, or leaves, before it is there
