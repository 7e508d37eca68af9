"""Sums over 2**n terms by torch: partial sums in the terms' precision, added up in double precision.

Added up one after the other in single precision, 2**n terms are off by up to 2**n roundings. The partial sums are no
more than `BLOCK` terms long, so that their own error stays that of a handful of roundings, and no copy of the terms is
made in double precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_BITS = 4
BLOCK = 1 << BLOCK_BITS


def total(
    terms: Tensor,  # (batch, ...), real or complex
) -> Tensor:  # (batch,) in double precision
    """Return the sum of the terms of every sample; gradients have the terms' precision."""
    flat = terms.flatten(1)
    whole = flat.shape[1] // BLOCK * BLOCK
    parts = [flat[:, :whole].unflatten(1, (-1, BLOCK)).sum(2), flat[:, whole:]]
    return torch.cat(parts, 1).to(torch.promote_types(terms.dtype, torch.float64)).sum(1)


def squared_norm(
    amplitudes: Tensor,  # (batch, ...)
) -> Tensor:  # (batch,) in double precision
    """Return sum |amplitude|^2 of every sample."""
    return total(torch.view_as_real(amplitudes.resolve_conj()).square())
