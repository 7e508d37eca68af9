"""A run that is killed at any moment, under any stopping rule, ends as if it had not been: weights, metrics, steps."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer

from lightning_modules.cli.cli import main
from lightning_modules.runs.metrics_log import MetricsLog
from lightning_modules.runs.run_checkpoint import RunCheckpoint
from lightning_modules.tasks.task import SequenceTask
from tests.lightning_modules.small_runs import SMALL, Killed, assert_equal, end_of, only_run, weights

# Three epochs of three steps, two batches of validation after each, two of the test; dropout and shuffling are on.
SHORT = [*SMALL, "--trainer.max_epochs", "3", "--trainer.limit_train_batches", "3"]
STOPPING = {"monitor": "val_loss", "patience": 1, "min_delta": 100}  # nothing improves that much: after two epochs
RULES: Mapping[str, Sequence[str]] = {
    "max_epochs": (),
    "max_steps": ("--trainer.max_steps", "6"),  # at an epoch's end
    "max_steps in an epoch": ("--trainer.max_steps", "5"),
    "early stopping": (
        "--trainer.callbacks",
        json.dumps([{"class_path": "pytorch_lightning.callbacks.EarlyStopping", "init_args": STOPPING}]),
    ),
    "max_time": ("--trainer.max_time", "00:00:00:05"),  # by a clock that counts steps, see `clock_of_steps`
    "precision": ("--trainer.precision", "64-true"),
}
STEPS = {"max_epochs": 9, "max_steps": 6, "max_steps in an epoch": 5, "early stopping": 6, "max_time": 5}
# A kill comes before or after one of these is called.
CALLS: Sequence[tuple[Any, str]] = (
    (SequenceTask, "training_step"),
    (SequenceTask, "validation_step"),
    (SequenceTask, "test_step"),
    (RunCheckpoint, "on_train_batch_end"),
    (RunCheckpoint, "on_train_epoch_end"),
    (Trainer, "save_checkpoint"),
    (MetricsLog, "log_metrics"),
    (os, "replace"),
)
Kill = Callable[[str, int], None]


@pytest.fixture
def moments() -> Counter[str]:
    """Return how often each moment has come so far."""
    return Counter()


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch, moments: Counter[str]) -> Kill:
    """Return a function that makes the process die when a moment comes for the n-th time; with n = 0 it lives."""
    chosen = ["", 0]

    def come(moment: str) -> None:
        moments[moment] += 1
        if chosen == [moment, moments[moment]]:
            raise Killed(moment)

    def watched(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            come(f"before {name}")
            result = real(*args, **kwargs)
            come(f"after {name}")
            return result

        return call

    for owner, name in CALLS:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name), name))

    def choose(moment: str, times: int) -> None:
        moments.clear()
        chosen[:] = [moment, times]

    return choose


@pytest.fixture(autouse=True)
def clock_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainer.max_time count optimiser steps instead of seconds, so that it always stops at the same."""
    elapsed = [0]

    def check(self: Timer, trainer: Trainer) -> None:
        elapsed[0] = trainer.global_step
        trainer.should_stop = trainer.should_stop or self.time_elapsed() >= 5

    monkeypatch.setattr(Timer, "time_elapsed", lambda self, stage=None: elapsed[0])
    monkeypatch.setattr(Timer, "_check_time_remaining", check)


def fit(root: Path, rule: str, every: int) -> int:
    return main(["fit", *SHORT, *RULES[rule], "--checkpoint_every", str(every), "--runs", str(root)])


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, dict[str, Any]]:
    """Return a place to keep the ends of undisturbed runs, by rule."""
    return {}


def killed_and_resumed(root: Path, kill: Kill, rule: str, moment: str, times: int, every: int) -> dict[str, Any]:
    """Return the end of a run that was killed once."""
    kill(moment, times)
    with pytest.raises(Killed):
        fit(root, rule, every)
    assert not (only_run(root) / "result.json").exists() or moment == "after replace"
    torch.manual_seed(99)  # a new process is in another random state
    kill("", 0)
    assert fit(root, rule, every) == 0
    return end_of(root)


@pytest.mark.parametrize(
    ("rule", "moment", "times", "every"),
    [
        ("max_epochs", "before training_step", 5, 1),  # in the second epoch
        ("max_epochs", "after on_train_batch_end", 4, 1),  # saved, and the step not logged yet
        ("max_epochs", "after on_train_epoch_end", 2, 0),  # saved, and the epoch not logged yet
        ("max_epochs", "after replace", 4, 0),  # config.yaml, env.json, last.ckpt, best.ckpt
        ("max_epochs", "before validation_step", 4, 2),  # a validation is repeated
        ("max_steps", "after validation_step", 1, 0),
        ("max_steps", "before training_step", 4, 0),  # after the first epoch
        ("max_steps", "before test_step", 2, 0),
        ("max_steps in an epoch", "before on_train_epoch_end", 2, 1),  # the last step of all
        ("max_steps in an epoch", "before test_step", 1, 0),
        ("early stopping", "before test_step", 2, 0),
        ("early stopping", "before training_step", 5, 1),
        ("max_time", "before validation_step", 3, 1),  # it has decided to stop, in the middle of an epoch
        ("max_time", "before test_step", 1, 0),
        ("precision", "before training_step", 5, 1),
    ],
)
def test_a_killed_run_ends_as_if_it_had_not_been(
    rule: str,
    moment: str,
    times: int,
    every: int,
    kill: Kill,
    undisturbed: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    if rule not in undisturbed:
        assert fit(tmp_path / "whole", rule, 0) == 0
        undisturbed[rule] = end_of(tmp_path / "whole")
        assert undisturbed[rule]["result"]["steps"] == STEPS.get(rule, 9)
    assert_equal(killed_and_resumed(tmp_path / "runs", kill, rule, moment, times, every), undisturbed[rule], moment)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("every", [0, 1])
@pytest.mark.parametrize("rule", list(RULES))
def test_every_kind_of_moment(rule: str, every: int, kill: Kill, moments: Counter[str], tmp_path: Path) -> None:
    kill("", 0)
    assert fit(tmp_path / "whole", rule, every) == 0
    whole, counts = end_of(tmp_path / "whole"), dict(moments)
    assert len(counts) == 2 * len(CALLS)
    for number, (moment, count) in enumerate(counts.items()):
        for times in sorted({1, (count + 1) // 2, count}):
            if moment == "after replace" and times == count:
                continue  # the result is there
            found = killed_and_resumed(tmp_path / f"{number}-{times}", kill, rule, moment, times, every)
            assert_equal(found, whole, f"{moment} for the {times}. time of {count}")


def test_weights_in_double_precision_are_tested_as_they_were_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*SHORT, *RULES["precision"], "--runs", str(tmp_path)]
    assert main(["fit", *arguments]) == 0
    tested: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(SequenceTask, "test_step", lambda self, *_: tested.append(self.state_dict()))
    monkeypatch.setattr(SequenceTask, "on_test_epoch_end", lambda self: self.log("test_loss", 0.0))
    assert main(["test", *arguments]) == 0
    assert_equal(tested[0], weights(only_run(tmp_path) / "checkpoints" / "best.ckpt"), "tested")
