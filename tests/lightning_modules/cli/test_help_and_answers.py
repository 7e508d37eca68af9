"""What the help, a finished run and a checkpoint say by themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backends.circuits.gates import GATES
from lightning_modules.cli.cli import main
from tests.lightning_modules.small_runs import SMALL, Fit, only_run
from tnqrnn.ansatz import ONE_QUBIT_GATES, TOPOLOGIES, TWO_QUBIT_GATES
from tnqrnn.cells import CELLS
from tnqrnn.controllers import CONTROLLERS


def help_of(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*arguments.split(), "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


def default_in(text: str, setting: str) -> str:
    """Return the default that a help shows for a setting."""
    found = re.search(rf"--{re.escape(setting)} .*?default: ([^)]*)\)", text)
    assert found is not None, setting
    return found[1]


def test_help_shows_the_values_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of("fit --config digits", capsys)  # lightning_modules/configs/digits.yaml
    assert default_in(text, "trainer.max_epochs") == "30"
    assert default_in(text, "model.learning_rate") == "0.02"
    (tmp_path / "mine.yaml").write_text("trainer:\n  max_epochs: 7\n")
    text = help_of(f"fit --config digits --config {tmp_path / 'mine.yaml'}", capsys)
    assert default_in(text, "trainer.max_epochs") == "7"  # the later one counts
    assert default_in(text, "data.batch_size") == "64"


def test_help_lists_what_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of("fit --config copying", capsys)
    lists = {"cell": CELLS, "topology": TOPOLOGIES, "controller": CONTROLLERS}
    lists |= {"rotations": ONE_QUBIT_GATES, "entangler": TWO_QUBIT_GATES}
    for setting, choices in lists.items():
        found = re.search(rf"--model\.{setting} .*?default: ", text)
        assert found is not None
        assert [name for name in choices if not re.search(rf"\b{name}\b", found[0])] == [], setting


def test_a_finished_run_shows_its_result(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    capsys.readouterr()
    assert fit() == 0
    out = capsys.readouterr().out
    metrics = json.loads((only_run(tmp_path / "runs") / "result.json").read_text())["metrics"]
    assert f"test_accuracy {metrics['test_accuracy']:.4g}" in out
    assert "already done" in out


def test_a_checkpoint_holds_its_configuration(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    best = only_run(tmp_path / "runs") / "checkpoints" / "best.ckpt"
    expected = capsys.readouterr().out

    def tested(*arguments: str) -> str:
        assert main(["test", "--checkpoint", str(best), *arguments]) == 0
        return capsys.readouterr().out

    accuracy = re.search(r"test_accuracy \S+", expected)
    assert accuracy is not None
    assert accuracy[0] in tested()
    assert tested(*SMALL) == tested()
    assert accuracy[0] in tested("--model.backend", "mps", "--model.max_bond", "2")  # two qubits: exact
    everything = tested("--trainer.limit_test_batches", "1.0")  # a flag overrides it
    assert "test_accuracy" in everything
    assert everything != tested()


def test_gates_of_the_help_are_the_gates_there_are() -> None:
    assert len(ONE_QUBIT_GATES) + len(TWO_QUBIT_GATES) == len(GATES)
