"""Every task trains every cell: one optimiser step of a tiny model, and what the task says of its parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.cli.cli import main
from lightning_modules.tasks.images.digits import DigitsClassifier
from lightning_modules.tasks.registry import TASKS
from lightning_modules.tasks.task import SequenceTask
from tests.backends.test_refusals import refused
from tests.lightning_modules.small_images import write_mnist
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed, only_run, rows, weights
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.matching import match_parameters, trained_parameters

TINY = {"n_qubits": 2, "controller_width": 3}
# Settings that make the data of a task small; a task that is not named here takes its own defaults.
SMALL_DATA: dict[str, dict[str, Any]] = {
    "mnist": {"arrangement": "rows", "validation_size": 10},
    "copying": {"delay": 2, "steps_per_epoch": 1, "evaluation_size": 4},
    "sentiment": {"train_size": 50, "evaluation_size": 20},
    "language_modelling": {"vocabulary_size": 20, "segment_length": 4},
    "translation": {"largest": 99, "val_size": 5, "test_size": 5},
}


@pytest.fixture(scope="module", params=TASKS)
def task_and_data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """A task's name and its data, prepared once for all cells."""
    name = str(request.param)
    settings = dict(SMALL_DATA.get(name, {}))
    if name == "mnist":  # on the hub, which no test needs
        settings["source"] = str(write_mnist(tmp_path_factory.mktemp("mnist")))
    data = TASKS[name].data(batch_size=3, **settings)
    data.prepare_data()
    data.setup("fit")
    return name, data


@pytest.mark.parametrize("cell", CELLS)
def test_one_training_step(task_and_data: tuple[str, Any], cell: str) -> None:
    name, data = task_and_data
    torch.manual_seed(0)
    links = {key: getattr(data, key) for key in ("input_size", "output_size", "sequence_length")}
    model = TASKS[name].model(**links, **TINY, cell=cell)
    batch = next(iter(data.train_dataloader()))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    loss = model.loss(batch)[0]
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss)
    assert torch.isfinite(model.loss(batch)[0])
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert any(key.startswith("head") for key in changed)
    frozen = {key for key, weight in model.named_parameters() if not weight.requires_grad}
    assert bool(frozen) == (cell == "reservoir")
    assert not changed & frozen
    assert cell == "reservoir" or any(key.startswith("cell") for key in changed)
    counts = model.parameter_counts()
    assert counts["total"] == trained_parameters(model) >= counts["embedding"] + counts["cell"] + counts["head"]
    assert all(count > 0 for part, count in counts.items() if part not in ("embedding", "cell"))


@pytest.mark.parametrize("cell", ["lstm", "reservoir"])
def test_a_whole_run(cell: str, fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--model.cell", cell, "--trainer.max_epochs", "1") == 0
    said = capsys.readouterr().out
    run = only_run(tmp_path / "runs")
    counts = json.loads((run / "result.json").read_text())["parameters"]
    assert counts.keys() == {"embedding", "cell", "head", "total"}
    assert counts["total"] == counts["cell"] + counts["head"]
    assert f"{counts['total']} parameters (embedding 0, cell {counts['cell']}, head {counts['head']})" in said
    checkpoint = run / "checkpoints" / "best.ckpt"
    capsys.readouterr()
    assert main(["test", *SMALL, "--model.cell", cell, "--checkpoint", str(checkpoint)]) == 0
    assert "test_accuracy" in capsys.readouterr().out


def test_matching_a_whole_task() -> None:
    sizes = {"input_size": 8, "output_size": 10, "sequence_length": 8}
    target = DigitsClassifier(**sizes).parameter_counts()["total"]

    def build(width: int) -> SequenceTask:
        return DigitsClassifier(**sizes, cell="lstm", hidden_size=width)

    found = match_parameters(build, target)
    assert found.count == build(found.width).parameter_counts()["total"]
    assert abs(found.deviation) < 0.05


# Noise.


def test_a_noisy_run_is_repeated_and_resumed_exactly(fit: Fit, kill_at: KillAt, tmp_path: Path) -> None:
    noise = ("--model.shots", "20", "--model.shot_noise", "multinomial")
    assert fit(*noise, runs="whole") == 0
    kill_at(7)
    with pytest.raises(Killed):
        fit(*noise, "--checkpoint_every", "3", runs="killed")
    kill_at(-1)
    assert fit(*noise, runs="killed") == 0
    whole, killed = (only_run(tmp_path / runs) for runs in ("whole", "killed"))
    found = [weights(run / "checkpoints" / "last.ckpt") for run in (whole, killed)]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
    tested = [row["test_loss"] for run in (whole, killed) for row in rows(run) if "test_loss" in row]
    assert tested[0] == tested[1]


def test_a_checkpoint_is_tested_with_shots(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs", "1") == 0
    path = str(only_run(tmp_path / "runs") / "checkpoints" / "best.ckpt")
    said = []
    for shots in ((), ("--model.shots", "3"), ("--model.shots", "3")):
        capsys.readouterr()
        assert main(["test", *SMALL, "--checkpoint", path, *shots]) == 0
        said.append(capsys.readouterr().out)
    assert said[1] == said[2] != said[0]


# Refusals.


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        ("--model.cell lst", "Did you mean 'lstm'?"),
        ("--model.cell lstm --model.max_bond 4", "'lstm' does not use --model.max_bond"),
        ("--model.cell lstm --model.backend=mps", "'lstm' does not use --model.backend"),
        ("--model.cell gru --model.shots 100", "'gru' does not use --model.shots"),
        ("--model.cell qlstm --model.entangler cx", "'qlstm' does not use --model.entangler"),
        ("--model.cell qlstm --model.max_bond 4", "--model.backend mps"),
        ("--model.hidden_size 9", "'qrnn' does not use --model.hidden_size"),
        ("--model.shots 0", "shots must be an integer of at least 1"),
        ("--model.shot_noise multinomial", "add --model.shots"),
        ("--model.noise_in training", "add --model.shots or --model.depolarising"),
    ],
)
def test_settings_that_have_no_effect(
    arguments: str, mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    flags = arguments.split()
    small = ["--config", "digits", "--trainer.max_epochs", "1", "--runs", str(runs)]
    assert main(["fit", *small, *flags]) == 2
    told = capsys.readouterr()
    assert mentions in told.err
    assert len(told.err.splitlines()) == 1
    assert not runs.exists()


def test_settings_that_no_configuration_sets_are_refused_in_python_too() -> None:
    sizes = {"input_size": 8, "output_size": 10}
    refused(lambda: DigitsClassifier(**sizes, hidden_size=4), "'qrnn' does not use hidden_size")
    refused(lambda: DigitsClassifier(**sizes, cell="lstm", shots=10), "'lstm' does not use shots")
    refused(lambda: DigitsClassifier(**sizes, cell="lstmm"), "task", "Did you mean 'lstm'?")
    assert isinstance(DigitsClassifier(**sizes, cell="lstm").cell, type(create_cell("lstm", 1)))
