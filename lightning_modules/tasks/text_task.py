"""`TextTask`: what the tasks share that read token ids; their data are in `data.text`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from backends.errors import require_number, require_positive_int
from lightning_modules.data.vocabulary import PADDING
from lightning_modules.tasks.task import SequenceTask
from tnqrnn.room import require_room


class TextTask(SequenceTask):
    """A `SequenceTask` whose inputs are token ids (batch, time), 0 where a sequence has ended.

    Args:
        embedding_size: Features of a token; the cell reads them at every timestep.
        embedding_dropout: Probability with which a feature of a token is dropped in training.

    `input_size` is the number of ids, `len(vocabulary)`; the other arguments are those of `SequenceTask`.
    """

    def __init__(self, *args: Any, embedding_size: int = 16, embedding_dropout: float = 0.0, **kwargs: Any) -> None:
        require_positive_int("task", "embedding_size", embedding_size)
        require_number("task", "embedding_dropout", embedding_dropout, 0, 1)
        super().__init__(*args, **kwargs)
        require_room("task", self.hparams["input_size"] * embedding_size, "Use a smaller embedding_size.")
        self.embedding = nn.Embedding(self.hparams["input_size"], embedding_size, padding_idx=PADDING)
        self.embedding_dropout = nn.Dropout(embedding_dropout)

    @property
    def features(self) -> int:
        """Features that the cell reads at every timestep."""
        return int(self.hparams["embedding_size"])

    def inputs(self, batch_inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return embeddings (batch, time, embedding_size) and lengths (batch,) of token ids (batch, time)."""
        return self.embed(batch_inputs), (batch_inputs != PADDING).sum(1)

    def embed(self, ids: Tensor) -> Tensor:
        """Return the embeddings (..., embedding_size) of token ids (...)."""
        embedded: Tensor = self.embedding_dropout(self.embedding(ids))
        return embedded
