"""Microseconds for the left singular vectors of one sample's matrix, in the MPS kernel and by torch.

`python -m studies.benchmark.decomposition [SIZE ...]`
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from backends.compiling import strict_jit
from backends.mps.decomposition import TINY, left_vectors, workspace
from backends.statevector.simd import LANES

_REPEATS, _CALLS = 7, 10


@strict_jit
def _decompose(matrices, size, calls, vectors, tiny):  # type: ignore[no-untyped-def]
    work = workspace(size, size, tiny)
    for _ in range(calls):
        left_vectors(matrices, 0, size, 1, size, size, size, work, vectors, 0, size + 1)


def seconds(size: int) -> tuple[float, float]:
    """Seconds per sample for matrices (size, size) of complex64, in the kernel and by `torch.linalg.svd`."""
    generator = np.random.default_rng(size)
    matrices = generator.standard_normal((LANES, size, size, 2)).astype(np.float32) / size
    lanes = np.ascontiguousarray(matrices.reshape(LANES, -1).T)
    vectors, tiny = np.empty((2 * size * (size + 1), LANES), np.float32), TINY[np.dtype(np.float32)]
    tensor = torch.view_as_complex(torch.from_numpy(matrices))
    kernel = _median(lambda: _decompose(lanes, size, _CALLS, vectors, tiny))
    return kernel / _CALLS, _median(lambda: torch.linalg.svd(tensor))


def _median(work: Callable[[], object]) -> float:
    """Median seconds per sample of a call, after a first one."""
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / LANES


if __name__ == "__main__":
    for wanted in [int(text) for text in sys.argv[1:]] or [16, 32, 64]:
        ours, theirs = seconds(wanted)
        print(f"{wanted} x {wanted}: kernel {1e6 * ours:.0f} us, torch.linalg.svd {1e6 * theirs:.0f} us per sample")
