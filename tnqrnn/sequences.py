"""What every recurrent network checks of the sequences it is called with, in the same words."""

from __future__ import annotations

import torch
from torch import Tensor

from backends.errors import InvalidInput, require_tensor

_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def require_sequences(
    who: str,
    x: Tensor,  # (batch, time, input_size)
    lengths: Tensor | None,  # (batch,)
    input_size: int,
    weight: Tensor,
) -> None:
    """Refuse sequences that a network cannot read: shape, dtype and device of `weight`, finite entries, lengths."""
    require_tensor(who, "x", x)
    if x.dim() != 3 or x.shape[2] != input_size or 0 in x.shape:
        raise InvalidInput(
            f"{who}: x must have shape (batch, time, input_size={input_size}) and must not be empty, got "
            f"{tuple(x.shape)}."
        )
    if x.dtype != weight.dtype or x.device != weight.device:
        raise InvalidInput(
            f"{who}: x is {x.dtype} on {x.device}, the model is {weight.dtype} on {weight.device}; convert one of "
            "them with .to()."
        )
    if not bool(torch.isfinite(x).all()):
        raise InvalidInput(f"{who}: x has NaN or infinite entries; clean the data first.")
    if lengths is not None and not _fits(lengths, x):
        raise InvalidInput(
            f"{who}: lengths must be a tensor of {x.shape[0]} integers from 1 to {x.shape[1]} timesteps, got "
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


def require_batch(who: str, x: Tensor, batch_size: int) -> None:
    """Refuse a state of another batch than the sequences."""
    if batch_size != x.shape[0]:
        raise InvalidInput(
            f"{who}: x has batch {x.shape[0]}, the state has batch {batch_size}; select samples with state[indices]."
        )


def _fits(lengths: object, x: Tensor) -> bool:
    """Whether lengths are integers (batch,) from 1 to the timesteps of x."""
    if not isinstance(lengths, Tensor) or lengths.shape != x.shape[:1] or lengths.dtype not in _INTEGERS:
        return False
    return bool(((lengths >= 1) & (lengths <= x.shape[1])).all())
