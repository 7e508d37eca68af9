"""Files of a run that are empty, half, crafted or could not be written: one sentence, and nothing good is lost."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.cli.cli import main
from lightning_modules.runs import run_directory
from lightning_modules.runs.checkpoint_files import digest_of
from lightning_modules.runs.metrics_log import MetricsLog, read_metrics
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed, only_run, rows

Damage = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"metrics": {"test_loss": 1}}'])
def test_half_a_result_does_not_count(
    content: bytes, fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    result = only_run(tmp_path / "runs") / "result.json"
    whole = json.loads(result.read_text())
    result.write_bytes(content)
    capsys.readouterr()
    assert fit() == 0
    assert f"{result} is not the whole result of a run, so the run goes on" in capsys.readouterr().out
    assert json.loads(result.read_text())["metrics"] == whole["metrics"]


DAMAGE: dict[str, Damage] = {
    "signature {}": lambda contents: contents.update(tnqrnn={}),
    "signature None": lambda contents: contents.update(tnqrnn=None),
    "signature without config": lambda contents: contents["tnqrnn"].update(config="[]"),
    "weights in a list": lambda contents: contents.update(state_dict=list(contents["state_dict"].values())),
    "weights that are text": lambda contents: contents.update(state_dict=dict.fromkeys(contents["state_dict"], "a")),
    "no model settings": lambda contents: contents.pop("hyper_parameters"),
    "no step": lambda contents: contents.update(global_step=None),
}
PLACE: dict[str, Damage] = {
    "no optimizer_states": lambda contents: contents.pop("optimizer_states"),
    "no callbacks": lambda contents: contents.pop("callbacks"),
    "empty optimizer": lambda contents: contents.update(optimizer_states=[{}]),
    "empty loops": lambda contents: contents.update(loops={}),
    "random states of text": lambda contents: [
        state.update(random={"torch": "a"}) for state in contents["callbacks"].values() if "random" in state
    ],
    "no data": lambda contents: contents.pop("DigitsData"),
}


@pytest.mark.parametrize("name", [*DAMAGE, *PLACE])
def test_a_crafted_checkpoint_is_refused_in_one_sentence(
    name: str, fit: Fit, kill_at: KillAt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_at(6)
    with pytest.raises(Killed):
        fit()
    kill_at(-1)
    last = only_run(tmp_path / "runs") / "checkpoints" / "last.ckpt"
    contents = torch.load(last, weights_only=True)
    (DAMAGE | PLACE)[name](contents)
    torch.save(contents, last)
    digest_of(last).unlink()
    capsys.readouterr()
    commands = [["fit", *SMALL, "--runs", str(tmp_path / "runs")]]
    if name in DAMAGE or name == "no data":
        commands.append(["test", *SMALL, "--checkpoint", str(last)])
    for command in commands:
        assert main(command) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"checkpoint: {last} ")
        assert len(told.splitlines()) == 1


def test_broken_lines_of_metrics_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [b'{"step": 0, "a": 1}', b'{"step": 1, "\xff": 1}', b'{"step": [2], "a": 1}', b"[3]", b'{"step": 4, "a']
    path.write_bytes(b"\n".join(lines))
    assert [row["step"] for row in read_metrics(path)] == [0]
    assert [f"line {number} of" in caplog.text for number in (1, 2, 3, 4, 5)] == [False, True, True, True, True]
    MetricsLog(path).log_metrics({"a": 2.0}, step=4)
    assert [row["step"] for row in read_metrics(path)] == [0, 4]


def test_a_run_goes_on_with_broken_metrics(fit: Fit, kill_at: KillAt, tmp_path: Path) -> None:
    kill_at(7)
    with pytest.raises(Killed):
        fit()
    kill_at(-1)
    metrics = only_run(tmp_path / "runs") / "metrics.jsonl"
    metrics.write_bytes(b'{"step": [0]}\n\xff\xfe\n' + metrics.read_bytes())
    assert fit() == 0


def full(monkeypatch: pytest.MonkeyPatch, code: int, name: str) -> None:
    """Make the disk take one byte of files of that name, and complain with `code` of the rest."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if name in os.readlink(f"/proc/self/fd/{descriptor}"):
            os.ftruncate(descriptor, 1)
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(run_directory.os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["config.yaml", "env.json", "best.ckpt", "last.ckpt", ".sha256", "result.json"])
def test_a_full_disk_ends_a_run_in_one_sentence(
    name: str, code: int, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full(monkeypatch, code, name)
    assert fit() == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("stopped: a file could not be written")
    assert os.strerror(code) in told
    assert f"{name}): " in told
    run = only_run(tmp_path / "runs")
    assert not (run / "result.json").exists()
    assert not list(run.rglob("*.partial"))
    monkeypatch.undo()
    assert fit() == 0


def test_metrics_that_a_full_disk_takes_by_half_end_the_run(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, room = os.write, [300]

    def write(descriptor: int, content: bytes) -> int:
        if "metrics.jsonl" not in os.readlink(f"/proc/self/fd/{descriptor}"):
            return real(descriptor, content)
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, content[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)
    assert fit() == 1
    assert "No space left" in capsys.readouterr().err
    monkeypatch.undo()
    assert fit() == 0
    assert fit(runs="whole") == 0

    def seen(run: Path) -> list[dict[str, Any]]:
        return [{**row, "time": 0} for row in read_metrics(run / "metrics.jsonl")]

    # What the torn line held is written again, so nothing is missing.
    def values(run: Path) -> set[tuple[int, str, Any]]:
        return {(row["step"], name, value) for row in seen(run) for name, value in row.items()}

    assert values(only_run(tmp_path / "runs")) == values(only_run(tmp_path / "whole"))
    assert rows(only_run(tmp_path / "whole"))
