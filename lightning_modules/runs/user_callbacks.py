"""Lightning's callbacks in a run: those that would change what no checkpoint holds are refused, with what to use.

A run is what its settings and its checkpoints say. A callback that changes weights after the last checkpoint, or
settings after config.yaml, would make another run of it without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import (
    BaseFinetuning,
    BasePredictionWriter,
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    ModelPruning,
    OnExceptionCheckpoint,
    ProgressBar,
    SpikeDetection,
    StochasticWeightAveraging,
    Timer,
)

from backends.errors import InvalidInput

# Also what is derived from them. The others of Lightning's work: a test walks all there are.
REFUSED: dict[type[Callback], str] = {
    StochasticWeightAveraging: "its averaged weights come after the last checkpoint, so that they would be neither "
    "saved nor tested; use EMAWeightAveraging or WeightAveraging, which are saved",
    BatchSizeFinder: "it would change the batch size that config.yaml names; set data.batch_size",
    LearningRateFinder: "it would change the rate that config.yaml and the schedule name; set model.learning_rate",
    GradientAccumulationScheduler: "the one-cycle schedule would not know its number of steps; use "
    "trainer.accumulate_grad_batches",
    ModelPruning: "it renames the weights, which would fit no checkpoint; choose a smaller model.controller_width or "
    "model.hidden_size",
    BaseFinetuning: "a task has no part that is trained already; use model.cell_rate, or model.cell reservoir for a "
    "cell that stays as it is",
    OnExceptionCheckpoint: "a run begun afresh would go on from its file; use --checkpoint_every, after which the same "
    "command goes on",
    SpikeDetection: "its state cannot be read back from a checkpoint; use trainer.gradient_clip_val and trainer."
    "detect_anomaly (a loss that is no number ends a run anyway)",
    Timer: "its settings cannot be written to config.yaml; use trainer.max_time",
    ProgressBar: "a run shows its own progress; use trainer.enable_progress_bar",
    BasePredictionWriter: "a run predicts nothing; use Trainer.predict in Python",
}
OURS = ("best", "last")


def require_saved(callbacks: Any) -> None:
    """Refuse callbacks, as the settings describe them, whose work would be in no checkpoint.

    Raises:
        InvalidInput: Names the callback and what to use instead.
    """
    for kind in _classes(callbacks):
        for refused, why in REFUSED.items():
            if issubclass(kind, refused):
                raise InvalidInput(f"trainer.callbacks: {kind.__name__} is not for a run: {why}.")


def require_own_names(callbacks: Sequence[Callback], folder: Path) -> None:
    """Refuse a `ModelCheckpoint` that would write the run's own checkpoints in its `folder`."""
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and Path(callback.dirpath or folder).resolve() == folder.resolve():
            if callback.save_last:
                raise InvalidInput(
                    "trainer.callbacks: ModelCheckpoint with save_last would write over the run's own last.ckpt, which "
                    "is written anyway; leave save_last out."
                )
            if callback.filename in OURS:
                raise InvalidInput(
                    f"trainer.callbacks: ModelCheckpoint with filename {callback.filename!r} would write over the "
                    f"run's own {callback.filename}.ckpt; choose another filename."
                )


def _classes(callbacks: Any) -> Iterator[type[Callback]]:
    """Yield the classes in a setting: none, one or several of callbacks, or of descriptions with a `class_path`."""
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        if isinstance(callback, Callback):
            yield type(callback)
        elif callback is not None:
            module, _, name = callback["class_path"].rpartition(".")
            yield getattr(import_module(module), name)
