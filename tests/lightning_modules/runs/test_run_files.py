"""Run directories: what is in them, what names them, and what is never written twice."""

from __future__ import annotations

import errno
import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from lightning_modules.runs.metrics_log import MetricsLog, read_metrics
from lightning_modules.runs.progress import PlainProgress
from lightning_modules.runs.run_directory import alone_in, config_hash
from lightning_modules.tasks.images.digits import DigitsData
from tests.lightning_modules.small_runs import Fit, KillAt, Killed, only_run, rows


def test_a_finished_run(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--seed", "3") == 0
    out = capsys.readouterr().out
    run = only_run(tmp_path / "runs")
    result = json.loads((run / "result.json").read_text())
    assert run.name == f"digits-{result['config_hash']}-seed3"
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "metrics.jsonl", "checkpoints", "env.json", "result.json"
    }  # fmt: skip
    names = {"last.ckpt", "best.ckpt"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == names | {f"{name}.sha256" for name in names}
    assert result["epochs"] == 2
    assert result["steps"] == 10
    assert result["seconds"] > 0
    env = json.loads((run / "env.json").read_text())
    assert env["data_sha256"] == DigitsData().sha256
    assert env["packages"]["torch"] == torch.__version__
    assert env["device"] == "cpu"
    assert env["threads"] == 1
    assert "test_accuracy" in out
    assert str(run) in out


def test_a_finished_run_is_not_repeated(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    run = only_run(tmp_path / "runs")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    capsys.readouterr()
    assert fit("--trainer.enable_progress_bar", "false", "--checkpoint_every", "2") == 0
    assert capsys.readouterr().out.splitlines()[0] == f"already done: {run / 'result.json'}"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_two_processes_do_not_share_a_run(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    run = only_run(tmp_path / "runs")
    (run / "result.json").unlink()
    script = (
        "import sys; from pathlib import Path; from lightning_modules.runs.run_directory import alone_in\n"
        "with alone_in(Path(sys.argv[1]), 'other', ''): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        capsys.readouterr()
        assert fit() == 2
        told = capsys.readouterr().err.strip()
        assert "\n" not in told
        assert f"another process is at work in {run}; wait for it, or choose another --runs or --seed" in told
        other.kill()  # no chance to tidy up: the lock goes with the process
    assert fit() == 0
    assert not (run / ".lock").exists()


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with alone_in(tmp_path, "tnqrnn fit", ""):
        pass
    assert "has no locks" in caplog.text


def test_hash_depends_on_what_can_change_the_result() -> None:
    settings = {"model": {"n_qubits": 6}, "trainer": {"max_epochs": 3, "log_every_n_steps": 10}, "runs": "a", "seed": 0}
    same = {"model": {"n_qubits": 6, "new": None}, "trainer": {"max_epochs": 3}, "runs": "b", "seed": 1}
    assert config_hash(settings) == config_hash(same)
    assert config_hash(settings) != config_hash({**settings, "model": {"n_qubits": 7}})
    assert config_hash(settings) != config_hash({**settings, "trainer": {"max_epochs": 4}})


def test_metrics_are_appended_and_never_repeated(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsLog(path).log_metrics({"epoch": 0, "train_loss": 0.5}, step=1)
    first = path.read_bytes()
    with path.open("a") as file:
        file.write('{"step": 2, "train_lo')  # a power cut
    resumed = MetricsLog(path)
    resumed.log_metrics({"epoch": 0, "train_loss": 0.5}, step=1)
    resumed.log_metrics({"epoch": 0, "train_loss": float("nan")}, step=2)
    assert path.read_bytes().startswith(first)
    assert [(row["step"], row["train_loss"]) for row in read_metrics(path)] == [(1, 0.5), (2, "nan")]


def test_metrics_of_a_killed_and_resumed_run(fit: Fit, kill_at: KillAt, tmp_path: Path) -> None:
    kill_at(8)
    with pytest.raises(Killed):
        fit("--checkpoint_every", "3")
    run = only_run(tmp_path / "runs")
    before = (run / "metrics.jsonl").read_bytes()
    kill_at(-1)
    assert fit() == 0
    assert (run / "metrics.jsonl").read_bytes().startswith(before)
    assert fit(runs="whole") == 0
    expected = rows(only_run(tmp_path / "whole"))
    # The order of a row and the time it was written may differ; what it says may not.
    assert [{**row, "time": 0} for row in rows(run)] == [{**row, "time": 0} for row in expected]


def test_plain_progress_says_where_training_is() -> None:
    class Trainer:
        estimated_stepping_batches, global_step, current_epoch, max_epochs = 40, 10, 0, 4
        callback_metrics: ClassVar = {"val_loss": torch.tensor(0.5), "val_accuracy": torch.tensor(0.75)}

    line = PlainProgress("accuracy").line(Trainer())  # type: ignore[arg-type]
    assert line.startswith("epoch 1/4  step 10/40  val_loss 0.5000  val_accuracy 0.7500  ")
    assert line.endswith("left")
