"""Handwritten digits: 1797 real 8x8 scans, shipped with scikit-learn, and a classifier of sequences.

`rows` reads 8 rows of 8 pixels; `pixels` reads 64 single pixels; `permuted` reads them in one fixed random order, which
destroys locality and is the hardest of the three. Tables must say which arrangement was used.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from backends.errors import InvalidInput, require_choice
from lightning_modules.loaders import Batch, BatchDataset, SequenceData
from lightning_modules.task import SequenceTask

ARRANGEMENTS = ("rows", "pixels", "permuted")
# Of every split, so that results of different runs compare: 1293, 144 and 360 scans, stratified by digit.
SPLIT_SEED = 0
TEST_SIZE, VAL_SIZE = 360, 144


class DigitsClassifier(SequenceTask):
    """Classify a sequence from the readouts after its last timestep."""

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the accuracy over all samples."""
        return MetricCollection({"accuracy": MulticlassAccuracy(classes, average="micro")})

    def read(self, z: Tensor) -> Tensor:
        """Return logits (batch, classes) from the last of the readouts (batch, time, output_size)."""
        return cast(Tensor, self.head(z[:, -1]))


class DigitsData(SequenceData):
    """Handwritten digits as sequences.

    Args:
        arrangement: rows (8 steps of 8 pixels), pixels (64 steps of one) or permuted (64 steps, shuffled once).
        permutation_seed: Seed of the permutation of `permuted`; the permutation itself is kept in the checkpoint.
        batch_size: Sequences in a batch.
        seed: Seed of the order of the training batches.
    """

    data_kind = "real"
    output_size = 10

    def __init__(
        self, arrangement: str = "rows", permutation_seed: int = 0, batch_size: int = 64, seed: int = 0
    ) -> None:
        super().__init__(batch_size, seed)
        self.arrangement = require_choice("digits", "arrangement", arrangement, ARRANGEMENTS)
        self.input_size, self.sequence_length = (8, 8) if arrangement == "rows" else (1, 64)
        self.permutation = torch.arange(64)
        if arrangement == "permuted":
            self.permutation = torch.from_numpy(np.random.default_rng(permutation_seed).permutation(64))
        self._images, self._labels, self.sha256 = _read_digits()
        self._splits = _split(self._labels)

    def dataset(self, split: str) -> BatchDataset:
        """Return scans of "train", "val" or "test" as sequences (time, features) of values in [0, 1]."""
        chosen = self._splits[split]
        return _Scans(self.arrange(self._images[chosen]), self._labels[chosen])

    def arrange(self, images: Tensor) -> Tensor:
        """Turn scans (batch, 64) into sequences (batch, sequence_length, input_size)."""
        return images[:, self.permutation].reshape(-1, self.sequence_length, self.input_size)

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the permutation (64,) and the data's sha256."""
        return {**super().state_dict(), "permutation": self.permutation}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint, with the permutation that its weights were trained on.

        Raises:
            InvalidInput: The checkpoint was trained on other scans than those installed.
        """
        if state_dict["sha256"] != self.sha256:
            raise InvalidInput(
                f"digits: the checkpoint was trained on scans with sha256 {state_dict['sha256'][:12]}, installed are "
                f"{self.sha256[:12]}; install the scikit-learn version named in the run's env.json, or train afresh."
            )
        super().load_state_dict(state_dict)
        self.permutation = state_dict["permutation"].cpu()


class _Scans(BatchDataset):
    def __init__(self, sequences: Tensor, labels: Tensor) -> None:
        self._sequences = sequences
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, indices: list[int]) -> Batch:
        return self._sequences[indices], self._labels[indices]


def _read_digits() -> tuple[Tensor, Tensor, str]:
    """Return pixels (1797, 64) in [0, 1], labels (1797,) and the sha256 of both as bytes."""
    scans = load_digits()
    pixels, labels = scans.data.astype(np.uint8), scans.target.astype(np.uint8)
    digest = sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    return torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels).long(), digest


def _split(labels: Tensor) -> dict[str, Tensor]:
    """Return the sample numbers of every split, stratified by label."""
    everything = np.arange(len(labels))
    rest, test = train_test_split(everything, test_size=TEST_SIZE, stratify=labels, random_state=SPLIT_SEED)
    train, val = train_test_split(rest, test_size=VAL_SIZE, stratify=labels[rest], random_state=SPLIT_SEED)
    return {"train": torch.from_numpy(train), "val": torch.from_numpy(val), "test": torch.from_numpy(test)}
