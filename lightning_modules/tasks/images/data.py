"""Square grey images as sequences.

`rows` reads one row of pixels at each timestep; `pixels` reads single pixels, row by row; `permuted` reads them in one
fixed random order, which destroys locality and is the hardest of the three. Tables must say which arrangement was used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import InvalidInput, require_choice
from lightning_modules.data.loaders import Batch, BatchDataset, SequenceData

ARRANGEMENTS = ("rows", "pixels", "permuted")
# Second half of the Philox key of the shifts; the first is the run's seed.
_SHIFTS = 3


@dataclass(frozen=True)
class Images:
    """Grey images and what they show: pixels (samples, side * side), uint8, and labels (samples,), int64."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def select(self, samples: Any) -> Images:
        """Return the images with these numbers."""
        return Images(self.pixels[samples], self.labels[samples])

    def sha256(self) -> str:
        """Return the sha256 of pixels and labels, a byte each."""
        return sha256(self.pixels.numpy().tobytes() + self.labels.to(torch.uint8).numpy().tobytes()).hexdigest()


class ImageData(SequenceData):
    """Images of `side` x `side` pixels as sequences of values in [0, 1].

    A subclass reads the images of every split into `splits`, and says which grey value becomes 1 (`white`).
    """

    data_kind = "real"
    output_size = 10
    name: str
    side: int
    white: int
    splits: Mapping[str, Images]  # "train", "val" and "test"

    def __init__(self, arrangement: str, permutation_seed: int, shift: int, batch_size: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        n_pixels = self.side**2
        self.arrangement = require_choice(self.name, "arrangement", arrangement, ARRANGEMENTS)
        self.input_size, self.sequence_length = (self.side, self.side) if arrangement == "rows" else (1, n_pixels)
        if type(permutation_seed) is not int or permutation_seed < 0:
            raise InvalidInput(
                f"{self.name}: permutation_seed must be an integer of at least 0, got {permutation_seed!r}."
            )
        self.permutation = torch.arange(n_pixels)
        if arrangement == "permuted":
            self.permutation = torch.from_numpy(np.random.default_rng(permutation_seed).permutation(n_pixels))
        if type(shift) is not int or not 0 <= shift < self.side:
            raise InvalidInput(
                f"{self.name}: shift must be an integer from 0 to {self.side - 1} pixels, got {shift!r}."
            )
        self.shift = shift
        # A shifted image is another one in every epoch, so its number must tell the epoch.
        self.train_order = "renewed" if shift else "shuffled"

    def dataset(self, split: str) -> BatchDataset:
        """Return the images of "train", "val" or "test" as sequences (time, features); those of "train" shifted."""
        return _Sequences(self, self.splits[split], self.shift if split == "train" else 0)

    def arrange(self, images: Tensor) -> Tensor:
        """Turn images (batch, side * side) into sequences (batch, sequence_length, input_size)."""
        return images[:, self.permutation].reshape(-1, self.sequence_length, self.input_size)

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the permutation (side * side,) and the data's sha256."""
        return {**super().state_dict(), "permutation": self.permutation}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint, with the permutation that its weights were trained on.

        Raises:
            InvalidInput: The checkpoint was trained on other images than these.
        """
        if state_dict["sha256"] != self.sha256:
            raise InvalidInput(
                f"{self.name}: the checkpoint was trained on images with sha256 {state_dict['sha256'][:12]}, these are "
                f"{self.sha256[:12]}; {self.remedy()}, or train afresh."
            )
        super().load_state_dict(state_dict)
        self.permutation = state_dict["permutation"].cpu()

    def remedy(self) -> str:
        """Return what to do where the images are not those of a checkpoint."""
        raise NotImplementedError


class _Sequences(BatchDataset):
    """Images of one split; sample i + e * (number of images) is image i with the shift of epoch e."""

    def __init__(self, data: ImageData, images: Images, shift: int) -> None:
        self._data = data
        self._images = images
        self._shift = shift

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, indices: list[int]) -> Batch:
        numbers = np.array(indices, dtype=np.int64)
        chosen = self._images.select(torch.from_numpy(numbers % len(self)))
        pixels = chosen.pixels
        if self._shift:
            offsets = torch.from_numpy(draw_shifts(self._data.seed, numbers, self._shift))
            pixels = shifted(pixels.unflatten(1, (self._data.side, -1)), offsets).flatten(1)
        return self._data.arrange(pixels.float() / self._data.white), chosen.labels


def draw_shifts(
    seed: int,
    numbers: np.ndarray[Any, Any],  # (batch,) sample numbers
    largest: int,
) -> np.ndarray[Any, Any]:  # (batch, 2)
    """Return offsets down and right in -largest..largest pixels, each a function of (seed, number) alone."""
    words = [np.random.Philox(key=(seed, _SHIFTS), counter=[n, 0, 0, 0]).random_raw(2) for n in numbers.tolist()]
    # 64 random bits modulo a few: the bias is below 2**-50.
    return (np.stack(words) % np.uint64(2 * largest + 1)).astype(np.int64) - largest


def shifted(
    images: Tensor,  # (batch, side, side)
    offsets: Tensor,  # (batch, 2), pixels down and right
) -> Tensor:  # (batch, side, side)
    """Move every image by its offset; what comes in from outside is black (0)."""
    places = torch.arange(images.shape[1])
    last = len(places) - 1
    rows, columns = places - offsets[:, :1], places - offsets[:, 1:]  # (batch, side) each: where the pixels come from
    inside = (rows == rows.clamp(0, last))[:, :, None] & (columns == columns.clamp(0, last))[:, None, :]
    batch = torch.arange(len(images))[:, None, None]
    return images[batch, rows.clamp(0, last)[:, :, None], columns.clamp(0, last)[:, None, :]] * inside
