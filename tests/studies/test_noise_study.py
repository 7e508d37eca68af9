"""The noise study: noise in words, one cell by its numbers, and the command on a shrunken grid."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from backends.errors import InvalidInput
from lightning_modules.tasks.trained_run import TrainedRun
from studies.evaluation import evaluated
from studies.noise.measure import flags_of, measure
from studies.noise.spec import noise_of, single
from tests.studies.small import FLAGS, GRID_OUTPUT, refused_by
from tnqrnn.__main__ import main

SETTINGS: dict[str, Any] = {
    "trained_with": "shots=5",
    "config": "digits",
    "n_qubits": 3,
    "epochs": 1,
    "flags": FLAGS,
    "tested_with": ["exact", "shots=3", "state_depolarising=0.999999", "depolarising=0.5"],
    "draws": 2,
}
OFF = {"shots": None, "state_depolarising": None, "depolarising": 0.0}


def test_noise_in_words() -> None:
    assert noise_of("exact") == OFF
    assert noise_of("shots=100 state_depolarising=0.05") == {**OFF, "shots": 100, "state_depolarising": 0.05}
    assert single("depolarising=0.1") == ("depolarising", 0.1)
    assert single("shots=10 depolarising=0.1") is None
    assert flags_of("exact") == []
    assert flags_of("state_depolarising=0.1") == ["--model.state_depolarising", "0.1"]


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("", "must be 'exact' or like"),
        (100, "100"),
        ("shot=100", "Did you mean 'shots'?"),
        ("shots", "'shots=100'"),
        ("shots=0", "shots"),
        ("shots=many", "'many'"),
        ("state_depolarising=1.5", "state_depolarising"),
        ("depolarising=x", "depolarising"),
    ],
)
def test_other_words_are_refused(words: object, mentions: str) -> None:
    with pytest.raises(InvalidInput, match=mentions.replace("?", r"\?")):
        noise_of(words)


def test_a_cell_is_the_mean_over_draws(tmp_path: Path) -> None:
    values = measure(SETTINGS, 0, tmp_path)
    [checkpoint] = tmp_path.glob("runs/*/checkpoints/best.ckpt")
    run = TrainedRun.of(checkpoint)
    assert run.contents["hyper_parameters"]["shots"] == 5
    losses = [evaluated(run.model(shots=3, noise_seed=draw), run.data(), "accuracy")[1] for draw in range(2)]
    assert losses[0] != losses[1]
    assert values["loss"]["shots=3"] == pytest.approx(sum(losses) / 2)
    assert values["loss"]["exact"] == evaluated(run.model(shots=None), run.data(), "accuracy")[1]
    # Nothing is left of the signal: the same class for every scan.
    assert values["metric"]["state_depolarising=0.999999"] <= 0.15


def test_command_on_a_small_grid(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--trained-with", "exact", "shots=10", "--tested-with", "[exact, shots=10, depolarising=0.2]"]
    asked += ["--n-qubits", "3", "--epochs", "1", "--draws", "2", "--seeds", "0", "1", f"--flags={FLAGS}"]
    assert main(["study", "noise", *asked, "--executor", "debug", "--out", str(out)]) == 0
    assert {path.stem for path in out.glob("*.svg")} == {"shots", "depolarising"}
    assert {path.name for path in out.iterdir()} >= GRID_OUTPUT
    with (out / "shots.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2  # trainings, tests with shots or exact, seeds
    drawn = (out / "shots.svg").read_text()
    assert "(2 seeds)" in drawn
    assert "n = 2" not in drawn  # n is the number of qubits


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--trained-with", "shots=0"], "shots"),
        (["--tested-with", "exact"], "tested_with"),
        (["--tested-with", "[exact, shot=1]"], "Did you mean 'shots'?"),
        (["--draws", "0"], "draws"),
        (["--config", "translation"], "a Translator goes on from the state of an earlier call"),
        (["--config", "language_modelling", "--trained-with", "exact"], "whose age is not known to state_depolarising"),
        (["--config", "digits", "--flags=--model.cell lstm"], "'lstm'"),
        (["--flags=--model.shots 5"], "given by trained_with"),
    ],
)
def test_bad_requests_end_with_one_sentence(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_by("noise", arguments, mentions, tmp_path, capsys)
