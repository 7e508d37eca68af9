"""The comparison runs from the command line, and what it writes is consistent."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import pytest

from studies.fresh_folder import beside
from tnqrnn.__main__ import main

FAST = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--model.n_qubits", "5", "--samples", "4"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of one small comparison."""
    runs = tmp_path_factory.mktemp("runs")
    assert main(["compare", "--config", "digits", "--runs", str(runs), *FAST, "--max-bond", "1", "2", "4"]) == 0
    return next(runs.glob("digits-*-seed0")) / "comparison"


@pytest.fixture(scope="module")
def rows(compared: Path) -> list[dict[str, str]]:
    with (compared / "comparison.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_row_per_setting(rows: list[dict[str, str]]) -> None:
    assert [(row["backend"], row["max_bond"]) for row in rows] == [
        ("statevector", ""),
        ("mps", "1"),
        ("mps", "2"),
        ("mps", "4"),
    ]


def test_a_bond_that_truncates_nothing_is_exact(rows: list[dict[str, str]]) -> None:
    """Five qubits need a bond of 4."""
    exact, complete = rows[0], rows[-1]
    # Not the same to the digit: where two classes are level up to rounding, one scan of 360 may fall to the other.
    assert abs(float(complete["metric"]) - float(exact["metric"])) <= 1.5 / 360
    for error in ("readout_rms_closed", "readout_rms_open", "infidelity_max", "infidelity_bound_max"):
        assert float(complete[error]) <= 1e-6
    assert float(complete["gradient_cosine"]) >= 1 - 1e-6
    assert float(complete["largest_entropy"]) == pytest.approx(float(exact["largest_entropy"]), abs=1e-5)


def test_truncation_is_seen_and_bounded(rows: list[dict[str, str]]) -> None:
    product_state = rows[1]
    assert float(product_state["readout_rms_closed"]) > 1e-4
    for row in rows[1:]:
        assert float(row["infidelity_max"]) <= float(row["infidelity_bound_max"]) + 1e-5
        assert float(row["largest_entropy"]) <= math.log(int(row["max_bond"])) + 1e-5
        assert float(row["seconds_per_timestep"]) > 0
        assert int(row["stored_bytes_per_timestep"]) > 0


def test_figures_are_drawn(compared: Path) -> None:
    names = {"metric.png", "readout_error.png", "fidelity.png", "gradient.png", "entropy.png", "cost.png"}
    assert {path.name for path in compared.glob("*.png")} == names
    assert all(path.stat().st_size > 5000 for path in compared.glob("*.png"))


def test_a_checkpoint_is_taken_without_training(
    compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = compared.parent / "checkpoints" / "best.ckpt"
    out = tmp_path / "elsewhere"
    arguments = ["compare", "--checkpoint", str(checkpoint), "--out", str(out), "--max-bond", "2", "--samples", "2"]
    assert main(arguments) == 0
    assert (out / "comparison.csv").is_file()
    printed = capsys.readouterr().out
    assert "epoch" not in printed
    assert "χ = 2" in printed
    # The same again: what was measured first is kept.
    first = (out / "comparison.csv").read_bytes()
    assert main(arguments) == 0
    assert "elsewhere-2" in capsys.readouterr().out
    assert (out / "comparison.csv").read_bytes() == first
    assert (tmp_path / "elsewhere-2" / "comparison.csv").is_file()


def test_what_is_written_stays_beside_a_checkpoint_that_lies_alone(
    compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "downloads" / "weights"
    alone.mkdir(parents=True)
    shutil.copy(compared.parent / "checkpoints" / "best.ckpt", alone)
    assert main(["compare", "--checkpoint", str(alone / "best.ckpt"), "--max-bond", "2", "--samples", "2"]) == 0
    assert f"table:   {alone / 'comparison' / 'comparison.csv'}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"downloads"}
    assert {path.name for path in (tmp_path / "downloads").iterdir()} == {"weights"}
    # A folder of that name is not yet a run.
    assert beside(tmp_path / "downloads" / "checkpoints" / "best.ckpt") == tmp_path / "downloads" / "checkpoints"
    assert beside(compared.parent / "checkpoints" / "best.ckpt") == compared.parent


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--config", "digits", "--max-bond", "0"], "--max-bond"),
        (["--config", "digits", "--max-bond", "four"], "--max-bond"),
        (["--config", "digits", "--samples", "0"], "--samples"),
        (["--config", "digit"], "Did you mean 'digits'?"),
        (["--config", "digits", "--model.n_qubit", "5"], "n_qubits"),
        (["--config", "digits", "--model.cell", "lstm"], "'lstm' does not use --model.backend"),
        (["--config", "translation"], "a Translator is not one QRNN"),
        (["--checkpoint", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--checkpoint", "nowhere.ckpt", "--model.n_qubits", "5"], "--model.n_qubits"),
        (["--checkpoint", "nowhere.ckpt", "--config", "digits"], "not both"),
        ([], "--config"),
    ],
)
def test_bad_requests_end_with_one_sentence(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["--runs", str(tmp_path / "runs")] if "--checkpoint" not in arguments else []
    assert main(["compare", *arguments, *runs]) == 2
    told = capsys.readouterr().err.strip()
    assert mentions in told
    assert "\n" not in told
    assert not (tmp_path / "runs").exists()


def test_a_cell_without_an_exact_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = ["--runs", str(tmp_path), "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    assert main(["fit", "--config", "digits", "--model.cell", "qrb", "--model.n_qubits", "2", *runs]) == 0
    [checkpoint] = tmp_path.glob("*/checkpoints/best.ckpt")
    capsys.readouterr()
    assert main(["compare", "--checkpoint", str(checkpoint)]) == 2
    assert "'qrb'" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--help"]) == 0
    assert "--max-bond" in capsys.readouterr().out
