"""Progress: a rich bar on a terminal, one plain line every so often in a log file, and little else."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar

# What Lightning says that helps nobody here, each for a reason of its own.
QUIET_WARNINGS = (
    r".*does not have many workers",  # the data are in memory
    r".*smaller than the logging interval",  # epochs are logged anyway
    r".*exists and is not empty",  # a resumed run
    r".*Be aware that when using `ckpt_path`",  # callbacks may differ between fit and test
    r"\s*By default only one JsonargparseDeprecationWarning",  # announces the next
    r"\s*``instantiate_classes`` was deprecated",  # LightningCLI calls it
    r".*isinstance\(treespec, LeafSpec\)",  # Lightning's use of a deprecated torch name
    r"It is recommended to use `self\.log\(",  # across processes: the metrics are reduced before they are logged
    r"The `srun` command is available",  # one process is a choice
)

_STEPS_BEFORE_AN_ESTIMATE = 10


def progress_callback(headline: str) -> Callback:
    """Return the progress display that suits standard output."""
    return RichProgressBar() if sys.stdout.isatty() else PlainProgress(headline)


class PlainProgress(Callback):
    """Print a line at the first and last epoch, and in between once every `interval` seconds."""

    def __init__(self, headline: str, interval: float = 10.0) -> None:
        self.headline = headline
        self.interval = interval
        self._first_step = 0
        self._started = 0.0
        self._printed = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; a resumed run has steps behind it that took no time here."""
        self._first_step = trainer.global_step
        self._started = time.monotonic()
        self._printed = float("-inf")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print within an epoch that takes long."""
        if time.monotonic() - max(self._printed, self._started) >= self.interval:
            self._print(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print after an epoch, if it is time, or the end."""
        finished = trainer.global_step >= trainer.estimated_stepping_batches
        if finished or time.monotonic() - self._printed >= self.interval:
            self._print(trainer)

    @rank_zero_only
    def _print(self, trainer: Trainer) -> None:
        self._printed = time.monotonic()
        print(self.line(trainer), flush=True)

    def line(self, trainer: Trainer) -> str:
        """Return one line: epoch, step, training loss, validation metrics, seconds left."""
        steps = int(trainer.estimated_stepping_batches)
        parts = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", f"step {trainer.global_step}/{steps}"]
        for name in ("train_loss_step", "val_loss", f"val_{self.headline}"):
            if (value := trainer.callback_metrics.get(name)) is not None:
                parts.append(f"{name} {float(value):.4f}")
        return "  ".join([*parts, self._time_left(trainer.global_step, steps)])

    def _time_left(self, step: int, steps: int) -> str:
        done = step - self._first_step
        if done < _STEPS_BEFORE_AN_ESTIMATE:  # the first one compiles the kernel
            return "time left unknown"
        left = (time.monotonic() - self._started) / done * (steps - step)
        return f"{left:.0f} s left" if left < 120 else f"{left / 60:.0f} min left"


@rank_zero_only
def say(text: str) -> None:
    """Tell the user something, once."""
    print(text, flush=True)


def listed(metrics: Mapping[str, Any]) -> str:
    """Return metrics on one line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's tips and hardware lines, and the warnings listed above; errors and other warnings pass."""
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)  # its table was asked for
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in QUIET_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
