"""Torch's tensors as the arrays that the kernels take."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.kernels.vectors import LANES


def as_real(amplitudes: Tensor) -> Any:
    """Real and imaginary parts as a last axis of 2, without a copy where the tensor is contiguous."""
    return torch.view_as_real(amplitudes.detach().resolve_conj().contiguous()).numpy()


def half_angles(angles: Tensor) -> Any:
    """Cosines and sines of the half angles, (tiles, 2, n_angles, LANES); lanes beyond the batch repeat the last sample.

    By numpy, whose loops stay on this thread: torch starts all threads for it, and on a busy machine waits for them.
    """
    batch, n_angles = angles.shape
    tiles = -(-batch // LANES)
    half = angles.detach().contiguous().numpy() * 0.5
    if batch < tiles * LANES:
        half = half[np.minimum(np.arange(tiles * LANES), batch - 1)]
    half = np.ascontiguousarray(half.reshape(tiles, LANES, n_angles).transpose(0, 2, 1))
    table = np.empty((tiles, 2, n_angles, LANES), half.dtype)
    np.cos(half, out=table[:, 0])
    np.sin(half, out=table[:, 1])
    return table
