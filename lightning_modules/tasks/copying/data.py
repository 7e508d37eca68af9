"""The sequences of the copying memory task, generated as they are asked for.

input    s1 ... s10   blank x delay   marker   blank x 9          ids 0 (blank), 1-8 (symbols), 9 (marker)
target   blank x (delay + 10)         s1 ... s10                  ids 0-8
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from backends.errors import InvalidInput, require_positive_int
from backends.memory import require_memory
from lightning_modules.data.loaders import Batch, BatchDataset, SequenceData

SYMBOLS = 8
RECALLED = 10
BLANK, MARKER = 0, 9
# Of a timestep of a sequence, one-hot as integers and as floats, with its target; and of a sample's number in an epoch.
_BYTES_PER_STEP = (SYMBOLS + 2) * (8 + 4) + 2 * 8
_BYTES_PER_NUMBER = 2 * 8
# Philox keys of the fixed sets; training uses (seed, 0), so that no seed can meet them.
FIXED_SETS = {"val": (0, 1), "test": (0, 2)}


class CopyingData(SequenceData):
    """Generated sequences for the copying memory task; training never sees a sample twice.

    Args:
        delay: Blanks between the symbols and the marker; a sequence has delay + 20 steps.
        short_delay: Delay of the training sequences of the first `short_epochs` epochs; null: the same delay.
        short_epochs: Epochs of training with the short delay. Validation and test always have the full delay.
        steps_per_epoch: Training batches in an epoch.
        evaluation_size: Sequences in the validation set and in the test set, which are the same for every seed.
        batch_size: Sequences in a batch.
        seed: Seed of the training sequences.
    """

    data_kind = "synthetic"
    train_order = "fresh"
    input_size = SYMBOLS + 2
    output_size = SYMBOLS + 1

    def __init__(
        self,
        delay: int = 20,
        short_delay: int | None = None,
        short_epochs: int = 0,
        steps_per_epoch: int = 100,
        evaluation_size: int = 512,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.delay = require_positive_int("copying", "delay", delay)
        self.short_delay = self.delay
        if short_delay is not None:
            self.short_delay = require_positive_int("copying", "short_delay", short_delay)
        if type(short_epochs) is not int or short_epochs < 0 or (short_epochs == 0) != (short_delay is None):
            raise InvalidInput(
                f"copying: short_delay and short_epochs belong together, a delay and a number of epochs above 0, got "
                f"{short_delay!r} and {short_epochs!r}; give both or neither."
            )
        self.short_epochs = short_epochs
        self.steps_per_epoch = require_positive_int("copying", "steps_per_epoch", steps_per_epoch)
        self.evaluation_size = require_positive_int("copying", "evaluation_size", evaluation_size)
        self.sequence_length = delay + 2 * RECALLED
        self._require_memory()
        self.sha256 = self._digest()

    def dataset(self, split: str) -> BatchDataset:
        """Return the sequences of "train" (one epoch of them), "val" or "test"."""
        if split == "train":
            size = self.steps_per_epoch * self.batch_size
            return CopyingSequences(
                (self.seed, 0), self.delay, size, short_delay=self.short_delay, short_samples=self.short_epochs * size
            )
        return CopyingSequences(FIXED_SETS[split], self.delay, self.evaluation_size)

    def _require_memory(self) -> None:
        """Refuse sequences that do not fit the memory, by arithmetic."""
        shown = max(self.batch_size, self.evaluation_size) * (max(self.delay, self.short_delay) + 2 * RECALLED)
        require_memory(
            "copying",
            "the sequences",
            shown * _BYTES_PER_STEP + self.steps_per_epoch * self.batch_size * _BYTES_PER_NUMBER,
            torch.device("cpu"),
            "Use a shorter delay, fewer steps_per_epoch, a smaller batch_size or a smaller evaluation_size.",
        )

    def _digest(self) -> str:
        """Return the sha256 of the fixed sets and of the first training batch."""
        digest = sha256()
        for split, size in (("train", self.batch_size), ("val", self.evaluation_size), ("test", self.evaluation_size)):
            digest.update(self.dataset(split)[list(range(size))][1].numpy().astype(np.uint8).tobytes())
        return digest.hexdigest()


class CopyingSequences(BatchDataset):
    """Sequences of the copying task; sample i is a function of (key, i) alone.

    The first `short_samples` samples have the delay `short_delay`; a batch holds samples of one delay only.
    """

    def __init__(
        self, key: tuple[int, int], delay: int, size: int, *, short_delay: int | None = None, short_samples: int = 0
    ) -> None:
        self._key = np.array(key, dtype=np.uint64)
        self._delay = delay
        self._short_delay = delay if short_delay is None else short_delay
        self._short_samples = short_samples
        self._size = size

    def __len__(self) -> int:
        """Return the number of sequences in one epoch."""
        return self._size

    def __getitem__(self, indices: list[int]) -> Batch:
        """Return inputs (batch, delay + 20, 10), one-hot, and targets (batch, delay + 20)."""
        symbols = self.symbols(indices)
        delay = self._short_delay if max(indices) < self._short_samples else self._delay
        batch, length = len(indices), delay + 2 * RECALLED
        inputs = torch.full((batch, length), BLANK)
        inputs[:, :RECALLED] = symbols
        inputs[:, RECALLED + delay] = MARKER
        targets = torch.full((batch, length), BLANK)
        targets[:, -RECALLED:] = symbols
        return one_hot(inputs, SYMBOLS + 2).float(), targets

    def symbols(self, indices: list[int]) -> Tensor:
        """Return the ten symbols (batch, 10), in 1..8, of the samples with these numbers."""
        first, last = min(indices), max(indices)
        # Philox is counter based: block i of its stream can be computed without the blocks before it.
        bits: Any = np.random.Philox(key=self._key, counter=[first, 0, 0, 0])
        words = bits.random_raw(4 * (last - first + 1))[::4][np.array(indices) - first]
        shifts = 3 * np.arange(RECALLED, dtype=np.uint64)
        return torch.from_numpy(((words[:, None] >> shifts) & np.uint64(7)).astype(np.int64)) + 1
