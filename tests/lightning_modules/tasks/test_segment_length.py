"""`--model.segment_length` changes what is kept in memory, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules.cli.cli import main
from tests.lightning_modules.small_runs import SMALL, Fit, weights

# The six qubits of brickwork at bond 2 are truncated; dropout and shots are drawn.
MPS = [
    *("--model.backend", "mps", "--model.n_qubits", "6", "--model.max_bond", "2", "--model.topology", "brickwork"),
    *("--model.shots", "100", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"),
]
TRANSLATION = [
    *("--config", "translation", "--model.n_qubits", "2", "--model.controller_width", "4", "--data.batch_size", "4"),
    *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"),
    *("--trainer.limit_test_batches", "1", "--model.dropout", "0.2"),
]


def final_weights(arguments: list[str], runs: Path) -> dict[str, torch.Tensor]:
    assert main(["fit", *arguments, "--runs", str(runs)]) == 0
    [path] = runs.glob("*/checkpoints/last.ckpt")
    return weights(path)


@pytest.mark.parametrize("arguments", [[*SMALL, *MPS], TRANSLATION], ids=["digits", "translation"])
def test_training_ends_with_the_same_weights(arguments: list[str], tmp_path: Path) -> None:
    whole = final_weights(arguments, tmp_path / "whole")
    parts = final_weights([*arguments, "--model.segment_length", "3"], tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model.cell", "lstm", "--model.segment_length", "3"], "does not use --model.segment_length"),
        (["--model.cell", "qlstm", "--config", "{settings}"], "does not use segment_length"),
        (["--model.segment_length", "0"], "segment_length must be an integer of at least 1, got 0."),
        (["--model.segment_length", "2.5"], "model.segment_length: expected an integer or null, got '2.5'."),
    ],
)
def test_refusals(
    arguments: list[str], says: str, fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("model:\n  segment_length: 3\n")
    assert fit(*[argument.format(settings=settings) for argument in arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert says in told
    assert "\n" not in told
    assert not (tmp_path / "runs").exists()
