"""A setting without effect is refused from the command line, from YAML and from Python alike; a default never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules.cli.cli import main
from lightning_modules.cli.run_command import prepare_run
from lightning_modules.tasks.images.digits import DigitsClassifier
from tests.backends.test_refusals import refused
from tests.lightning_modules.small_runs import SMALL, Fit, only_run

# Settings of which the last has no effect beside the others, and what the refusal says.
WITHOUT_EFFECT: list[tuple[dict[str, Any], str]] = [
    ({"max_bond": 8}, "is a setting of the mps backend"),
    ({"truncation_cutoff": 0.1}, "is a setting of the mps backend"),
    ({"target_error": 0.1}, "is a setting of the mps backend"),
    ({"truncation_budget": 0.1}, "is a setting of the mps backend"),
    ({"backend": "mps", "over_budget": "stop"}, "has no effect without a budget; add {prefix}truncation_budget"),
    ({"shot_noise": "multinomial"}, "has no effect on exact readouts; add {prefix}shots"),
    ({"depolarising": 0.1, "noise_seed": 3}, "has no effect on exact readouts; add {prefix}shots"),
    ({"noise_in": "training"}, "add {prefix}shots or {prefix}depolarising"),
    ({"cell": "lstm", "shots": 10}, "cell 'lstm' does not use {prefix}shots"),
    ({"cell": "lstm", "backend": "mps"}, "cell 'lstm' does not use {prefix}backend"),
    ({"cell": "gru", "max_bond": 4}, "cell 'gru' does not use {prefix}max_bond"),
    ({"cell": "qlstm", "entangler": "cx"}, "cell 'qlstm' does not use {prefix}entangler"),
    ({"cell": "lstm", "segment_length": 4}, "cell 'lstm' does not use {prefix}segment_length"),
    ({"hidden_size": 9}, "cell 'qrnn' does not use {prefix}hidden_size"),
    ({"cell": "qrb", "precession": 1.0}, "cell 'qrb' does not use {prefix}precession"),
]
SIZES = {"input_size": 8, "output_size": 10, "n_qubits": 2}


@pytest.fixture(params=WITHOUT_EFFECT, ids=lambda case: "-".join(map(str, case[0].values())))
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    return request.param  # type: ignore[no-any-return]


def refused_in_one_sentence(arguments: list[str], says: str, tmp_path: Path, told: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "digits", "--runs", str(tmp_path / "runs"), *arguments]) == 2
    error = told.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_on_the_command_line(
    case: tuple[dict[str, Any], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, says = case
    arguments = [text for name, value in settings.items() for text in (f"--model.{name}", str(value))]
    refused_in_one_sentence(arguments, says.format(prefix="--model."), tmp_path, capsys)


def test_in_yaml(case: tuple[dict[str, Any], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, says = case
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"model": settings}))
    refused_in_one_sentence(["--config", str(file)], says.format(prefix="model."), tmp_path, capsys)


def test_in_python(case: tuple[dict[str, Any], str]) -> None:
    settings, says = case
    refused(lambda: DigitsClassifier(**SIZES, **settings), says.format(prefix=""))


def test_a_default_is_never_refused(tmp_path: Path) -> None:
    """Neither by name in Python nor in a configuration that lists every setting."""
    for cell in ("qrnn", "lstm"):
        settings = {**DigitsClassifier.defaults(), "cell": cell, "sequence_length": 8}
        DigitsClassifier(**SIZES | {key: value for key, value in settings.items() if key not in SIZES})


@pytest.mark.parametrize("flags", [[], ["--model.backend", "mps", "--model.max_bond", "2"], ["--model.cell", "gru"]])
def test_the_configuration_that_a_run_writes_can_be_read_again(flags: list[str], fit: Fit, tmp_path: Path) -> None:
    assert fit("--trainer.max_epochs", "1", *flags) == 0
    run = only_run(tmp_path / "runs")
    assert main(["fit", "--config", str(run / "config.yaml")]) == 0  # already done: the same run
    assert only_run(tmp_path / "runs") == run


def test_the_command_line_may_choose_against_a_configuration(tmp_path: Path) -> None:
    """What was meant for the other backend or cell goes back to its default, in what the run writes down too."""
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"model": {"backend": "mps", "max_bond": 2, "entangler": "cx"}}))
    runs = ["--config", "digits", "--config", str(file), "--model.n_qubits", "2", "--runs", str(tmp_path / "runs")]
    exact = prepare_run([*runs, "--model.backend", "statevector"]).model
    assert (exact.hparams["max_bond"], exact.hparams["entangler"]) == (16, "cx")
    classical = prepare_run([*runs, "--model.cell", "lstm"]).model
    assert (classical.hparams["backend"], classical.hparams["max_bond"]) == ("statevector", 16)


def test_noise_is_not_dropped_with_the_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for shots means a cell that has them, wherever the cell is chosen."""
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"model": {"shots": 100}}))
    arguments = ["--config", str(file), "--model.cell", "lstm"]
    refused_in_one_sentence(arguments, "'lstm' does not use shots", tmp_path, capsys)


def test_a_checkpoint_is_tested_on_the_other_backend(fit: Fit, tmp_path: Path) -> None:
    """With the configuration of its run, whose bond dimension then means nothing."""
    assert fit("--trainer.max_epochs", "1", "--model.backend", "mps", "--model.max_bond", "2") == 0
    run = only_run(tmp_path / "runs")
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    given = ["--config", str(run / "config.yaml"), "--checkpoint", checkpoint, "--model.backend", "statevector"]
    assert main(["test", *given]) == 0
    assert main(["test", *SMALL, "--checkpoint", checkpoint]) == 0
