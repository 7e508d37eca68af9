"""Where the time of an MPS timestep goes, forward and without gradients, on one tile of eight samples.

`python -m studies.benchmark.mps_phases [QUBITS MAX_BOND]...`: milliseconds of the whole step, and the shares of
decompositions (measured alone, times their number), readouts (a step without gates), Python, and the rest: products.
"""

from __future__ import annotations

import sys

import torch

from backends import MPSBackend
from backends.kernels.vectors import LANES
from backends.mps.kernel.tables import MOVE, SPLIT
from studies.benchmark.decomposition import kernel_seconds, median_seconds
from tnqrnn.ansatz import Ansatz


def shares(n_qubits: int, max_bond: int) -> dict[str, float]:
    """Seconds of a step of two layers on a chain, and of its parts."""
    circuit = Ansatz(n_qubits, 2, topology="chain").circuit
    backend = MPSBackend(circuit, max_bond=max_bond)
    angles = torch.randn(3, LANES, circuit.n_angles, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        state = backend.initial_state(LANES)
        for step in angles:
            state, _ = backend.step(state, step)
        whole = median_seconds(lambda: backend.step(state, angles[0]))
        readouts = median_seconds(lambda: backend.readout(state))
    empty = MPSBackend(Ansatz(2, 1, topology="chain").circuit, max_bond=1)
    with torch.inference_mode():
        start, few = empty.initial_state(LANES), torch.zeros(LANES, empty.n_angles)
        python = median_seconds(lambda: empty.step(start, few))
    kinds = backend.kernel_operations(state)
    size = 2 * max_bond
    decompositions = kinds.count(SPLIT) * kernel_seconds(size, size, max_bond)
    decompositions += kinds.count(MOVE) * kernel_seconds(size, max_bond, max_bond, triangular=True)
    return {
        "whole": whole,
        "decompositions": decompositions,
        "readouts": readouts - python,
        "Python": python,
        "products": whole - decompositions - readouts,
    }


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]] or [12, 16, 24, 16, 24, 32]
    for n, bond in zip(given[::2], given[1::2], strict=True):
        parts = shares(n, bond)
        total = parts.pop("whole")
        text = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in parts.items())
        print(f"{n} qubits, max_bond {bond}: {1e3 * total:.1f} ms: {text}")
