"""Digits: what the data are, and what a checkpoint keeps of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import pad

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.tasks.images.digits import DigitsClassifier, DigitsData
from tests.lightning_modules.small_runs import SMALL, Fit, only_run


@pytest.mark.parametrize(("arrangement", "shape"), [("rows", (8, 8)), ("pixels", (64, 1)), ("permuted", (64, 1))])
def test_sequences_have_the_announced_shape(arrangement: str, shape: tuple[int, int]) -> None:
    data = DigitsData(arrangement=arrangement)
    inputs, labels = next(iter(data.val_dataloader()))
    assert inputs.shape == (64, *shape) == (64, data.sequence_length, data.input_size)
    assert labels.shape == (64,)
    assert inputs.min() >= 0
    assert inputs.max() == 1


def test_splits_are_disjoint_complete_and_stratified() -> None:
    data = DigitsData()
    assert [len(data.dataset(split)) for split in ("train", "val", "test")] == [1293, 144, 360]
    scans = torch.cat([data.splits[split].pixels for split in ("train", "val", "test")])
    everything = torch.from_numpy(load_digits().data).to(torch.uint8)
    assert len(torch.unique(everything, dim=0)) == 1797  # no two scans are the same
    assert torch.equal(torch.unique(scans, dim=0), torch.unique(everything, dim=0))
    for split in ("train", "val", "test"):
        dataset = data.dataset(split)
        shares = torch.bincount(dataset[list(range(len(dataset)))][1]) / len(dataset)
        # Every digit is 0.097 to 0.102 of the scans; a split may round one sample of 144 either way.
        assert torch.allclose(shares, torch.full((10,), 0.1), atol=0.01)


def test_rows_are_the_scans() -> None:
    inputs, labels = DigitsData().dataset("test")[[0]]
    scans = load_digits()
    [same] = np.flatnonzero((scans.data / 16 == inputs[0].flatten().numpy()).all(1))
    assert torch.equal(inputs[0], torch.tensor(scans.images[same] / 16, dtype=torch.float32))
    assert labels[0] == scans.target[same]


def test_training_scans_are_shifted_anew_in_every_epoch_and_others_never() -> None:
    still, moved = DigitsData(), DigitsData(shift=1)
    for split in ("val", "test"):
        assert torch.equal(moved.dataset(split)[[0, 1, 2]][0], still.dataset(split)[[0, 1, 2]][0])
    [scan], label = still.dataset("train")[[5]]
    padded = pad(scan, (1, 1, 1, 1))
    places = [padded[down : down + 8, right : right + 8] for down in range(3) for right in range(3)]
    seen = set()
    for epoch in range(40):
        [shifted], same_label = moved.dataset("train")[[5 + 1293 * epoch]]
        [place] = [number for number, other in enumerate(places) if torch.equal(shifted, other)]
        assert torch.equal(same_label, label)
        seen.add(place)
    assert seen == set(
        range(9)
    )  # of nine places one is missed in 40 epochs with probability 0.08: this seed misses none
    again = DigitsData(shift=1).dataset("train")[[7, 5]][0][1]
    assert torch.equal(again, moved.dataset("train")[[5]][0][0])  # whatever was asked for before or beside it
    assert sorted(moved.train_dataloader().batches.samples(2)) == list(range(2 * 1293, 3 * 1293))
    assert (
        DigitsData(shift=1, seed=1).dataset("train")[list(range(64))][0] != moved.dataset("train")[list(range(64))][0]
    ).any()


def test_training_order_depends_on_seed_and_epoch_only() -> None:
    batches = DigitsData(seed=3).train_dataloader().batches
    again = DigitsData(seed=3).train_dataloader().batches
    torch.manual_seed(1)  # must not matter
    assert (batches.samples(4) == again.samples(4)).all()
    assert (batches.samples(4) != batches.samples(5)).any()
    assert (batches.samples(4) != DigitsData(seed=4).train_dataloader().batches.samples(4)).any()
    assert sorted(batches.samples(4)) == list(range(1293))


def test_permutation_is_restored_from_the_checkpoint(fit: Fit, tmp_path: Path) -> None:
    assert fit("--data.arrangement", "permuted", "--data.permutation_seed", "5", "--trainer.max_epochs", "1") == 0
    path = only_run(tmp_path / "runs") / "checkpoints" / "last.ckpt"
    trained = DigitsData(arrangement="permuted", permutation_seed=5).permutation
    assert not torch.equal(trained, torch.arange(64))

    other = DigitsData(arrangement="permuted", permutation_seed=6)
    other.load_state_dict(torch.load(path, weights_only=True)["DigitsData"])
    assert torch.equal(other.permutation, trained)
    images = torch.rand(2, 64)
    assert torch.equal(other.arrange(images)[..., 0], images[:, trained])


def test_checkpoint_of_other_scans_is_refused() -> None:
    data = DigitsData()
    with pytest.raises(InvalidInput, match="sha256"):
        data.load_state_dict({**data.state_dict(), "sha256": "0" * 64})


@pytest.mark.parametrize(
    "setting", [{"arrangement": "row"}, {"batch_size": 0}, {"seed": -1}, {"shift": 8}, {"permutation_seed": -1}]
)
def test_wrong_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        DigitsData(**setting)  # type: ignore[arg-type]


def test_checkpoint_moves_between_backends(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs", "1") == 0
    path = only_run(tmp_path / "runs") / "checkpoints" / "best.ckpt"
    exact = DigitsClassifier.load_from_checkpoint(path, weights_only=True)
    truncated = DigitsClassifier.load_from_checkpoint(path, weights_only=True, backend="mps")
    assert exact.hparams["backend"] == "statevector"
    assert truncated.hparams["backend"] == "mps"
    x = torch.rand(3, 8, 8)
    # Two qubits need a bond of 2 only, so nothing is truncated; readouts are sums over few complex64 numbers.
    torch.testing.assert_close(truncated.eval()(x), exact.eval()(x), rtol=1e-4, atol=1e-5)

    capsys.readouterr()
    assert main(["test", *SMALL, "--model.backend", "mps", "--checkpoint", str(path)]) == 0
    assert "test_accuracy" in capsys.readouterr().out
