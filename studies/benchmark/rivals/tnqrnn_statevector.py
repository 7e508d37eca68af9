"""Ours, through the public interface."""

from __future__ import annotations

import torch
from torch import Tensor

from studies.benchmark.workload import Simulator, Workload
from tnqrnn import Ansatz, create_backend


def make(workload: Workload, **options: str) -> Simulator:
    """Return our simulation of the workload."""
    backend = create_backend("statevector", Ansatz(workload.n_qubits, workload.n_layers).circuit, **options)

    def run(angles: Tensor) -> Tensor:
        state, readouts = backend.initial_state(angles.shape[1]), []
        for step in angles:
            state, z = backend.step(state, step)
            readouts.append(z)
        return torch.stack(readouts)

    return run
