"""Where the time of an MPS timestep goes, forward and without gradients, on one tile of eight samples.

`python -m studies.benchmark.mps_phases [QUBITS MAX_BOND]...`: milliseconds of the whole step, and the shares of
decompositions (measured alone, times their number), readouts (a step without gates), Python, and the rest: products.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from backends import MPSBackend
from backends.compiling import strict_jit
from backends.mps.decomposition import TINY, left_vectors, workspace
from backends.mps.kernel import MOVE, SPLIT
from backends.statevector.simd import LANES
from tnqrnn.ansatz import Ansatz

_REPEATS = 9


@strict_jit
def _decompose(matrices, rows, columns, wanted, calls, vectors, tiny):  # type: ignore[no-untyped-def]
    work = workspace(rows, columns, tiny)
    for _ in range(calls):
        left_vectors(matrices, 0, columns, 1, rows, columns, wanted, work, vectors, 0, rows + 1)


def shares(n_qubits: int, max_bond: int) -> dict[str, float]:
    """Seconds of a step of two layers on a chain, and of its parts."""
    circuit = Ansatz(n_qubits, 2, topology="chain").circuit
    backend = MPSBackend(circuit, max_bond=max_bond)
    angles = torch.randn(3, LANES, circuit.n_angles, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        state = backend.initial_state(LANES)
        for step in angles:
            state, _ = backend.step(state, step)
        whole = _median(lambda: backend.step(state, angles[0]))
        readouts = _median(lambda: backend.readout(state))
    empty = MPSBackend(Ansatz(2, 1, topology="chain").circuit, max_bond=1)
    with torch.inference_mode():
        start, few = empty.initial_state(LANES), torch.zeros(LANES, empty.n_angles)
        python = _median(lambda: empty.step(start, few))
    kinds = backend.kernel_operations(state)
    size = 2 * max_bond
    decompositions = kinds.count(SPLIT) * _seconds(size, size, max_bond)
    decompositions += kinds.count(MOVE) * _seconds(size, max_bond, max_bond)
    return {
        "whole": whole,
        "decompositions": decompositions,
        "readouts": readouts - python,
        "Python": python,
        "products": whole - decompositions - readouts,
    }


def _seconds(rows: int, columns: int, wanted: int) -> float:
    """Seconds for the left singular vectors of eight matrices."""
    random = np.random.default_rng(rows).standard_normal((2 * rows * columns, LANES)).astype(np.float32)
    vectors, tiny = np.empty((2 * rows * (rows + 1), LANES), np.float32), TINY[np.dtype(np.float32)]
    return _median(lambda: _decompose(random / rows, rows, columns, wanted, 5, vectors, tiny)) / 5


def _median(work: Callable[[], object]) -> float:
    """Median seconds of a call, after a first one."""
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]] or [12, 16, 24, 16, 24, 32]
    for n, bond in zip(given[::2], given[1::2], strict=True):
        parts = shares(n, bond)
        total = parts.pop("whole")
        text = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in parts.items())
        print(f"{n} qubits, max_bond {bond}: {1e3 * total:.1f} ms: {text}")
