"""Choosing samples of a batch: what the states of backends and of classical cells have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backends.errors import InvalidInput

Index = int | slice | Sequence[int] | Tensor


def chosen_samples(index: Index, batch_size: int, device: torch.device) -> Tensor:
    """Return the numbers of the samples chosen by an integer, a slice, a list or a tensor of integers or booleans.

    The batch axis stays; repeated samples are allowed. Raises InvalidInput where no sample is chosen.
    """
    numbers = torch.arange(batch_size, device=device)
    try:
        chosen = index if isinstance(index, slice) else torch.as_tensor(index, device=device)
        is_number = isinstance(chosen, Tensor) and chosen.dim() == 0 and chosen.dtype != torch.bool
        numbers = numbers[chosen].reshape(1) if is_number else numbers[chosen]
        if len(numbers) == 0 or (isinstance(chosen, Tensor) and is_number + chosen.dim() != 1):
            raise IndexError
    except (IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"state: cannot choose sample {index!r} from a batch of {batch_size} samples; use an integer, a slice, or "
            "integers or booleans for the whole batch, which choose at least one sample."
        ) from error
    return numbers


def where(mask: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """Return per sample `ours` where `mask` (batch,) is true, `theirs` elsewhere; the batch is the leading axis."""
    return torch.where(mask.reshape(-1, *[1] * (ours.dim() - 1)), ours, theirs)
