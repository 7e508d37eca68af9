"""A command line is taken apart once: what it names, and where each configuration is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.errors import InvalidInput
from lightning_modules.cli import command_line
from lightning_modules.cli.cli import main
from lightning_modules.cli.command_line import SHIPPED, CommandLine
from tests.lightning_modules.small_runs import SMALL


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("task: copying\nmodel:\n  n_qubits: 3\n")
    return path


def test_configurations_are_named_by_path_where_they_stand(mine: Path) -> None:
    line = CommandLine.parse(["fit", "--config", "digits", "--seed", "3", f"-c={mine}", "--model.n_qubits=2"])
    digits = SHIPPED / "digits.yaml"
    assert line.arguments == ("--config", str(digits), "--seed", "3", f"-c={mine}", "--model.n_qubits=2")
    assert [path for path, _ in line.configurations] == [digits, mine]
    assert line.configurations[1][1] == {"task": "copying", "model": {"n_qubits": 3}}
    assert {"--seed", "--model.n_qubits", "-c"} <= line.flags.keys()
    assert line.flags["--model.n_qubits"] == "2"


def test_the_last_configuration_names_the_task_and_a_flag_overrides_it(mine: Path) -> None:
    both = ["fit", "--config", "digits", "--config", str(mine)]
    assert CommandLine.parse(both).task == "copying"
    assert CommandLine.parse([*both, "--config", "digits"]).task == "digits"
    assert CommandLine.parse([*both, "--task", "mnist"]).task == "mnist"
    assert CommandLine.parse(["fit", "--seed", "1"]).task is None


def test_a_configuration_can_be_put_before_all_others(mine: Path) -> None:
    line = CommandLine.parse(["test", "--checkpoint", "some.ckpt"]).under(mine)
    assert line.arguments == ("--config", str(mine), "--checkpoint", "some.ckpt")
    assert line.task == "copying"


@pytest.mark.parametrize("argv", [[], ["fitt"], ["fit", "--config", "digit"]])
def test_what_is_not_there_is_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidInput):
        CommandLine.parse(argv)


def test_a_command_takes_its_line_apart_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    real = command_line.read_config

    def read_config(path: Path) -> dict[str, Any]:
        read.append(path)
        return real(path)

    monkeypatch.setattr(command_line, "read_config", read_config)
    assert main(["fit", *SMALL, "--trainer.max_epochs", "1", "--runs", str(tmp_path)]) == 0
    assert read == [SHIPPED / "digits.yaml"]
