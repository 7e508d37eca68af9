"""Texts as tokens, data with a vocabulary, and batches of token ids of different lengths."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from lightning_modules.data.loaders import Batch, BatchDataset, EpochBatches, SequenceData
from lightning_modules.data.vocabulary import PADDING, Vocabulary

# Words, whose parts an apostrophe may join (`don't`), and each other character by itself.
WORDS = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def tokenize(text: str, lower_case: bool = True, words: re.Pattern[str] = WORDS) -> list[str]:
    """Return the words of a text, and what stands between them but for blanks."""
    return interned(words.findall(text.lower() if lower_case else text))


def interned(tokens: Iterable[str]) -> list[str]:
    """Return tokens as they are: one object for all occurrences of a word, as what was read is kept in memory."""
    return [sys.intern(token) for token in tokens]


class TextData(SequenceData):
    """Data of one vocabulary, which `read` builds from the training texts; what it notes in `_facts` is told."""

    name: str  # as sentences name the task
    vocabulary: Vocabulary

    def __init__(self, source: str, batch_size: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        self.source = source
        self._facts: dict[str, Any] = {"source": source}

    def facts(self) -> dict[str, Any]:
        """Return source, sizes, and what was dropped, truncated or unknown."""
        self.setup()
        return self._facts

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the vocabulary and the data's sha256."""
        return {**super().state_dict(), "vocabulary": self.vocabulary.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Raises:
            InvalidInput: The checkpoint was trained with another vocabulary, so its ids mean other words.
        """
        self.vocabulary.require_same(self.name, state_dict["vocabulary"])
        super().load_state_dict(state_dict)


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
