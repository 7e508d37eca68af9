"""A wrong request ends with exit code 2 and one sentence, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules.cli.cli import main
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.tasks.images.digits import DigitsClassifier
from tests.lightning_modules.small_runs import SMALL


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("fitt", "Did you mean 'fit'?"),
        ("fit", "no task is given"),
        ("fit --config digit", "Did you mean 'digits'?"),
        ("fit --config digits --task digit", "Did you mean 'digits'?"),
        ("fit --config digits --model.bakend mps", "Did you mean 'model.backend'?"),
        ("fit --config digits --backend mps", "Did you mean 'model.backend'?"),
        ("fit --config digits --trainer.max_epoch 3", "Did you mean 'trainer.max_epochs'?"),
        ("fit --config digits --config {bad_key}", "Did you mean 'model.learning_rate'?"),
        ("fit --config digits --config {bad_group}", "Did you mean 'model.backend'?"),
        ("fit --config {not_yaml}", "not valid YAML, line 2"),
        ("fit --config digits --model.backend mpss", "Did you mean 'mps'?"),
        ("test --config digits --checkpoint a/b.ckpt c/d.ckpt", "unknown argument 'c/d.ckpt'."),
        ("fit --config digits --model.backend", "--model.backend: expected one argument"),
        ("fit --config digits --model.n_qubits abc", "model.n_qubits: expected an integer, got 'abc'."),
        ("fit --config digits --trainer.max_epochs 1.5", "expected an integer or null, got '1.5'."),
        ("fit --config digits --model.n_qubits 0", "n_qubits"),
        ("fit --config digits --model.learning_rate 0", "learning_rate must be above 0"),
        ("fit --config digits --model.cell_rate 0", "cell_rate must be above 0"),
        ("fit --config digits --data.arrangement row", "Did you mean 'rows'?"),
        ("fit --config digits --trainer.accelerator foo", "invalid accelerator name"),
        ("fit --config digits --seed -1", "seed"),
        ("fit --config digits --checkpoint x", "fit resumes its own run"),
        ("test --config digits --seed 9", "there is no file"),
    ],
)
def test_wrong_request_gets_one_sentence(
    arguments: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "bad_key": "model:\n  lerning_rate: 0.1\n",
        "bad_group": "modle:\n  backend: mps\n",
        "not_yaml": "model: [\n",
    }
    paths = {name: tmp_path / f"{name}.yaml" for name in files}
    for name, text in files.items():
        paths[name].write_text(text)
    monkeypatch.chdir(tmp_path)

    assert main(arguments.format(**paths).split()) == 2

    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err
    assert "usage" not in captured.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("arguments", ["fit --config copying --help", "test --config copying --help"])
def test_help_lists_the_settings_of_the_task(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 0
    out = capsys.readouterr().out
    assert "--data.delay" in out
    assert "Largest bond dimension" in out


def test_help_needs_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    assert "--model.backend" in capsys.readouterr().out


def test_diverging_training_stops_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fit", *SMALL, "--runs", str(tmp_path), "--model.learning_rate", "1e30", "--trainer.max_epochs", "5"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "learning" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not list(tmp_path.glob("*/result.json"))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_what_to_do(loss: float) -> None:
    task = DigitsClassifier(input_size=8, output_size=10, n_qubits=2)
    with pytest.raises(TrainingStopped, match=r"the loss became (nan|inf) at step 0; lower model.learning_rate"):
        task._require_finite("loss", torch.tensor(loss))


def test_a_gradient_that_is_no_number_never_reaches_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss is finite at every step; the gradient of the fourth has an infinite entry, as one that explodes has."""

    def explode(task: DigitsClassifier) -> None:
        if task.global_step == 3:
            task.head.weight.grad[0, 0] = float("inf")

    monkeypatch.setattr(DigitsClassifier, "on_after_backward", explode)
    assert main(["fit", *SMALL, "--runs", str(tmp_path), "--checkpoint_every", "1"]) == 1
    told = capsys.readouterr().err
    assert "the norm of the gradient became inf at step 3; lower model.learning_rate" in told
    [last] = tmp_path.glob("*/checkpoints/last.ckpt")
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["global_step"] == 3
    assert all(bool(torch.isfinite(weight).all()) for weight in checkpoint["state_dict"].values())


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--model.max_bond", "8"], "--model.backend mps"),
        (["--model.truncation_cutoff=0.1"], "--model.backend mps"),
        (["--trainer.max_epochs", "0"], "max_epochs"),
        (["--model.n_qubits", "40"], "40 qubits"),
    ],
)
def test_refused_before_anything_is_written(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "digits", "--runs", str(tmp_path / "runs"), *arguments]) == 2
    told = capsys.readouterr()
    assert mentions in told.err
    assert told.out == ""
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert main(["fit", "--config", "digits", "--runs", str(file)]) == 2
    assert "--runs: cannot write into" in capsys.readouterr().err
    assert file.read_text() == "mine"
