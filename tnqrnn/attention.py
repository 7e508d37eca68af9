"""Additive soft attention (Bahdanau, Cho and Bengio, arXiv:1409.0473, section 3.1 and appendix A.1.2).

A query q, here the decoder's last readouts, looks at every position j of a memory m, here the encoder's readouts:

    score_j = v . tanh(Q q + K m_j)      weight = softmax(score) over the source      context = sum_j weight_j m_j

Additive rather than a scaled product: readouts are expectation values in [-1, 1], and with few qubits their products
are too small to make a softmax choose one position.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backends.errors import InvalidInput, require_positive_int
from tnqrnn.room import require_room
from tnqrnn.sequences import without_padding


@dataclass(frozen=True)
class Memory:
    """What attention looks at: the values, their keys (computed once, not at every step) and which positions count."""

    values: Tensor  # (batch, source, features)
    keys: Tensor  # (batch, source, width)
    counts: Tensor  # (batch, source) boolean: false beyond the end of a sequence

    def __getitem__(self, indices: Tensor) -> Memory:
        """Return the samples with these numbers; repeated samples are allowed."""
        return Memory(self.values[indices], self.keys[indices], self.counts[indices])


class AdditiveAttention(nn.Module):
    """Look up a memory of `memory_size` features by queries of `query_size` features, compared in `width` features.

    Raises InvalidInput on sizes below 1.
    """

    def __init__(self, query_size: int, memory_size: int, width: int) -> None:
        super().__init__()
        query_size = require_positive_int("attention", "query_size", query_size)
        memory_size = require_positive_int("attention", "memory_size", memory_size)
        width = require_positive_int("attention", "width", width)
        require_room("attention", width * (query_size + memory_size), "Use a smaller attention_size.")
        self.query = nn.Linear(query_size, width)
        self.key = nn.Linear(memory_size, width, bias=False)  # the query's bias serves both: they are added
        self.score = nn.Linear(width, 1, bias=False)  # a constant would leave the softmax as it is

    def memorise(
        self,
        values: Tensor,  # (batch, source, memory_size)
        lengths: Tensor | None = None,  # (batch,) positions of every sequence that count, on any device; None: all
    ) -> Memory:
        """Return the memory of a batch of sequences.

        Raises:
            InvalidInput: A length is below 1 (nothing to look at) or above the positions there are.
        """
        batch, source, _ = values.shape
        positions = torch.arange(source, device=values.device)
        if lengths is None:
            counts = torch.ones(batch, source, dtype=torch.bool, device=values.device)
        else:
            if tuple(lengths.shape) != (batch,) or not bool(((lengths >= 1) & (lengths <= source)).all()):
                raise InvalidInput(
                    f"attention: lengths must be {batch} integers from 1 to {source} positions, got "
                    f"{str(lengths)[:100]}."
                )
            counts = positions < lengths.to(values.device)[:, None]
            values = without_padding(values, lengths)
        return Memory(values, self.key(values), counts)

    def forward(
        self,
        query: Tensor,  # (batch, query_size)
        memory: Memory,
    ) -> tuple[Tensor, Tensor]:
        """Return the context (batch, memory_size) and the weights (batch, source), which sum to 1."""
        scores = self.score(torch.tanh(self.query(query)[:, None] + memory.keys))[..., 0]
        weights = scores.masked_fill(~memory.counts, -torch.inf).softmax(-1)
        context = (weights[:, None] @ memory.values)[:, 0]
        return context, weights
