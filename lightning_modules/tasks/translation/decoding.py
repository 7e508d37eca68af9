"""Beam search over any step-wise model, batched: all beams of all samples advance in one call.

A hypothesis is ranked by log P / lp, lp = ((5 + length) / 6)^alpha with its length in tokens, end included (Wu et al.,
arXiv:1609.08144, eq. 14). Finished hypotheses keep their place in the beam as long as they rank among its best. A beam
of one is greedy decoding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from lightning_modules.data.vocabulary import BEGIN, END, PADDING


class Carry(Protocol):
    """Where a decoder stands, for a batch of hypotheses."""

    def __getitem__(self, indices: Tensor) -> Self:
        """Return the hypotheses with these numbers, repeated ones included."""


C = TypeVar("C", bound=Carry)
# From the last tokens (rows,) to the log probabilities of the next (rows, classes).
Step = Callable[[Tensor, C], tuple[Tensor, C]]


@dataclass(frozen=True)
class Beams:
    """The hypotheses of every sample, best first."""

    tokens: Tensor  # (batch, beam, steps), padding after the end
    log_probs: Tensor  # (batch, beam), sums over the tokens
    lengths: Tensor  # (batch, beam), tokens with the end
    finished: Tensor  # (batch, beam) boolean

    @classmethod
    def empty(cls, batch: int, beam: int, device: torch.device) -> Beams:
        """Return beams of which only the first is alive: all others would be its copies."""
        log_probs = torch.full((batch, beam), -torch.inf, device=device)
        log_probs[:, 0] = 0
        return cls(
            torch.empty(batch, beam, 0, dtype=torch.long, device=device),
            log_probs,
            torch.zeros(batch, beam, dtype=torch.long, device=device),
            torch.zeros(batch, beam, dtype=torch.bool, device=device),
        )

    @property
    def last(self) -> Tensor:
        """The last tokens (batch, beam); begin where there is none yet."""
        if self.tokens.shape[2] == 0:
            return torch.full_like(self.lengths, BEGIN)
        return self.tokens[:, :, -1]

    def extend(
        self,
        log_probs: Tensor,  # (batch, beam, classes) of the next token
        alpha: float,
    ) -> tuple[Beams, Tensor]:
        """Return the best hypotheses that are one token longer, and the beams (batch, beam) they come from."""
        classes = log_probs.shape[2]
        sums = self.log_probs[:, :, None] + self._allowed(log_probs)
        lengths = self.lengths + ~self.finished
        ranks = sums / length_penalty(lengths, alpha)[:, :, None]
        best = ranks.flatten(1).topk(self.log_probs.shape[1]).indices  # (batch, beam), sorted
        origin, token = best // classes, best % classes
        tokens = self.tokens.gather(1, origin[:, :, None].expand(-1, -1, self.tokens.shape[2]))
        return Beams(
            torch.cat([tokens, token[:, :, None]], 2),
            sums.flatten(1).gather(1, best),
            lengths.gather(1, origin),
            self.finished.gather(1, origin) | (token == END),
        ), origin

    def _allowed(self, log_probs: Tensor) -> Tensor:
        """Nobody says begin or padding, but for a finished hypothesis, which says nothing else, at no cost."""
        allowed = log_probs.clone()
        allowed[:, :, [PADDING, BEGIN]] = -torch.inf
        silent = torch.full_like(log_probs[0, 0], -torch.inf)
        silent[PADDING] = 0
        return torch.where(self.finished[:, :, None], silent, allowed)


def length_penalty(lengths: Tensor, alpha: float) -> Tensor:
    """Return ((5 + length) / 6)^alpha; 1 at alpha = 0 and for a single token."""
    return ((5 + lengths) / 6) ** alpha


@torch.no_grad()
def beam_search(
    step: Step[C],
    start: C,  # of `batch` samples
    batch: int,
    device: torch.device,
    *,
    beam_size: int,
    max_steps: int,
    alpha: float = 0.0,
) -> Beams:
    """Return the best hypotheses found for every sample; one that does not end within `max_steps` is cut there."""
    beams = Beams.empty(batch, beam_size, device)
    first = torch.arange(batch, device=device)[:, None] * beam_size  # the row of each sample's first beam
    carry = start[torch.arange(batch, device=device).repeat_interleave(beam_size)]
    for _ in range(max_steps):
        log_probs, carry = step(beams.last.flatten(), carry)
        beams, origin = beams.extend(log_probs.unflatten(0, (batch, beam_size)), alpha)
        if bool(beams.finished.all()):
            break
        if beam_size > 1:
            carry = carry[(first + origin).flatten()]
    return beams
