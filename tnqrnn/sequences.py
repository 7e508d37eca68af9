"""What every recurrent network does with the sequences it is called with: checks, padding, packing, precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from backends.errors import InvalidInput, require_number, require_positive_int, require_tensor

_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


class SequenceNetwork(nn.Module):
    """A recurrent network called `(x, state, lengths) -> (z, state)`; a subclass says how it goes through time.

    `who` is the name in which it refuses. `readout_dropout` drops readouts that leave, not those that are fed back.
    """

    def __init__(self, who: str, input_size: int, output_size: int, readout_dropout: float = 0.0) -> None:
        super().__init__()
        self.who = who
        self.input_size = require_positive_int(who, "input_size", input_size)
        self.output_size = output_size
        self.readout_dropout = nn.Dropout(require_number(who, "dropout", readout_dropout, 0, 1))

    def step(
        self,
        x: Tensor,  # (batch, input_size)
        state: Any = None,
        z: Tensor | None = None,  # (batch, output_size)
    ) -> tuple[Any, Tensor]:
        """Take one timestep; return the state after it, and its readouts (batch, output_size) as they are fed back.

        A state of None is that in which every sequence begins. z are the readouts of `state`, by default those that it
        keeps; a classical state's follow from it. Law: with exact readouts, `leaving(z, x)` of the steps over x (batch,
        time, input_size) are the readouts of `forward`, but for what dropout draws. With noise in evaluation the draws
        follow from x, so those of a step are other draws than those of the whole sequence.
        """
        require_tensor(self.who, "x", x)
        timestep = x.unsqueeze(1)
        self._require_sequences(timestep, None)
        known = state if z is None or state is None else state.measured(z)
        readouts, state = self.through_time(timestep.to(self._weight.dtype), known, None)
        return state, readouts[:, 0]

    def leaving(self, z: Tensor, x: Tensor) -> Tensor:
        """Return readouts z as the head sees them: with dropout, and in the dtype of the input x."""
        dropped: Tensor = self.readout_dropout(z)
        return dropped.to(x.dtype)

    def through_time(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """Return the readouts of every timestep and the final state; x is checked, and zero in its padding."""
        raise NotImplementedError

    def forward(
        self,
        x: Tensor | PackedSequence,  # (batch, time, input_size)
        state: Any = None,
        lengths: Tensor | None = None,  # (batch,), timesteps of every sequence that count
    ) -> tuple[Any, Any]:
        """Return the readouts of every timestep, (batch, time, output_size), and the final state.

        `state` continues an earlier call (detach it for truncated backpropagation through time). With `lengths`, on any
        device, a sequence ends early: what stands beyond its end is not looked at, its later readouts are zero, and its
        state stays as it was. A PackedSequence is answered by one, as torch.nn.LSTM does.

        Readouts have the dtype of x, which is that of the parameters; within torch.autocast it may be another one.
        """
        if isinstance(x, PackedSequence):
            padded, lengths = unpacked(self.who, x, lengths)
            z, state = SequenceNetwork.forward(self, padded, state, lengths)
            return packed_as(x, z, lengths), state
        self._require_sequences(x, lengths)
        counted = without_padding(x, lengths)
        if not bool(torch.isfinite(counted).all()):
            raise InvalidInput(f"{self.who}: x has NaN or infinite entries; clean the data first.")
        here = None if lengths is None else lengths.to(x.device)
        z, state = self.through_time(counted.to(self._weight.dtype), state, here)
        return self.leaving(z, x), state

    @property
    def _weight(self) -> Tensor:
        """A parameter whose dtype and device are those of the network."""
        return next(self.parameters())

    def _require_sequences(self, x: Tensor, lengths: Tensor | None) -> None:
        """Refuse sequences that the network cannot read: shape, dtype and device, lengths."""
        require_tensor(self.who, "x", x)
        if x.dim() != 3 or x.shape[2] != self.input_size or 0 in x.shape:
            raise InvalidInput(
                f"{self.who}: x must have shape (batch, time, input_size={self.input_size}) and must not be empty, got "
                f"{tuple(x.shape)}."
            )
        weight = self._weight
        # Within autocast a layer before this one may have run in half precision.
        same = x.dtype == weight.dtype or (x.is_floating_point() and torch.is_autocast_enabled(x.device.type))
        if not same or x.device != weight.device:
            raise InvalidInput(
                f"{self.who}: x is {x.dtype} on {x.device}, the model is {weight.dtype} on {weight.device}; convert "
                "one of them with .to()."
            )
        if lengths is not None and not _fits(lengths, x):
            raise InvalidInput(
                f"{self.who}: lengths must be a tensor of {x.shape[0]} integers from 1 to {x.shape[1]} timesteps, got "
                f"{str(lengths)[:100]}."
            )


def without_padding(
    values: Tensor,  # (batch, time, features)
    lengths: Tensor | None,  # (batch,) on any device; None: nothing is padding
) -> Tensor:
    """Return the values with zeros, and no gradient, beyond the end of every sequence, whatever stands there."""
    if lengths is None:
        return values
    counts = torch.arange(values.shape[1], device=values.device) < lengths.to(values.device)[:, None]
    return torch.where(counts[..., None], values, 0)  # not a product: NaN times 0 is NaN


def unpacked(who: str, x: PackedSequence, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return a PackedSequence as (batch, time, features) and the lengths (batch,) of its sequences, on the CPU."""
    if lengths is not None:
        raise InvalidInput(f"{who}: a PackedSequence has its lengths; leave lengths out.")
    return pad_packed_sequence(x, batch_first=True)


def packed_as(like: PackedSequence, z: Tensor, lengths: Tensor) -> PackedSequence:
    """Return z (batch, time, features) in the layout of `like`, whose sequences have these lengths."""
    if like.sorted_indices is not None:
        z, lengths = z[like.sorted_indices], lengths[like.sorted_indices.cpu()]
    packed = pack_padded_sequence(z, lengths, batch_first=True)
    return PackedSequence(packed.data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype for what half precision is too coarse for; single and double precision stay as they are."""
    return torch.promote_types(dtype, torch.float32)


def _fits(lengths: object, x: Tensor) -> bool:
    """Whether lengths are integers (batch,) from 1 to the timesteps of x."""
    if not isinstance(lengths, Tensor) or lengths.shape != x.shape[:1] or lengths.dtype not in _INTEGERS:
        return False
    return bool(((lengths >= 1) & (lengths <= x.shape[1])).all())
