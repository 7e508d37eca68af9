"""Every shipped configuration runs, with either backend, switched by one flag."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml

from lightning_modules.cli.cli import main
from lightning_modules.cli.command_line import shipped_names
from lightning_modules.tasks.registry import TASKS
from tests.lightning_modules.small_images import write_mnist
from tests.lightning_modules.small_runs import only_run, rows

# fmt: off
FAST = [
    "--model.n_qubits", "3", "--model.controller_width", "4", "--data.batch_size", "4", "--trainer.max_epochs", "1",
    "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "1",
]
# fmt: on


def test_all_shipped_configurations_are_known() -> None:
    assert shipped_names() == [
        "copying",
        "copying_100",
        "digits",
        "digits_32",
        "digits_permuted",
        "digits_pixels",
        "language_modelling",
        "mnist",
        "mnist_permuted",
        "sentiment",
        "translation",
    ]


# 784 timesteps of matrix product states take most of a minute; what they share with shorter ones is tested by those.
LONG = {("mnist_permuted", "mps")}
RUNS = [
    pytest.param(config, backend, marks=[pytest.mark.slow] if (config, backend) in LONG else [])
    for config in shipped_names()
    for backend in ("statevector", "mps")
]


@pytest.mark.parametrize(("config", "backend"), RUNS)
def test_configuration_runs(config: str, backend: str, tmp_path: Path) -> None:
    arguments = ["--config", config, "--model.backend", backend, "--runs", str(tmp_path / "runs"), *FAST]
    if config.startswith("mnist"):  # on the hub, which no test needs
        arguments += ["--data.source", str(write_mnist(tmp_path / "mnist")), "--data.validation_size", "10"]
    if config.startswith("copying"):
        arguments += ["--data.delay", "3"]
    if config == "sentiment":
        arguments += ["--data.train_size", "64", "--data.evaluation_size", "32"]
    assert main(["fit", *arguments]) == 0
    run = only_run(tmp_path / "runs")
    result = json.loads((run / "result.json").read_text())
    task = TASKS[result["task"]]
    largest = math.inf if task.lower_is_better else 1
    assert 0 <= result["metrics"][f"test_{task.headline}"] <= largest
    assert ("test_truncation_error_max" in result["metrics"]) == (backend == "mps")
    assert ("test_loss_ratio" in result["metrics"]) == config.startswith("copying")
    parameters = result["parameters"]
    assert parameters["total"] == sum(parameters[part] for part in ("embedding", "cell", "head"))
    splits = {name.split("_")[0] for row in rows(run) for name in row if name.endswith("_loss")}
    assert splits == {"train", "val", "test"}


def test_saved_configuration_names_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "digits", "--runs", str(tmp_path), *FAST]) == 0
    run = only_run(tmp_path)
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["model"]["n_qubits"] == 3
    assert saved["task"] == "digits"
    capsys.readouterr()
    assert main(["fit", "--config", str(run / "config.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"already done: {run / 'result.json'}"


def test_digits_32_is_an_mps_of_32_qubits(tmp_path: Path) -> None:
    """Its own qubits, topology and bond, on a batch of each split: no statevector of 2**32 amplitudes is asked for."""
    small = ["--model.max_bond", "2", "--data.batch_size", "2"]
    limits = [f"--trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
    arguments = ["--config", "digits_32", "--runs", str(tmp_path / "runs"), "--trainer.max_epochs", "1"]
    assert main(["fit", *arguments, *small, *limits]) == 0
    run = only_run(tmp_path / "runs")
    saved = yaml.safe_load((run / "config.yaml").read_text())["model"]
    assert (saved["n_qubits"], saved["backend"], saved["topology"]) == (32, "mps", "chain")
    assert json.loads((run / "result.json").read_text())["parameters"]["cell"] > 0


def test_digits_32_does_not_fit_a_statevector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", "digits_32", "--model.backend", "statevector", "--runs", str(tmp_path / "runs")]
    assert main(["fit", *arguments]) == 2
    assert "32 qubits" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
