"""In-memory batches whose order is a pure function of (seed, epoch), and the data module that serves them.

A run that stops in the middle of an epoch must continue with the batch it would have seen next. So nothing here draws
from a global random state: the order of an epoch is computed from the seed and the epoch number, and the position in
it is one integer, kept in the checkpoint.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from backends.errors import InvalidInput, require_positive_int

Batch = tuple[Tensor, Tensor]
# Of every division into splits, so that results of different runs compare.
SPLIT_SEED = 0


class BatchDataset(Dataset[Batch]):
    """A data set that is indexed by a list of sample numbers and returns a whole batch (inputs, targets)."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples in one epoch."""

    @abstractmethod
    def __getitem__(self, indices: list[int]) -> Batch:
        """Return inputs (batch, time, features) and their targets."""


class EpochBatches(Sampler[list[int]]):
    """Batches of sample numbers, in an order computed from (seed, epoch).

    `order` is "fixed" (0, 1, 2, ... in every epoch), "shuffled" (another permutation in every epoch), "fresh" (epoch e
    serves samples e * size ... (e + 1) * size - 1, for data that are generated and never repeat) or "renewed" (those
    numbers in a shuffled order, for samples that are changed in every epoch).
    """

    def __init__(self, size: int, batch_size: int, order: str = "fixed", seed: int = 0) -> None:
        self.size = size
        self.batch_size = batch_size
        self.order = order
        self.seed = seed
        self._epoch = 0
        self._served = 0
        self._rank, self._processes = 0, 1

    def share_among(self, processes: int, rank: int, *, wholly: bool) -> None:
        """Serve only the part of every batch that is `rank`'s among so many processes.

        `wholly`: every batch must have a sample for each of them, because all must take the same number of steps.

        Raises:
            InvalidInput: A batch has too few samples.
        """
        smallest = min(self.batch_size, self.size % self.batch_size or self.batch_size)
        if wholly and smallest < processes:
            raise InvalidInput(
                f"data: {processes} processes cannot share a batch of {smallest} samples; batches of data.batch_size "
                f"{self.batch_size} leave that many of {self.size}. Choose another batch size, or fewer processes."
            )
        self._rank, self._processes = rank, processes

    @property
    def sampler(self) -> EpochBatches:
        """Return this object: Lightning tells the epoch to the sampler of a batch sampler."""
        return self

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch, also while one is being continued."""
        whole, left = divmod(self.size, self.batch_size)
        return whole + (left > self._rank)  # a last batch may have no sample for this process

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches that are left of the epoch."""
        # A generator: it starts with the first batch, after Lightning has announced the epoch.
        samples = self.samples(self._epoch)
        for batch in range(self._served % len(self), len(self)):
            self._served = batch + 1
            whole = samples[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield whole[share(len(whole), self._processes, self._rank)].tolist()

    def samples(self, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the sample numbers (size,) of `epoch` in the order in which they are served."""
        first = epoch * self.size if self.order in ("fresh", "renewed") else 0
        if self.order in ("shuffled", "renewed"):
            return first + np.random.default_rng((self.seed, epoch)).permutation(self.size)
        return np.arange(first, first + self.size)

    def set_epoch(self, epoch: int) -> None:
        """Begin `epoch`; an epoch that was restored half-way goes on from where it was."""
        if epoch != self._epoch:
            self._epoch, self._served = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Return the position: the epoch, and how many of its batches have been served."""
        return {"epoch": self._epoch, "served": self._served}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take up a position returned by `state_dict`."""
        self._epoch, self._served = state["epoch"], state["served"]


def share(samples: int, processes: int, rank: int) -> slice:
    """Return which samples of a batch are `rank`'s: parts in order, as equal as can be, the first ones larger."""
    each, left = divmod(samples, processes)
    first = rank * each + min(rank, left)
    return slice(first, first + each + (rank < left))


class ResumableLoader:
    """The batches of a data set, with their position, in the form that Lightning recognises as resumable.

    No `DataLoader`: the data are in memory, a worker that reads ahead would have to be rewound, and Lightning would
    build it anew to predict. It draws nothing from the global random state: a resumed run sees the same dropout masks.
    """

    def __init__(self, dataset: BatchDataset, batches: EpochBatches) -> None:
        self._dataset = dataset
        self.batches = batches

    @property
    def batch_sampler(self) -> EpochBatches:
        """The batches, by the name under which Lightning looks for what it tells the epoch."""
        return self.batches

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches that are left of the epoch."""
        for indices in self.batches:
            yield self._dataset[indices]

    def state_dict(self) -> dict[str, int]:
        """Return the position in the epoch."""
        return self.batches.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from a position returned by `state_dict`."""
        self.batches.load_state_dict(state)


class SequenceData(LightningDataModule):
    """Sequences for a `SequenceTask`.

    A subclass looks at its settings in its constructor and reads its data in `read`. In one of the two it sets what the
    model must know of them (`input_size`, `output_size`, `sequence_length`, and `sha256` of the data). It serves a
    `BatchDataset` per split. `data_kind` says whether the data were observed ("real") or generated ("synthetic"):
    results on the two are never compared.
    """

    train_order = "shuffled"
    data_kind: str
    input_size: int
    output_size: int
    sequence_length: int
    sha256: str

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size = require_positive_int("data", "batch_size", batch_size)
        if not isinstance(seed, int) or seed < 0:
            raise InvalidInput(f"data: seed must be an integer of at least 0, got {seed!r}.")
        self.seed = seed
        self._train_loader: ResumableLoader | None = None
        self._position: dict[str, int] | None = None
        self._is_read = False

    def read(self) -> None:
        """Read the data and set what follows from them; called once, see `setup`. Nothing by default.

        Raises:
            InvalidInput: The data cannot be had, or cannot be used.
        """

    def prepare_data(self) -> None:
        """Read the data: Lightning lets one process of a node do so before the others, which need not download then."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Read the data, unless that is done."""
        if self._is_read:
            return
        self._is_read = True
        try:
            self.read()
        except BaseException:
            self._is_read = False
            raise

    if not TYPE_CHECKING:  # to a type checker, every name would be there

        def __getattr__(self, name: str) -> Any:
            """Read the data where what follows from them is asked for first, as a model's sizes are, before a trainer.

            Python calls this for what is not there yet.
            """
            if name.startswith("__") or self.__dict__.get("_is_read", True):
                raise AttributeError(f"{type(self).__name__} has no {name!r}")
            self.setup()
            self._is_read = True  # also where a subclass has a `setup` of its own
            return object.__getattribute__(self, name)

    @abstractmethod
    def dataset(self, split: str) -> BatchDataset:
        """Return the samples of "train", "val" or "test"."""

    def facts(self) -> dict[str, Any]:
        """Return what a user should know of the data: sizes, and how much was dropped, truncated or unknown.

        Said when training starts, and kept in env.json; plain values by name. None by default.
        """
        return {}

    def baselines(self) -> dict[str, float]:
        """Return what simple models reach on the test set, by metric; said and kept beside the result."""
        return {}

    def train_dataloader(self) -> ResumableLoader:
        """Return the training batches, from the position of the checkpoint if one was loaded.

        With the trainer's `overfit_batches`, the same ones in every epoch.
        """
        overfits = getattr(self.trainer, "overfit_batches", 0) > 0
        self._train_loader = self._loader("train", "fixed" if overfits else self.train_order)
        if self._position is not None:
            self._train_loader.load_state_dict(self._position)
        return self._train_loader

    def val_dataloader(self) -> ResumableLoader:
        """Return the validation batches, the same in every epoch."""
        return self._loader("val", "fixed")

    def test_dataloader(self) -> ResumableLoader:
        """Return the test batches."""
        return self._loader("test", "fixed")

    def predict_dataloader(self) -> ResumableLoader:
        """Return what `Trainer.predict` reads: the test batches."""
        return self.test_dataloader()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must know of the data: the position in the epoch, and the data's sha256."""
        # Lightning keeps a loader's position too, but loses it when the optimiser asks for the number of steps.
        position = self._train_loader.state_dict() if self._train_loader is not None else self._position
        return {"position": position, "sha256": self.sha256}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._position = state_dict["position"]

    def batches(self, dataset: BatchDataset, order: str) -> EpochBatches:
        """Return the batches of a data set, in the order "shuffled", "fresh" or "fixed"."""
        return EpochBatches(len(dataset), self.batch_size, order, self.seed)

    def require_parts(self, processes: int) -> None:
        """Refuse training batches that so many processes cannot share."""
        self.batches(self.dataset("train"), self.train_order).share_among(processes, 0, wholly=True)

    def _loader(self, split: str, order: str) -> ResumableLoader:
        dataset = self.dataset(split)
        batches = self.batches(dataset, order)
        if self.trainer is not None and self.trainer.world_size > 1:
            batches.share_among(self.trainer.world_size, self.trainer.global_rank, wholly=split == "train")
        return ResumableLoader(dataset, batches)
