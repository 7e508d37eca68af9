"""Encoder and decoder, two recurrent cells of one kind, joined by the hidden state and by attention.

    encoder    z_1 ... z_S, state        from the source x_1 ... x_S
    decoder    starts from the encoder's final state, and at every step t

               context_t  = attention(r_{t-1}, z)           r_0: the encoder's last readouts
               r_t, state = cell([y_t ; context_t], state)

With a QRNN the state handed over is the quantum state itself, unmeasured. Nothing here knows which cell it is: the
encoder is called on the whole source, the decoder takes `step` after `step`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from backends.errors import InvalidInput
from tnqrnn.attention import AdditiveAttention, Memory
from tnqrnn.segments import recomputed, require_segment_length, segments
from tnqrnn.sequences import SequenceNetwork, unpacked


@dataclass(frozen=True)
class Decoding:
    """Where a decoder stands: the hidden state, its readouts (batch, output_size), and the encoded source."""

    state: Any
    readouts: Tensor
    memory: Memory

    def __getitem__(self, indices: Tensor) -> Decoding:
        """Return the samples with these numbers; repeated samples are allowed, as a beam needs."""
        return Decoding(self.state[indices], self.readouts[indices], self.memory[indices])


class EncoderDecoder(nn.Module):
    """Two recurrent cells and the attention between them; `encode` once, then `step` for every target token.

    The decoder reads `target_features + encoder.output_size` features: an embedded token and the context. With
    `segment_length`, `forward` keeps the decoder's state at the ends of segments of so many tokens for the backward and
    computes the tokens inside again (see `segments`); the encoder has that setting itself. Raises InvalidInput if the
    cells have states of different sizes.
    """

    def __init__(
        self,
        encoder: SequenceNetwork,
        decoder: SequenceNetwork,
        attention_size: int,
        segment_length: int | None = None,
    ) -> None:
        super().__init__()
        self.segment_length = require_segment_length("encoder-decoder", segment_length)
        self.output_size = decoder.output_size
        if encoder.output_size != self.output_size:
            raise InvalidInput(
                f"encoder-decoder: the encoder has {encoder.output_size} readouts and the decoder "
                f"{self.output_size}; the state is handed over, so build both with one size."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.attention = AdditiveAttention(self.output_size, self.output_size, attention_size)

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        """Refuse a batch whose step does not fit the memory that is free on `device`; allocates nothing."""
        for cell in (self.encoder, self.decoder):
            require_memory = getattr(cell, "require_memory", None)  # a classical cell needs none worth counting
            if require_memory is not None:
                require_memory(batch_size, device)

    def encode(
        self,
        x: Tensor | PackedSequence,  # (batch, source, features)
        lengths: Tensor | None = None,  # (batch,), on any device
    ) -> Decoding:
        """Read the source and return where the decoder starts."""
        if isinstance(x, PackedSequence):
            x, lengths = unpacked("encoder-decoder", x, lengths)
        z, state = self.encoder(x, None, lengths)  # z (batch, source, output_size)
        last = torch.full((len(z),), x.shape[1]) if lengths is None else lengths
        readouts = z[torch.arange(len(z), device=z.device), last.to(z.device) - 1]
        return Decoding(state, readouts, self.attention.memorise(z, lengths))

    def step(
        self,
        y: Tensor,  # (batch, target_features)
        at: Decoding,
    ) -> tuple[Decoding, Tensor]:
        """Return the decoder one token later, and the attention weights (batch, source) of this step."""
        context, weights = self.attention(at.readouts, at.memory)
        x = torch.cat([y, context], -1)
        state, z = self.decoder.step(x, at.state)
        return Decoding(state, self.decoder.leaving(z, x), at.memory), weights

    def forward(
        self,
        x: Tensor | PackedSequence,  # (batch, source, features)
        y: Tensor,  # (batch, target, target_features)
        lengths: Tensor | None = None,  # (batch,) of x
    ) -> tuple[Tensor, Decoding]:
        """Return the decoder's readouts (batch, target, output_size) for given targets, and where it ends.

        A target shorter than the batch's longest is read on: what the decoder does after its end is not scored.
        """
        at, pieces = self.encode(x, lengths), []
        parts = segments(y.shape[1], self.segment_length)
        for tokens in parts:
            at, readouts = recomputed(self._advance, y, tokens, at, when=len(parts) > 1)
            pieces.append(readouts)
        return torch.cat(pieces, 1), at

    def _advance(self, y: Tensor, tokens: range, at: Decoding) -> tuple[Decoding, Tensor]:
        """Return the decoder after some of the tokens, and its readouts (batch, tokens, output_size)."""
        readouts = []
        for t in tokens:
            at, _ = self.step(y[:, t], at)
            readouts.append(at.readouts)
        return at, torch.stack(readouts, 1)
