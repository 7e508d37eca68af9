"""What a task or its data lack is said before the training; what stands beside a result never costs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.tasks.contract import require_contract
from lightning_modules.tasks.images.digits import DigitsData
from lightning_modules.tasks.images.task import ImageClassifier
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.translation import attention_figure
from tests.lightning_modules.small_runs import Fit, only_run


class Empty:
    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("data_kind", None, "data_kind must be one of real, synthetic, got None"),
        ("sha256", 3, "sha256 must be the digest of the data as text, got 3"),
        ("sequence_length", None, "sequence_length must be an integer of at least 1, got None"),
        ("dataset", lambda split: Empty() if split == "test" else range(3), "the split 'test' is empty"),
        ("facts", lambda: {"sizes": {1, 2}}, "facts() must return plain values by name"),
    ],
)
def test_data_that_lack_something_are_refused(name: str, value: Any, says: str) -> None:
    data = DigitsData()
    setattr(data, name, value)
    with pytest.raises(InvalidInput, match=r"^DigitsData: ") as refusal:
        require_contract(ImageClassifier(input_size=8, output_size=10, n_qubits=2), data)
    assert says in str(refusal.value)


def test_data_that_lack_something_are_refused_before_the_training(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DigitsData, "data_kind", None)
    assert fit() == 2
    told = capsys.readouterr().err
    assert told == "DigitsData: data_kind must be one of real, synthetic, got None; set it in the class.\n"
    assert not (tmp_path / "runs").exists()


def test_a_task_without_a_head_is_refused() -> None:
    class Headless(ImageClassifier):
        read = SequenceTask.read

    with pytest.raises(InvalidInput, match=r"^Headless: read"):
        require_contract(Headless(input_size=8, output_size=10, n_qubits=2), DigitsData())


def test_a_baseline_that_fails_is_a_sentence_in_the_result(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def baselines(_: DigitsData) -> dict[str, float]:
        raise ZeroDivisionError("no words")

    monkeypatch.setattr(DigitsData, "baselines", baselines)
    assert fit() == 0
    result = json.loads((only_run(tmp_path / "runs") / "result.json").read_text())
    assert result["no_baselines"] == "no baselines: DigitsData.baselines failed (ZeroDivisionError: no words)"
    assert result["baselines"] == {}
    assert result["no_baselines"] in capsys.readouterr().out


def test_a_picture_that_cannot_be_drawn_does_not_cost_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(*_: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(attention_figure, "_draw", draw)
    arguments = ["fit", "--config", "translation", "--runs", str(tmp_path / "runs"), "--model.n_qubits", "2"]
    arguments += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    assert main([*arguments, "--trainer.limit_test_batches", "1", "--data.batch_size", "4"]) == 0
    assert (only_run(tmp_path / "runs") / "result.json").exists()
    assert "attention.png could not be drawn (RuntimeError: no font)" in capsys.readouterr().err
