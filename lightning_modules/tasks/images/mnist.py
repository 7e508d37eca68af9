"""MNIST: 70000 handwritten digits of 28x28 pixels, read by rows (28 timesteps) or by pixels (784 timesteps).

From the Hugging Face hub, or a local folder in the hub's format: parquet with an image column (PNG bytes) and a label.
MNIST has no validation split; ours is drawn from the training images, always the same, stratified by digit.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.data.hub import load
from lightning_modules.data.loaders import SPLIT_SEED
from lightning_modules.data.reading import read_once
from lightning_modules.tasks.images.data import ImageData, Images

if TYPE_CHECKING:
    from datasets import Dataset

CLASSES = 10
_OFFLINE = "--config digits, scans that come with scikit-learn,"


class MNISTData(ImageData):
    """MNIST as sequences.

    Args:
        source: The name mnist, an id on the hub, or a local folder in the same format.
        revision: Commit, branch or tag on the hub; by default a commit that is known to work.
        cache_dir: Where downloads are kept; by default where `datasets` keeps them.
        arrangement: rows (28 steps of 28 pixels), pixels (784 steps of one) or permuted (784 steps, shuffled once).
        permutation_seed: Seed of the permutation of `permuted`; the permutation itself is kept in the checkpoint.
        shift: Move every training image by up to so many pixels each way, anew in every epoch; 0 leaves it in place.
        validation_size: Training images that are kept for validation.
        batch_size: Sequences in a batch.
        seed: Seed of the order of the training batches, and of the shifts.

    Raises:
        InvalidInput: The data cannot be had, or are not 28x28 grey images with labels 0 to 9.
    """

    name = "mnist"
    side = 28
    white = 255

    def __init__(
        self,
        source: str = "mnist",
        revision: str | None = None,
        cache_dir: str | None = None,
        arrangement: str = "rows",
        permutation_seed: int = 0,
        shift: int = 0,
        validation_size: int = 5000,
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__(arrangement, permutation_seed, shift, batch_size, seed)
        self.source, self.revision, self.cache_dir = source, revision, cache_dir
        self.validation_size = require_positive_int(self.name, "validation_size", validation_size)

    def read(self) -> None:
        """Read the images, and keep some of those for training for validation."""
        images = read_mnist(self.source, self.revision, self.cache_dir)
        train, val = carve(images["train"], self.validation_size)
        self.splits = {"train": train, "val": val, "test": images["test"]}
        self.sha256 = images["train"].sha256()[:32] + images["test"].sha256()[:32]

    def remedy(self) -> str:
        """Return what to do where the images are not those of a checkpoint."""
        return "give the data.source and data.revision of the run's config.yaml"


@read_once
def read_mnist(source: str, revision: str | None, cache_dir: str | None) -> dict[str, Images]:
    """Return the images of "train" and "test"; arguments as in `MNISTData`."""
    data = load(source, revision=revision, cache_dir=cache_dir, offline_default=_OFFLINE)
    who, side = MNISTData.name, MNISTData.side
    return {part: read_images(who, part, data.split(part, ("image", "label")), side) for part in ("train", "test")}


def carve(images: Images, validation_size: int) -> tuple[Images, Images]:
    """Split images into those for training and `validation_size` for validation, stratified by label."""
    rest = len(images) - validation_size
    present = len(images.labels.unique())
    fewest = int(images.labels.bincount()[images.labels.unique()].min())
    if fewest < 2 or min(rest, validation_size) < present:
        raise InvalidInput(
            f"mnist: {validation_size} of {len(images)} training images cannot be kept for validation, because "
            f"training and validation need every one of {present} digits; change data.validation_size."
        )
    train, val = train_test_split(
        np.arange(len(images)), test_size=validation_size, stratify=images.labels, random_state=SPLIT_SEED
    )
    return images.select(train), images.select(val)


def read_images(who: str, part: str, dataset: Dataset, side: int) -> Images:
    """Return the images of a data set with columns image (bytes of an image file) and label (0 to 9).

    Raises:
        InvalidInput: A row is no image, or has another size, colours, or another label.
    """
    labels = np.asarray(dataset.with_format(None)["label"])
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= CLASSES:
        wrong = next(label for label in labels.tolist() if label not in range(CLASSES))
        raise InvalidInput(f"{who}: split {part!r} has the label {wrong!r}; expected integers from 0 to {CLASSES - 1}.")
    pixels = np.empty((len(labels), side * side), dtype=np.uint8)
    for number, cell in enumerate(_image_column(dataset)):
        pixels[number] = _read_image(f"{who}: image {number} of split {part!r}", cell, side)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))


def _image_column(dataset: Dataset) -> Any:
    """Return the image column as {"bytes", "path"}, which is also what a file without the hub's metadata holds."""
    from datasets import Image

    if isinstance(dataset.features["image"], Image):
        dataset = dataset.cast_column("image", Image(decode=False))
    return dataset["image"]


def _read_image(who: str, cell: Any, side: int) -> np.ndarray[Any, Any]:  # (side * side,), uint8
    from PIL import Image, UnidentifiedImageError

    expected = f"expected a grey image of {side}x{side} pixels"
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if not isinstance(content, bytes) and (content is not None or not isinstance(path, str)):
        raise InvalidInput(f"{who} is {type(cell).__name__}; {expected} as the bytes of a file, such as PNG.")
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else str(path)) as image:
            if image.size != (side, side) or image.mode != "L":
                width, height = image.size
                raise InvalidInput(f"{who} is {width}x{height} of mode {image.mode!r}; {expected} (mode 'L').")
            return np.asarray(image).reshape(-1)
    except (UnidentifiedImageError, OSError) as error:
        raise InvalidInput(f"{who} cannot be read as an image; {expected} as the bytes of a file.") from error
