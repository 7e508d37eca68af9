"""A checkpoint is read only as it was written: the sha256 beside it says so, and is never out of step."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.runs import checkpoint_files
from lightning_modules.runs.checkpoint_files import CheckpointFiles, digest_of, read_intact
from lightning_modules.tasks.trained_run import TrainedRun
from tests.lightning_modules.runs.test_user_callbacks import given
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed, only_run, weights


def flip_a_weight(path: Path) -> None:
    """Flip one bit of the largest weight in a checkpoint: what torch.load does not notice."""
    content = bytearray(path.read_bytes())
    weight = max(weights(path).values(), key=torch.Tensor.numel)
    content[content.index(weight.contiguous().numpy().tobytes()) + 2] ^= 1
    path.write_bytes(bytes(content))


def test_every_checkpoint_has_its_digest(fit: Fit, tmp_path: Path) -> None:
    assert fit(*given("ModelCheckpoint")) == 0  # keeps the newest only: the one before goes, with its digest
    folder = only_run(tmp_path / "runs") / "checkpoints"
    names = ["best.ckpt", "epoch=1-step=10.ckpt", "last.ckpt"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names + [f"{name}.sha256" for name in names])
    for name in names:
        subprocess.run(["sha256sum", "--strict", "-c", f"{name}.sha256"], cwd=folder, check=True, capture_output=True)


def test_a_flipped_bit_is_not_tested(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    best = only_run(tmp_path / "runs") / "checkpoints" / "best.ckpt"
    flip_a_weight(best)
    torch.load(best, weights_only=True)  # nothing else would notice
    capsys.readouterr()
    for command in (["test", *SMALL, "--runs", str(tmp_path / "runs")], ["test", *SMALL, "--checkpoint", str(best)]):
        assert main(command) == 2
        told = capsys.readouterr()
        assert told.err.startswith(f"checkpoint: {best} is damaged: its sha256 is not the one in best.ckpt.sha256")
        assert len(told.err.splitlines()) == 1
        assert "accuracy" not in told.out
    with pytest.raises(InvalidInput, match="is damaged"):
        TrainedRun.of(best)
    digest_of(best).unlink()  # as for a file of an older version, or copied alone
    assert main(["test", *SMALL, "--checkpoint", str(best)]) == 0


def test_a_damaged_last_checkpoint_can_be_replaced_by_the_best(
    fit: Fit, kill_at: KillAt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(runs="whole") == 0
    kill_at(7)
    with pytest.raises(Killed):
        fit("--checkpoint_every", "1")
    kill_at(-1)
    last = only_run(tmp_path / "runs") / "checkpoints" / "last.ckpt"
    flip_a_weight(last)
    damaged = last.read_bytes()
    assert fit() == 2
    assert "a copy of best.ckpt in its place lets it go on" in capsys.readouterr().err
    assert last.read_bytes() == damaged
    last.write_bytes(last.with_name("best.ckpt").read_bytes())
    digest_of(last).unlink()
    assert fit() == 0
    assert "after step 5" in capsys.readouterr().out
    whole = weights(only_run(tmp_path / "whole") / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, whole[name]) for name, value in weights(last).items())


@pytest.mark.parametrize("function", ["write_partial", "write_atomically"])
def test_a_kill_while_writing_leaves_what_can_be_read(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, files = tmp_path / "last.ckpt", CheckpointFiles()
    files.save_checkpoint({"step": 1}, path)

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(checkpoint_files, function, die)
    with pytest.raises(Killed):
        files.save_checkpoint({"step": 2}, path)
    expected = {"write_partial": 1, "write_atomically": 2}[function]
    assert files.load_checkpoint(path) == {"step": expected}


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, files, real = tmp_path / "last.ckpt", CheckpointFiles(), Path.read_bytes
    files.save_checkpoint({"step": 1}, path)

    def replaced_first(self: Path) -> bytes:
        monkeypatch.setattr(Path, "read_bytes", real)
        files.save_checkpoint({"step": 2}, path)
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", replaced_first)
    assert sha256(read_intact(path)).hexdigest() in digest_of(path).read_text()


def test_the_digest_of_a_link_is_that_of_the_file(tmp_path: Path) -> None:
    CheckpointFiles().save_checkpoint({"step": 1}, tmp_path / "epoch=1.ckpt")
    (tmp_path / "last.ckpt").symlink_to("epoch=1.ckpt")
    (tmp_path / "last.ckpt.sha256").write_text("0" * 64 + "  last.ckpt\n")  # of what was there before
    assert CheckpointFiles().load_checkpoint(tmp_path / "last.ckpt") == {"step": 1}
    (tmp_path / "epoch=1.ckpt").write_bytes(b"damaged")
    with pytest.raises(InvalidInput, match="is damaged"):
        read_intact(tmp_path / "last.ckpt")


def test_half_a_digest_counts_as_none(tmp_path: Path) -> None:
    CheckpointFiles().save_checkpoint({"step": 1}, tmp_path / "last.ckpt")
    digest_of(tmp_path / "last.ckpt").write_text("0" * 20)
    assert CheckpointFiles().load_checkpoint(tmp_path / "last.ckpt") == {"step": 1}
