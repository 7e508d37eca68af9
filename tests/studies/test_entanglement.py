"""The entanglement study: Page's value, what is observed, what is recorded in training, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.schmidt import von_neumann_entropy
from lightning_modules.tasks.copying.data import CopyingData
from lightning_modules.tasks.copying.task import CopyingMemory
from lightning_modules.tasks.sentiment.data import SentimentData
from lightning_modules.tasks.sentiment.task import SentimentClassifier
from studies.entanglement.draw_trajectories import by_class, principal_axes
from studies.entanglement.measure import _chosen, measure
from studies.entanglement.observe import observe, time_labels
from studies.entanglement.page import page_entropy, page_values
from studies.entanglement.progress import read_epochs
from studies.entanglement.seen import Seen
from tests.backends.cases import random_states
from tests.studies.small import FLAGS, GRID_OUTPUT, refused_by
from tnqrnn.__main__ import main

SETTINGS: dict[str, Any] = {
    "config": "digits",
    "checkpoint": None,
    "n_qubits": 3,
    "epochs": 2,
    "flags": FLAGS,
    "samples": 6,
    "shown": 2,
}


@pytest.mark.parametrize(("n_qubits", "left"), [(2, 1), (6, 1), (6, 3), (7, 5)])
def test_page_is_the_mean_of_random_states(n_qubits: int, left: int) -> None:
    psi = random_states(n_qubits, batch=4000)
    entropies = von_neumann_entropy(torch.linalg.svdvals(psi.reshape(len(psi), 2**left, -1)))
    error = 5 * float(entropies.std()) / len(psi) ** 0.5
    assert page_entropy(n_qubits, left) == pytest.approx(float(entropies.mean()), abs=error)


def test_page_of_every_cut_is_symmetric() -> None:
    values = page_values(7)
    assert values == pytest.approx(values[::-1])
    assert len(values) == 6


def test_observed_are_the_readouts_of_the_model_itself() -> None:
    """And what is entangled at a cut of two qubits follows from the length of either Bloch vector."""
    torch.manual_seed(0)
    model = CopyingMemory(
        input_size=10, output_size=9, sequence_length=21, n_qubits=2, controller_width=3, angle_scale=3.0, dropout=0.5
    ).double()
    x = CopyingData(delay=1).dataset("test")[[0, 1, 2]][0].double()
    seen = observe(model, x)
    assert model.training
    z, _ = model.eval().cell(x)
    torch.testing.assert_close(seen.readouts, z.detach())
    length = seen.readouts[:, :, ::2].norm(dim=2)  # X, Y, Z of qubit 0
    larger, smaller = (1 + length) / 2, (1 - length) / 2
    torch.testing.assert_close(seen.spectrum, torch.stack([larger, smaller], 2), rtol=0, atol=1e-10)
    entropy = torch.special.entr(larger) + torch.special.entr(smaller.clamp(min=0))
    torch.testing.assert_close(seen.entropy[:, :, 0], entropy, rtol=0, atol=1e-8)


def test_what_comes_after_the_end_is_not_seen() -> None:
    data = SentimentData(train_size=20, evaluation_size=20, batch_size=10)
    model = SentimentClassifier(input_size=data.input_size, output_size=2, sequence_length=9, n_qubits=2)
    ids, _ = data.dataset("test")[[0, 5, 9]]
    seen, lengths = observe(model, ids), (ids != 0).sum(1).tolist()
    labels = time_labels(model, data, ids)
    for number, length in enumerate(lengths):
        assert torch.isfinite(seen.entropy[number, :length]).all()
        assert torch.isnan(seen.readouts[number, length:]).all()
        assert labels[number][:length] == data.vocabulary.decode(ids[number].tolist())
        assert set(labels[number][length:]) <= {""}


def test_symbols_have_names_and_pixels_have_none() -> None:
    data = CopyingData(delay=1)
    x = data.dataset("test")[[0]][0]
    assert time_labels(None, data, x) == [[str(symbol) for symbol in x[0].argmax(1).tolist()]]  # type: ignore[arg-type]
    assert time_labels(None, data, torch.rand(2, 3, 8)) == [[], []]  # type: ignore[arg-type]


def test_chosen_inputs_are_of_different_classes() -> None:
    assert _chosen(torch.tensor([4, 4, 4, 1, 4, 2]), 3) == [0, 3, 5]
    assert _chosen(torch.tensor([4, 4, 4]), 2) == [0, 1]
    assert _chosen(torch.zeros(5, 7), 9) == [0, 1, 2, 3, 4]


def test_principal_axes_are_those_of_the_covariance() -> None:
    points = np.random.default_rng(0).normal(size=(4, 50, 5)) @ np.diag([5, 3, 1, 0.5, 0.1])
    points[2, 30:] = np.nan
    kept = points.reshape(-1, 5)[np.isfinite(points.reshape(-1, 5)[:, 0])]
    centre, axes, share = principal_axes(points)
    values, vectors = np.linalg.eigh(np.cov(kept.T))
    np.testing.assert_allclose(centre, kept.mean(0))
    np.testing.assert_allclose(np.abs((axes * vectors[:, [-1, -2]]).sum(0)), 1, atol=1e-9)
    np.testing.assert_allclose(share, values[[-1, -2]] / values.sum())


def test_a_class_mean_ends_where_most_of_it_has_ended() -> None:
    readouts = np.ones((4, 5, 6))
    readouts[:3, 2:] = np.nan
    readouts[3] = 7
    cell = Seen(0, {"readouts": readouts, "classes": np.array([1, 1, 1, 1])}, [], [])
    mean = by_class(cell)["class 1"]
    np.testing.assert_allclose(mean, np.full((2, 6), 2.5))


def test_a_cell_trains_watches_and_is_taken_up_from_its_checkpoint(tmp_path: Path) -> None:
    values = measure(SETTINGS, 0, tmp_path)
    epochs = read_epochs(tmp_path / "epochs.jsonl")
    assert [line["epoch"] for line in epochs] == [0, 1, 2]
    assert "val_accuracy" in epochs[1]
    assert all(0 <= line["middle"] <= line["largest"] <= np.log(2) + 1e-6 for line in epochs)
    arrays = np.load(tmp_path / "arrays.npz")
    assert arrays["entropy"].shape == (6, 8, 2)
    assert arrays["inputs"].shape == (2, 8, 8)
    assert arrays["spectrum"].sum(1) == pytest.approx(np.ones(8), abs=1e-5)
    # Half a line, as a killed process leaves, and an epoch that was repeated.
    with (tmp_path / "epochs.jsonl").open("a") as file:
        file.write(json.dumps({**epochs[1], "middle": 0.5}) + '\n{"epoch": 3, "mid')
    assert [line["middle"] for line in read_epochs(tmp_path / "epochs.jsonl")][1] == 0.5

    [checkpoint] = tmp_path.glob("runs/*/checkpoints/best.ckpt")
    from_checkpoint = {**SETTINGS, "config": None, "n_qubits": None, "checkpoint": str(checkpoint)}
    (tmp_path / "again").mkdir()
    again = measure(from_checkpoint, 0, tmp_path / "again")
    assert again["entropy_largest"] == values["entropy_largest"]
    assert again["metric"] == values["metric"]
    assert again["name"].startswith("digits-")


def test_command_with_texts_and_a_checkpoint(tmp_path: Path) -> None:
    flags = f"{FLAGS} --data.train_size 100 --data.evaluation_size 20"
    small = ["--n-qubits", "3", "--epochs", "1", "--samples", "6", "--executor", "debug"]
    out = tmp_path / "out"
    asked = ["--config", "sentiment", *small, "--seeds", "0", "1", f"--flags={flags}", "--out", str(out)]
    assert main(["study", "entanglement", *asked]) == 0
    names = {f"sentiment_{name}" for name in ("maps", "spectra", "progress", "bloch", "pca")}
    assert {path.stem for path in out.glob("*.svg")} == names
    assert {path.name for path in out.iterdir()} >= GRID_OUTPUT
    with (out / "sentiment_maps.csv").open() as file:
        words = {row["label"] for row in csv.DictReader(file)}
    assert words & {"was", "very", "not", "good", "bad"}
    drawn = (out / "sentiment_progress.svg").read_text()
    assert "(2 seeds)" in drawn
    assert "n = 2" not in drawn  # n is the number of qubits

    checkpoint = sorted(out.glob("cells/*/runs/*/checkpoints/best.ckpt"))[0]
    asked = ["--checkpoint", str(checkpoint), "--samples", "6", "--executor", "debug", "--out", str(tmp_path / "one")]
    assert main(["study", "entanglement", *asked]) == 0
    assert len(list((tmp_path / "one").glob("*_pca.svg"))) == 1
    assert not list((tmp_path / "one").glob("*_progress.svg"))  # its training was not watched
    assert len(list((tmp_path / "one" / "cells").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--checkpoint", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--epochs", "0"], "epochs"),
        (["--shown", "0"], "shown"),
        (["--n-qubits", "1"], "at least two"),
        (["--config", "digit"], "Did you mean 'digits'?"),
        (["--config", "digits", "--flags=--model.cell gru"], "'gru'"),
    ],
)
def test_bad_requests_end_with_one_sentence(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_by("entanglement", arguments, mentions, tmp_path, capsys)
