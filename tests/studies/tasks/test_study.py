"""A small study: interrupted, resumed, reported; with a cell that fails and one that is refused."""

from __future__ import annotations

import csv
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lightning_modules.cli.run_command import run_command
from studies.engine import progress
from studies.engine.execute import Execution
from studies.engine.job import Job
from tnqrnn.__main__ import main

TINY = {
    "model.n_qubits": 2,
    "model.controller_width": 8,
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 2,
    "trainer.limit_val_batches": 1,
    "trainer.limit_test_batches": 1,
    "data.batch_size": 16,
}
GRID = {
    "seeds": [0, 1],
    "adjust": 0,
    "tasks": {
        "digits": {"settings": TINY, "lines": {"chance": 0.1}},
        "copying": {"settings": {**TINY, "data.delay": 1}, "further": ["loss_ratio"], "lines": {"x": "baselines.none"}},
    },
    "cells": {"qrnn": None, "gru": None},
}
BROKEN = {
    "seeds": [0],
    "adjust": 0,
    "tasks": {"digits": {"settings": TINY}},
    "cells": {
        "qrnn": None,
        "explodes": {"cell": "rnn_relu", "settings": {"model.learning_rate": 1e30}},
        "refused": {"cell": "gru", "settings": {"model.dropout": 2.0}},
    },
}


def written(grid: dict[str, object], folder: Path) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(grid, sort_keys=False))
    return path


def runs_of(out: Path) -> list[dict[str, str]]:
    with (out / "runs.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("study")
    return ["study", "tasks", "--conf", str(written(GRID, folder)), "--out", str(folder / "out")]


@pytest.fixture(scope="module")
def out(arguments: list[str]) -> Path:
    """The folder of a study that was interrupted after two runs, looked at, and carried to its end."""
    folder = Path(arguments[-1])
    with pytest.MonkeyPatch.context() as patch:
        line = progress._line

        def interrupt(job: Job, number: int, total: int, left: str) -> str:
            if number == 2:
                raise KeyboardInterrupt
            return line(job, number, total, left)

        patch.setattr(progress, "_line", interrupt)
        assert main(arguments) == 130
    (folder / "results.md").rename(folder / "interrupted.md")
    assert not list((folder / "failures").glob("*"))
    assert main(arguments) == 0
    return folder


def test_an_interrupted_study_reports_what_it_has(out: Path) -> None:
    text = (out / "interrupted.md").read_text()
    assert "8 runs planned: " in text
    assert ", 0 failed, " in text
    assert "- copying, gru, seed 1: missing" in text


def test_every_run_is_done_and_described(out: Path) -> None:
    rows = runs_of(out)
    assert [(row["task"], row["cell"], row["seed"]) for row in rows] == [
        (task, cell, seed) for task in ("digits", "copying") for cell in ("qrnn", "gru") for seed in ("0", "1")
    ]
    for row in rows:
        assert row["status"] == "done"
        assert row["data"] == {"digits": "real", "copying": "synthetic"}[row["task"]]
        assert 0 <= float(row["value"]) <= 1
        assert int(row["parameters_total"]) == sum(
            int(row[f"parameters_{part}"]) for part in ("embedding", "cell", "head")
        )
        assert float(row["train_seconds"]) > 0
        assert float(row["inference_ms_per_sample"]) > 0
        assert float(row["peak_memory_mib"]) >= 0
        assert (out / "runs" / row["run"] / "result.json").is_file()
    assert all(row["loss_ratio"] for row in rows if row["task"] == "copying")


def test_a_resumed_study_has_the_numbers_of_the_runs_themselves(out: Path, tmp_path: Path) -> None:
    row = runs_of(out)[0]
    settings = yaml.safe_load((out / "runs" / row["run"] / "config.yaml").read_text())
    path = tmp_path / "alone.yaml"
    path.write_text(yaml.safe_dump({**settings, "runs": str(tmp_path / "alone")}))
    alone = run_command("fit", ["--config", str(path)])
    assert alone.path.name == row["run"]
    assert yaml.safe_load(alone.result.read_text())["metrics"]["test_accuracy"] == float(row["value"])


def test_sizes_are_matched_to_what_is_reported(out: Path) -> None:
    for row in runs_of(out):
        wanted, found = int(row["parameters_wanted"]), int(row["parameters_cell"])
        # A GRU of h units on f features has 3 h (h + f + 2) parameters: half the step to the next h is the most.
        assert abs(found - wanted) <= 3 * 20
        assert row["width"].startswith("controller_width" if row["cell"] == "qrnn" else "hidden_size")


def test_the_report_says_it_in_words_and_pictures(out: Path) -> None:
    text = (out / "results.md").read_text()
    assert "8 runs planned: 8 done, 0 failed, 0 missing; cells refused: 0" in text
    assert text.index("## Real data") < text.index("### digits") < text.index("## Synthetic data")
    assert "QRNN lost to gru by" in text or "QRNN was ahead of gru by" in text or "QRNN and gru were level" in text
    assert "With 2 paired seeds the signed-rank test cannot give less than p = 0.5" in text
    assert "None: every run that was planned is done." in text
    assert "limit_train_batches: 2" in text
    assert "chance: 0.1" in text
    for task in ("digits", "copying"):
        assert f"({task}.png)" in text
        assert (out / f"{task}.png").stat().st_size > 5000


def test_what_is_done_is_not_done_again(
    out: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Execution, "settled", None)  # nothing may be executed
    before = [{**row} for row in runs_of(out)]
    assert main(arguments) == 0
    assert runs_of(out) == before
    assert main([*arguments, "--dry-run", "--seeds", "0", "5"]) == 0
    told = capsys.readouterr().out
    assert "0 done, 5 to do" in told
    assert "8 runs, 4 done, 4 to do" in told


def test_two_studies_do_not_share_a_folder(out: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with (out / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(arguments) == 2
    assert "another process is at work" in capsys.readouterr().err


def test_a_failing_cell_is_reported_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["study", "tasks", "--conf", str(written(BROKEN, tmp_path)), "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert "without a result (runs: 1, refused cells: 1)" in told.err
    assert "digits-explodes-seed0" in told.out
    text = (out / "results.md").read_text()
    assert "2 runs planned: 1 done, 1 failed, 0 missing; cells refused: 1" in text
    assert re.search("- digits, explodes, seed 0: .* the loss became", text)
    assert "- digits, refused: refused before it started:" in text
    assert {row["cell"]: row["status"] for row in runs_of(out)} == {"qrnn": "done", "explodes": "failed"}
    assert "the loss became" in (out / "logs" / "digits-explodes-seed0.log").read_text()


@pytest.mark.slow
def test_a_killed_study_goes_on(arguments: list[str], out: Path, tmp_path: Path) -> None:
    """Killed as by want of memory, while runs are under way; the same command then ends with the same table."""
    again = [*arguments[:-1], str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tnqrnn", *again], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    for _ in range(1000):
        time.sleep(0.1)
        if list(tmp_path.glob("runs/*/result.json")):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main(again) == 0
    keys = ("task", "cell", "seed", "value", "loss_ratio", "run", "parameters_total", "steps")
    assert [[row[key] for key in keys] for row in runs_of(tmp_path)] == [
        [row[key] for key in keys] for row in runs_of(out)
    ]
