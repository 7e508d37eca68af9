"""A run that was killed and resumed ends with the same weights, bit for bit, as one that never was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.cli.cli import main
from lightning_modules.data.loaders import EpochBatches
from lightning_modules.runs.random_states import random_states, set_random_states
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed, only_run, weights


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Return the final weights of a whole run of two epochs of five steps."""
    root = tmp_path_factory.mktemp("uninterrupted")
    assert main(["fit", *SMALL, "--runs", str(root)]) == 0
    return weights(only_run(root) / "checkpoints" / "last.ckpt")


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ("killed_at", "checkpoint_every"),
    [
        (5, "0"),  # at the epoch's end: the first step of the second epoch
        (7, "0"),  # in the second epoch, back to its start
        (3, "2"),  # in the middle of the first epoch
        (9, "1"),  # before the last step of all
        (5, "5"),  # a step checkpoint that falls on the epoch's end
    ],
)
def test_resume_is_exact(
    killed_at: int,
    checkpoint_every: str,
    fit: Fit,
    kill_at: KillAt,
    tmp_path: Path,
    uninterrupted: dict[str, torch.Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kill_at(killed_at)
    with pytest.raises(Killed):
        fit("--checkpoint_every", checkpoint_every)
    run = only_run(tmp_path / "runs")
    assert not (run / "result.json").exists()
    torch.manual_seed(99)  # the new process is in another random state
    kill_at(-1)
    capsys.readouterr()
    assert fit("--checkpoint_every", checkpoint_every) == 0
    assert f"resuming {run} after step" in capsys.readouterr().out
    assert_same(weights(run / "checkpoints" / "last.ckpt"), uninterrupted)


def test_resume_twice_with_steps_instead_of_epochs(fit: Fit, kill_at: KillAt, tmp_path: Path) -> None:
    limit = ("--trainer.max_steps", "8", "--checkpoint_every", "1")
    assert fit(*limit, runs="whole") == 0
    for step in (2, 6):
        kill_at(step)
        with pytest.raises(Killed):
            fit(*limit)
    kill_at(-1)
    assert fit(*limit) == 0
    last = "checkpoints/last.ckpt"
    assert_same(weights(only_run(tmp_path / "runs") / last), weights(only_run(tmp_path / "whole") / last))


def test_resume_of_a_run_that_lacks_only_its_result(
    fit: Fit, tmp_path: Path, uninterrupted: dict[str, torch.Tensor]
) -> None:
    assert fit() == 0
    run = only_run(tmp_path / "runs")
    (run / "result.json").unlink()
    assert fit() == 0
    assert (run / "result.json").exists()
    assert_same(weights(run / "checkpoints" / "last.ckpt"), uninterrupted)


def test_kill_nine_leaves_a_run_that_goes_on(tmp_path: Path, uninterrupted: dict[str, torch.Tensor]) -> None:
    code = "import sys, torch; torch.set_num_threads(1); from lightning_modules.cli.cli import main; "
    code += "sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", code, "fit", *SMALL, "--runs", str(tmp_path), "--checkpoint_every", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("*/checkpoints/last.ckpt")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    # Killed right after the first step, or, on a slow machine, somewhat later: either way the end is the same.
    assert main(["fit", *SMALL, "--runs", str(tmp_path)]) == 0
    assert_same(weights(only_run(tmp_path) / "checkpoints" / "last.ckpt"), uninterrupted)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "torn", "foreign", "other settings"])
def test_unusable_checkpoint_is_refused_and_untouched(
    content: bytes | str, fit: Fit, kill_at: KillAt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_at(6)
    with pytest.raises(Killed):
        fit()
    run = only_run(tmp_path / "runs")
    last = run / "checkpoints" / "last.ckpt"
    if content == "torn":
        last.write_bytes(last.read_bytes()[:-500])
    elif content == "foreign":
        torch.save({"state_dict": {}}, last)
    elif content == "other settings":
        torch.save({**torch.load(last, weights_only=True), "tnqrnn": {"config_hash": "00000000"}}, last)
    else:
        assert isinstance(content, bytes)
        last.write_bytes(content)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    kill_at(-1)
    capsys.readouterr()
    assert fit() == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("checkpoint: ")
    assert len(captured.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_checkpoint_of_another_shape_is_refused(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs", "1") == 0
    path = only_run(tmp_path / "runs") / "checkpoints" / "best.ckpt"
    assert main(["test", *SMALL, "--model.n_qubits", "3", "--checkpoint", str(path)]) == 2
    assert "does not fit the model" in capsys.readouterr().err


def test_position_is_kept_in_its_epoch_only() -> None:
    batches = EpochBatches(size=10, batch_size=4, order="shuffled", seed=1)
    batches.set_epoch(3)
    whole = list(batches)
    resumed = EpochBatches(size=10, batch_size=4, order="shuffled", seed=1)
    resumed.load_state_dict({"epoch": 3, "served": 1})
    resumed.set_epoch(3)
    assert list(resumed) == whole[1:]
    assert len(resumed) == 3
    resumed.set_epoch(4)
    assert len(list(resumed)) == 3


def test_random_states_survive_a_checkpoint(tmp_path: Path) -> None:
    torch.save(random_states(), tmp_path / "states")
    drawn = (torch.rand(3).tolist(), random.random(), np.random.rand())  # noqa: NPY002
    set_random_states(torch.load(tmp_path / "states", weights_only=True))
    assert (torch.rand(3).tolist(), random.random(), np.random.rand()) == drawn  # noqa: NPY002
