"""The truncation study: one cell by its numbers, and the command on a shrunken grid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_modules.tasks.trained_run import TrainedRun
from studies.compare.study import compare
from studies.truncation.measure import measure
from tests.studies.small import FLAGS, GRID_OUTPUT, refused_by
from tnqrnn.__main__ import main

SETTINGS: dict[str, Any] = {
    "trained_with": None,
    "config": "digits",
    "n_qubits": 3,
    "epochs": 1,
    "flags": f"{FLAGS} --model.angle_scale 4.0",
    "tested_with": [1, 2],
    "samples": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one measured cell, the values beside the arrays."""
    folder = tmp_path_factory.mktemp("cell")
    (folder / "values.json").write_text(json.dumps(measure(SETTINGS, 0, folder)))
    return folder


def test_a_cell_is_what_compare_finds(folder: Path) -> None:
    """The same weights through the same measurements, by another way."""
    values, arrays = json.loads((folder / "values.json").read_text()), np.load(folder / "arrays.npz")
    [checkpoint] = folder.glob("runs/*/checkpoints/best.ckpt")
    rows = compare(TrainedRun.of(checkpoint), [1, 2], 4).rows
    assert values["metric_exact"] == rows[0].metric
    for k, row in enumerate(rows[1:]):
        found = values[f"chi_{row.max_bond}"]
        assert found["readout_rms_closed"] == pytest.approx(row.readout_rms_closed, rel=1e-5)
        assert found["infidelity"] == pytest.approx(row.infidelity_mean, rel=1e-5)
        assert arrays["loss"][k] == pytest.approx(row.loss)
        infidelity, _, bound = arrays["final"][k]
        assert (infidelity <= bound + 1e-5).all()


def test_feedback_and_open_loop_differ_and_ranks_fit_the_bond(folder: Path) -> None:
    arrays = np.load(folder / "arrays.npz")
    assert arrays["readout_open"][0, 0] == pytest.approx(arrays["readout_closed"][0, 0], rel=1e-5)  # nothing fed yet
    assert abs(arrays["readout_open"][0, -1] / arrays["readout_closed"][0, -1] - 1) > 1e-3
    np.testing.assert_allclose(arrays["readout_closed"][1], 0, atol=1e-5)  # three qubits need a bond of 2
    np.testing.assert_allclose(arrays["rank"][1], arrays["rank_exact"], atol=1e-3)
    assert arrays["rank_exact"].shape == (2, 8, 2)
    np.testing.assert_allclose(arrays["rank"][0], 1, atol=1e-4)
    assert arrays["rank_exact"].max() > 1.05


def test_command_on_a_small_grid(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--trained-with", "null", "1", "--tested-with", "[1, 2]", "--n-qubits", "3", "--epochs", "1"]
    asked += ["--samples", "3", "--seeds", "0", "1", f"--flags={FLAGS}", "--executor", "debug", "--out", str(out)]
    assert main(["study", "truncation", *asked]) == 0
    names = {"metric", "convergence", "loops", "estimates", "ranks"}
    assert {path.stem for path in out.glob("*.svg")} == names
    assert {path.stem for path in out.glob("*.csv")} == {*names, "cells"}
    assert {path.name for path in out.iterdir()} >= GRID_OUTPUT
    with (out / "loops.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 * 8  # seeds, bonds, loops, timesteps
    drawn = (out / "loops.svg").read_text()
    assert "(2 seeds)" in drawn
    assert "n = 2" not in drawn  # n is the number of qubits


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--tested-with", "[]"], "tested_with is empty"),
        (["--tested-with", "[0]"], "tested_with"),
        (["--trained-with", "0"], "trained_with"),
        (["--samples", "0"], "samples"),
        (["--config", "translation"], "a Translator is not one QRNN"),
        (["--flags=--model.n_qubit 5"], "n_qubits"),
        (["--flags=--model.cell lstm"], "'lstm'"),
        (["--flags=--help"], "flags"),
        (["--flags=--model.angle_scale '4"], "flags"),
    ],
)
def test_bad_requests_end_with_one_sentence(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_by("truncation", arguments, mentions, tmp_path, capsys)
