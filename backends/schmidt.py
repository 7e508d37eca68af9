"""Schmidt values, and what follows from them."""

from __future__ import annotations

import torch
from torch import Tensor


def von_neumann_entropy(schmidt_values: Tensor) -> Tensor:
    """Return -sum_k p_k ln p_k with p = lambda^2 / sum lambda^2, in nats: (..., k) -> (...)."""
    weights = schmidt_values**2
    weights = weights / weights.sum(-1, keepdim=True)
    entropies: Tensor = torch.special.entr(weights).sum(-1)
    return entropies


def participation_ratio(schmidt_values: Tensor) -> Tensor:
    """Return (sum_k p_k)^2 / sum_k p_k^2 with p = lambda^2: (..., k) -> (...)."""
    weights = schmidt_values**2
    ratios: Tensor = weights.sum(-1) ** 2 / (weights**2).sum(-1)
    return ratios


def schmidt_values_of_dense(
    tensor: Tensor,  # (batch, left, 2**width, right)
) -> list[Tensor]:  # width - 1 times (batch, rank)
    """Return the Schmidt values at the cuts between the qubits of a tensor whose outer legs are orthonormal."""
    batch, left, size, _ = tensor.shape
    cuts = range(1, size.bit_length() - 1)
    return [torch.linalg.svdvals(tensor.reshape(batch, left * 2**k, -1)) for k in cuts]
