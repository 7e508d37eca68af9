"""Microseconds for the left singular vectors of one sample's matrix, in the MPS kernel and by torch.

`python -m studies.benchmark.decomposition [SIZE ...]`
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from backends.kernels.compiling import strict_jit
from backends.kernels.decomposition import TINY, left_vectors, orthonormal_columns, workspace
from backends.kernels.vectors import LANES
from backends.kernels.views import first_columns, matrix, padded
from studies.benchmark.measure import median_seconds

_CALLS = 10


@strict_jit
def _vectors(matrices, rows, columns, wanted, calls, vectors, tiny):  # type: ignore[no-untyped-def]
    work = workspace(rows, columns, tiny)
    for _ in range(calls):
        left_vectors(matrix(matrices, 0, rows, columns), first_columns(padded(vectors, 0, rows, rows), wanted), work)


@strict_jit
def _basis(matrices, rows, columns, wanted, calls, vectors, tiny):  # type: ignore[no-untyped-def]
    work = workspace(rows, columns, tiny)
    for _ in range(calls):
        orthonormal_columns(matrix(matrices, 0, rows, columns), padded(vectors, 0, rows, wanted), work)


def kernel_seconds(rows: int, columns: int, wanted: int, *, triangular: bool = False) -> float:
    """Seconds for a tile of matrices (rows, columns) of complex64: `wanted` left vectors, or a basis by QR."""
    decompose = _basis if triangular else _vectors
    matrices = _matrices(rows, columns).reshape(LANES, -1).T
    vectors, tiny = np.empty((2 * rows * (rows + 1), LANES), np.float32), TINY[np.dtype(np.float32)]
    lanes = np.ascontiguousarray(matrices)
    return median_seconds(lambda: decompose(lanes, rows, columns, wanted, _CALLS, vectors, tiny)) / _CALLS


def torch_seconds(size: int) -> float:
    """Seconds for the same number of matrices (size, size) by `torch.linalg.svd`."""
    tensor = torch.view_as_complex(torch.from_numpy(_matrices(size, size)))
    return median_seconds(lambda: torch.linalg.svd(tensor))


def _matrices(rows: int, columns: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(rows).standard_normal((LANES, rows, columns, 2)).astype(np.float32)
    return random / np.float32(rows)


if __name__ == "__main__":
    for wanted in [int(text) for text in sys.argv[1:]] or [16, 32, 64]:
        ours, theirs = kernel_seconds(wanted, wanted, wanted) / LANES, torch_seconds(wanted) / LANES
        print(f"{wanted} x {wanted}: kernel {1e6 * ours:.0f} us, torch.linalg.svd {1e6 * theirs:.0f} us per sample")
