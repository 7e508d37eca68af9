"""Texts as tokens, and batches of token ids of different lengths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from lightning_modules.data.loaders import Batch, BatchDataset, EpochBatches
from lightning_modules.data.vocabulary import PADDING

_TOKEN = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def tokenize(text: str) -> list[str]:
    """Return the lower-cased words of a text (with inner apostrophes, `don't`) and each other character by itself."""
    return _TOKEN.findall(text.lower())


class TokenSequences(BatchDataset):
    """Sequences of token ids with one target each; a batch is padded to its longest sequence."""

    def __init__(self, sequences: Sequence[Sequence[int]], targets: Sequence[int]) -> None:
        self._sequences = [torch.tensor(sequence) for sequence in sequences]
        self._targets = torch.tensor(targets)
        self.lengths = np.array([len(sequence) for sequence in sequences])

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self._sequences)

    def __getitem__(self, indices: list[int]) -> Batch:
        """Return ids (batch, time), padded, and targets (batch,)."""
        chosen = [self._sequences[index] for index in indices]
        return pad_sequence(chosen, batch_first=True, padding_value=PADDING), self._targets[indices]


class BucketedBatches(EpochBatches):
    """Batches of sequences of similar length, so that few timesteps are padding.

    "shuffled": a permutation of (seed, epoch) is cut into pools of `POOL` batches; each pool is sorted by length, and
    then the batches are shuffled. "fixed": by length. In both, every sequence is served once in an epoch.
    """

    POOL = 16

    def __init__(self, lengths: np.ndarray[Any, Any], batch_size: int, order: str = "fixed", seed: int = 0) -> None:
        super().__init__(len(lengths), batch_size, order, seed)
        self._lengths = lengths

    def samples(self, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the sample numbers (size,) of `epoch` in the order in which they are served."""
        if self.order == "fixed":
            return np.argsort(self._lengths, kind="stable")
        generator = np.random.default_rng((self.seed, epoch))
        shuffled = generator.permutation(self.size)
        pool = self.POOL * self.batch_size
        pools = [shuffled[start : start + pool] for start in range(0, self.size, pool)]
        ordered = np.concatenate([chosen[np.argsort(self._lengths[chosen], kind="stable")] for chosen in pools])
        whole = self.size // self.batch_size  # only the last batch may be smaller, so it stays the last
        batches = ordered[: whole * self.batch_size].reshape(whole, self.batch_size)
        return np.concatenate([batches[generator.permutation(whole)].ravel(), ordered[whole * self.batch_size :]])
