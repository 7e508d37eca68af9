"""MNIST from a local folder in the hub's format: what is read, how it is split, and what is refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.tasks.images.mnist import MNISTData
from tests.lightning_modules.small_images import grey_images, png, write_mnist
from tests.lightning_modules.small_runs import only_run

# fmt: off
SMALL = [
    "--config", "mnist", "--model.n_qubits", "2", "--model.controller_width", "2", "--data.batch_size", "8",
    "--data.validation_size", "10", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2",
]
# fmt: on


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


def test_pixels_are_those_of_the_files(folder: Path) -> None:
    pixels, labels = grey_images(20, seed=1)
    inputs, targets = MNISTData(str(folder), validation_size=10).dataset("test")[[3, 7]]
    assert torch.equal(inputs, torch.from_numpy(pixels[[3, 7]]).float() / 255)
    assert targets.tolist() == labels[[3, 7]].tolist()


@pytest.mark.parametrize(("arrangement", "shape"), [("rows", (28, 28)), ("pixels", (784, 1)), ("permuted", (784, 1))])
def test_sequences_have_the_announced_shape(folder: Path, arrangement: str, shape: tuple[int, int]) -> None:
    data = MNISTData(str(folder), arrangement=arrangement, validation_size=10)
    assert (data.sequence_length, data.input_size, data.data_kind) == (*shape, "real")
    assert data.dataset("val")[[0, 1]][0].shape == (2, *shape)


def test_validation_is_carved_from_train_stratified_and_for_every_seed_the_same(folder: Path) -> None:
    data, other = (MNISTData(str(folder), validation_size=10, seed=seed) for seed in (0, 1))
    train, val = (data.dataset(part) for part in ("train", "val"))
    assert (len(train), len(val), len(data.dataset("test"))) == (30, 10, 20)
    assert sorted(val[list(range(10))][1].tolist()) == list(range(10))  # one of each of ten digits, four each in all
    assert torch.equal(val[list(range(10))][0], other.dataset("val")[list(range(10))][0])
    together = torch.cat([train[list(range(30))][0], val[list(range(10))][0]]).mean((1, 2)).sort().values
    expected = torch.from_numpy(grey_images(40, seed=0)[0]).float().div(255).mean((1, 2)).sort().values
    torch.testing.assert_close(together, expected)


def test_other_formats_of_a_folder_give_the_same_data(folder: Path, tmp_path: Path) -> None:
    """Files without the hub's metadata hold bytes in a plain struct, and save_to_disk writes arrow files."""
    plain = write_mnist(tmp_path / "plain", features=None)
    saved = tmp_path / "saved"
    datasets.load_dataset(str(folder)).save_to_disk(str(saved))
    hashes = {MNISTData(str(source), validation_size=10).sha256 for source in (folder, plain, saved)}
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64


def test_trains_and_keeps_the_permutation(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*SMALL, "--data.source", str(folder), "--runs", str(tmp_path / "rows")]
    assert main(["fit", *rows]) == 0
    assert "test_accuracy" in capsys.readouterr().out
    trained = MNISTData(str(folder), arrangement="permuted", permutation_seed=5, validation_size=10)
    other = MNISTData(str(folder), arrangement="permuted", permutation_seed=6, validation_size=10)
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other.permutation, trained.permutation)
    assert sorted(other.permutation.tolist()) == list(range(784))
    checkpoint = torch.load(only_run(tmp_path / "rows") / "checkpoints" / "last.ckpt", weights_only=True)
    assert torch.equal(checkpoint["MNISTData"]["permutation"], torch.arange(784))


def test_checkpoint_of_other_images_is_refused(folder: Path, tmp_path: Path) -> None:
    trained = MNISTData(str(write_mnist(tmp_path, seed=9)), validation_size=10)
    with pytest.raises(InvalidInput, match=r"sha256 .*data\.source"):
        MNISTData(str(folder), validation_size=10).load_state_dict(trained.state_dict())


def _coloured(pixels: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(stream, "PNG")
    return stream.getvalue()


def _wide(pixels: np.ndarray[Any, Any]) -> bytes:
    return png(np.zeros((28, 32), dtype=np.uint8))


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (_coloured, "image 0 of split 'train' is 28x28 of mode 'RGB'; expected a grey image of 28x28"),
        (_wide, "is 32x28 of mode 'L'; expected"),
        (lambda pixels: b"no image", "cannot be read as an image"),
    ],
)
def test_files_that_are_not_mnist_are_refused(
    encode: Callable[[np.ndarray[Any, Any]], bytes], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message):
        MNISTData(str(write_mnist(tmp_path, encode=encode)), validation_size=10).setup()


@pytest.mark.parametrize(("labels", "wrong"), [([0, 1, 10], "10"), ([0, -1, 2], "-1"), ([0.5, 1.0, 2.0], "0.5")])
def test_labels_out_of_range_are_refused(labels: list[float], wrong: str, tmp_path: Path) -> None:
    content = {"image": [{"bytes": png(image), "path": None} for image in grey_images(3)[0]], "label": labels}
    for part in ("train", "test"):
        datasets.Dataset.from_dict(content).to_parquet(tmp_path / f"{part}.parquet")
    with pytest.raises(InvalidInput, match=f"label {wrong}; expected integers from 0 to 9"):
        MNISTData(str(tmp_path), validation_size=1).setup()


def test_missing_column_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        datasets.Dataset.from_dict({"picture": [1], "label": [2]}).to_parquet(tmp_path / f"{part}.parquet")
    with pytest.raises(InvalidInput, match="no column 'image'; expected image, label, found picture, label"):
        MNISTData(str(tmp_path)).setup()


@pytest.mark.parametrize(
    "setting",
    [{"validation_size": 0}, {"validation_size": 5}, {"validation_size": 40}, {"shift": 28}, {"permutation_seed": -1}],
)
def test_wrong_setting_is_refused(setting: dict[str, int], folder: Path) -> None:
    with pytest.raises(InvalidInput, match=next(iter(setting))):
        MNISTData(str(folder), **{"validation_size": 10, **setting}).setup()


def test_without_the_extra_the_remedy_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidInput, match=r"pip install 'tnqrnn\[hf\]'"):
        MNISTData(str(folder), cache_dir="none").setup()  # as no other test has read it
