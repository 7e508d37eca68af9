"""Handwritten digits: 1797 real 8x8 scans, shipped with scikit-learn, read by rows, by pixels or by permuted pixels."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from lightning_modules.data.loaders import SPLIT_SEED
from lightning_modules.tasks.images.data import ImageData, Images
from lightning_modules.tasks.images.task import ImageClassifier

# 1293 scans are left for training; every split is stratified by digit.
TEST_SIZE, VAL_SIZE = 360, 144

DigitsClassifier = ImageClassifier


class DigitsData(ImageData):
    """Handwritten digits as sequences.

    Args:
        arrangement: rows (8 steps of 8 pixels), pixels (64 steps of one) or permuted (64 steps, shuffled once).
        permutation_seed: Seed of the permutation of `permuted`; the permutation itself is kept in the checkpoint.
        shift: Move every training scan by up to so many pixels each way, anew in every epoch; 0 leaves it in place.
        batch_size: Sequences in a batch.
        seed: Seed of the order of the training batches, and of the shifts.
    """

    name = "digits"
    side = 8
    white = 16

    def __init__(
        self,
        arrangement: str = "rows",
        permutation_seed: int = 0,
        shift: int = 0,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(arrangement, permutation_seed, shift, batch_size, seed)

    def read(self) -> None:
        """Take the scans out of scikit-learn."""
        scans = read_digits()
        self.splits, self.sha256 = split(scans), scans.sha256()

    def remedy(self) -> str:
        """Return what to do where the scans are not those of a checkpoint."""
        return "install the scikit-learn version named in the run's env.json"


def split(scans: Images) -> dict[str, Images]:
    """Return the scans of every split, stratified by label."""
    everything = np.arange(len(scans))
    rest, test = train_test_split(everything, test_size=TEST_SIZE, stratify=scans.labels, random_state=SPLIT_SEED)
    train, val = train_test_split(rest, test_size=VAL_SIZE, stratify=scans.labels[rest], random_state=SPLIT_SEED)
    return {"train": scans.select(train), "val": scans.select(val), "test": scans.select(test)}


@cache
def read_digits() -> Images:
    """Return all 1797 scans, of grey values 0 (black) to 16."""
    scans = load_digits()
    return Images(torch.from_numpy(scans.data.astype(np.uint8)), torch.from_numpy(scans.target).long())
