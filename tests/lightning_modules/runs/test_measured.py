"""What a run costs is measured, and stands in its result."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from lightning_modules.cli.run_command import prepare_run
from lightning_modules.runs.measured import InferenceClock, PeakMemory
from lightning_modules.runs.run_directory import RunDirectory
from lightning_modules.tasks.copying.data import CopyingData
from lightning_modules.tasks.images.digits import DigitsData
from lightning_modules.tasks.registry import TASKS
from tests.lightning_modules.small_runs import SMALL, Fit, only_run

MIB = 2**20


def test_the_high_water_mark_outlives_what_caused_it() -> None:
    memory = PeakMemory()
    block = np.ones(64 * MIB, dtype=np.uint8)
    del block
    assert memory.above_start() >= 60 * MIB
    if Path("/proc/self/clear_refs").exists():
        assert PeakMemory().above_start() < 30 * MIB


def test_the_clock_counts_test_steps_only() -> None:
    clock, model = InferenceClock(), SimpleNamespace(device=torch.device("cpu"))
    assert clock.milliseconds_per_sample is None
    anything: Any = None
    batch = (torch.zeros(5, 2), torch.zeros(5))
    for pause in (0.02, 0.03):
        clock.on_test_batch_start(anything, model, batch, 0)  # type: ignore[arg-type]
        time.sleep(pause)
        clock.on_test_batch_end(anything, model, anything, batch, 0)  # type: ignore[arg-type]
        time.sleep(0.05)  # between batches: not counted
    assert clock.samples == 10
    assert 5 <= clock.milliseconds_per_sample < 9.5


def test_the_result_says_what_the_run_cost(fit: Fit, tmp_path: Path) -> None:
    assert fit() == 0
    result = json.loads((only_run(tmp_path / "runs") / "result.json").read_text())
    assert result["data"] == "real"
    assert 0 < result["inference_ms_per_sample"] < 1000
    assert result["peak_memory_bytes"] >= 0
    assert set(result["parameters"]) == {"embedding", "cell", "head", "total"}


def test_every_kind_of_data_is_declared() -> None:
    assert (DigitsData.data_kind, CopyingData.data_kind) == ("real", "synthetic")
    for task in TASKS.values():
        assert getattr(task.data, "data_kind", "real") in {"real", "synthetic"}  # some know it only of an instance


def test_a_prepared_run_is_the_one_that_would_be_carried_out(fit: Fit, tmp_path: Path) -> None:
    prepared = prepare_run([*SMALL, "--runs", str(tmp_path / "runs"), "--seed", "3"])
    assert not (tmp_path / "runs").exists()
    assert fit("--seed", "3") == 0
    assert prepared.directory.path == only_run(tmp_path / "runs")
    assert prepared.directory.is_done()
    assert prepare_run([*SMALL, "--runs", str(tmp_path / "runs"), "--seed", "3"]).directory == prepared.directory
    assert prepared.model.parameter_counts()["cell"] > 0
    assert prepared.task is TASKS["digits"]


def test_another_seed_has_another_directory() -> None:
    run = RunDirectory(Path("runs/a-seed-task-01234567-seed0"), "01234567")
    assert run.with_seed(12) == RunDirectory(Path("runs/a-seed-task-01234567-seed12"), "01234567")


def test_one_batch_is_not_all_of_them() -> None:
    """1 and 1.0 mean different things, whichever type some library named first in its own hints."""
    one, everything = (prepare_run([*SMALL, "--trainer.limit_train_batches", given]) for given in ("1", "1.0"))
    assert one.directory != everything.directory
