"""Digits: what the data are, and what a checkpoint keeps of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from backends.errors import InvalidInput
from lightning_modules.cli import main
from lightning_modules.digits import DigitsClassifier, DigitsData
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
    numbers = torch.cat([data._splits[split] for split in ("train", "val", "test")])
    assert torch.equal(numbers.sort().values, torch.arange(1797))
    for split in ("train", "val", "test"):
        dataset = data.dataset(split)
        shares = torch.bincount(dataset[list(range(len(dataset)))][1]) / len(dataset)
        # Every digit is 0.097 to 0.102 of the scans; a split may round one sample of 144 either way.
        assert torch.allclose(shares, torch.full((10,), 0.1), atol=0.01)


def test_rows_are_the_scans() -> None:
    data = DigitsData()
    first = int(data._splits["test"][0])
    inputs, labels = data.dataset("test")[[0]]
    assert torch.equal(inputs[0], torch.tensor(load_digits().images[first] / 16, dtype=torch.float32))
    assert labels[0] == load_digits().target[first]


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


@pytest.mark.parametrize("setting", [{"arrangement": "row"}, {"batch_size": 0}, {"seed": -1}])
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
