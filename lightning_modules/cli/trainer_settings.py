"""Which of Lightning's settings are the user's, which are withheld and why, and what is checked of them before work.

Lightning itself looks at some of its settings only in the middle of the training, or not at all.
"""

from __future__ import annotations

from inspect import signature

from jsonargparse.typing import PositiveInt
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, Timer
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher

from backends.errors import InvalidInput, nearest
from lightning_modules.data.loaders import SequenceData
from lightning_modules.tasks.task import SequenceTask

# The settings of Lightning's Trainer that are the user's.
TRAINER_SETTINGS = {
    "accelerator",
    "accumulate_grad_batches",
    "callbacks",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_progress_bar",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "log_every_n_steps",
    "max_epochs",
    "max_steps",
    "max_time",
    "num_nodes",
    "precision",
    "profiler",
    "strategy",
}
# Ours, because 1 is one batch and 1.0 are all: Lightning's hint, Union[int, float], is the same object as any library's
# Union[float, int], so that the order in which libraries were imported would say which of the two is meant.
BATCH_LIMITS = {
    f"limit_{split}_batches": f"{name} batches in an epoch, or the share of them (a number with a point, up to 1.0)."
    for split, name in (("train", "Training"), ("val", "Validation"), ("test", "Test"))
}
# Ours, because Lightning divides by them: name -> default, help.
COUNTS = {
    "accumulate_grad_batches": (1, "Batches whose gradients are added before an optimiser step."),
    "check_val_every_n_epoch": (1, "Validate after every so many epochs."),
    "log_every_n_steps": (10, "Write the training loss after every so many steps."),
}
PROFILERS = ("simple", "advanced", "pytorch")
# One small network on one CPU: a GPU is asked for, not taken.
TRAINER_DEFAULTS = {"accelerator": "cpu", "devices": 1}
# What is not the user's would break exact resuming, or say again what the run's directory decides.
WITHHELD = {
    "trainer.barebones": "a run is always logged and saved",
    "trainer.default_root_dir": "--runs says where runs are kept",
    "trainer.enable_autolog_hparams": "all settings are in the run's config.yaml",
    "trainer.enable_checkpointing": "a run always keeps last.ckpt and best.ckpt; --checkpoint_every says how often",
    "trainer.fast_dev_run": "for a first try use --trainer.max_steps 1 --trainer.limit_val_batches 1 "
    "--trainer.limit_test_batches 1",
    "trainer.limit_predict_batches": "there is no command that predicts",
    "trainer.logger": "metrics are always written to metrics.jsonl in the run's directory",
    "trainer.min_epochs": "the learning rate has its schedule until --trainer.max_epochs or --trainer.max_steps",
    "trainer.min_steps": "the learning rate has its schedule until --trainer.max_epochs or --trainer.max_steps",
    "trainer.num_sanity_val_steps": "what it draws at random, a resumed run would not draw",
    "trainer.overfit_batches": "use --trainer.limit_train_batches",
    "trainer.plugins": "srun and torchrun are found by themselves, and --trainer.precision says how to compute",
    "trainer.val_check_interval": "validation comes after whole epochs; use --trainer.check_val_every_n_epoch",
    "ckpt_path": "fit resumes its own run by itself, validate and test take --checkpoint",
    "data.seed": "use --seed, which is everybody's",
    "seed_everything": "use --seed, which is everybody's",
    "model.input_size": "it follows from the data",
    "model.output_size": "it follows from the data",
    "model.sequence_length": "it follows from the data",
}
_LIGHTNINGS = "it is Lightning's, and decided here by the run's directory or for exact resuming"


def add_trainer_arguments(parser: LightningArgumentParser) -> None:
    """Add those settings of the Trainer that are the user's."""
    ours = BATCH_LIMITS.keys() | COUNTS.keys()
    others = signature(Trainer.__init__).parameters.keys() - TRAINER_SETTINGS | ours
    parser.add_class_arguments(Trainer, "trainer", fail_untyped=False, instantiate=False, skip=set(others))
    for name, text in BATCH_LIMITS.items():
        parser.add_argument(f"--trainer.{name}", type=int | float | None, default=None, help=text)
    for name, (default, text) in COUNTS.items():
        parser.add_argument(f"--trainer.{name}", type=PositiveInt, default=default, help=text)
    parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER_DEFAULTS.items()})


def withheld() -> dict[str, str]:
    """Return the settings that are not the user's, by dotted name, and why or what to use."""
    lightnings = signature(Trainer.__init__).parameters.keys() - TRAINER_SETTINGS - BATCH_LIMITS.keys() - {"self"}
    return {f"trainer.{name}": _LIGHTNINGS for name in lightnings} | WITHHELD


def as_list(callbacks: Callback | list[Callback] | None) -> list[Callback]:
    """Return callbacks as a list; one is a list of one."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


# What was built, before work -----------------------------------------------------------------------------------------


def require_trainable(trainer: Trainer, model: SequenceTask, data: SequenceData) -> None:
    """Refuse a trainer whose training could not begin, or whose end would find something missing."""
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise InvalidInput(
            "trainer: strategies that start processes by spawn or fork leave no result behind; use "
            "--trainer.strategy ddp, srun or torchrun."
        )
    if (trainer.gradient_clip_val or 0) < 0:
        raise InvalidInput(f"trainer: gradient_clip_val must be at least 0, got {trainer.gradient_clip_val}.")
    for timer in (callback for callback in _callbacks(trainer) if isinstance(callback, Timer)):
        left = timer.time_remaining()
        if left is not None and left + timer.time_elapsed() <= 0:  # a resumed run may have used all of its time
            raise InvalidInput("trainer: max_time is over before it begins; give a time above 0, as DD:HH:MM:SS.")
    for split in ("train", "test"):
        _require_batches(split, getattr(trainer, f"limit_{split}_batches"), data)
    _require_monitored(trainer, model)


def _require_batches(split: str, limit: float, data: SequenceData) -> None:
    """Refuse a limit that leaves no batch of a split."""
    order = data.train_order if split == "train" else "fixed"
    there = len(data.batches(data.dataset(split), order))
    left = min(limit, there) if isinstance(limit, int) else int(limit * there)
    if left < 1:
        raise InvalidInput(
            f"trainer: limit_{split}_batches {limit} leaves none of {there} batches; give a number of them, or a "
            "larger share."
        )


def _require_monitored(trainer: Trainer, model: SequenceTask) -> None:
    """Refuse a callback that waits for a metric which is never logged."""
    if any(not _is_known(callback) for callback in _callbacks(trainer)):
        return  # somebody's own callback may log metrics of its own
    logged = model.logged_names(validates=bool(trainer.limit_val_batches))
    for callback in _callbacks(trainer):
        name = getattr(callback, "monitor", None) if isinstance(callback, EarlyStopping | ModelCheckpoint) else None
        if name is not None and name not in logged:
            raise InvalidInput(
                f"trainer: {type(callback).__name__} monitors {name!r}, which this task does not log."
                f"{nearest(name, logged)} It logs: {', '.join(logged)}."
            )


def _callbacks(trainer: Trainer) -> list[Callback]:
    return list(trainer.callbacks)  # type: ignore[attr-defined]


def _is_known(callback: Callback) -> bool:
    return type(callback).__module__.partition(".")[0] in ("pytorch_lightning", "lightning", "lightning_modules")
