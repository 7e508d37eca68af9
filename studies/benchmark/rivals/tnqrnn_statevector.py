"""Ours, through the public interface."""

from __future__ import annotations

from torch import Tensor

from studies.benchmark.unrolled import unrolled
from studies.benchmark.workload import Simulator, Workload
from tnqrnn import Ansatz, create_backend


def make(workload: Workload, **options: str) -> Simulator:
    """Return our simulation of the workload."""
    backend = create_backend("statevector", Ansatz(workload.n_qubits, workload.n_layers).circuit, **options)

    def run(angles: Tensor) -> Tensor:
        return unrolled(backend, angles, workload.segment_length)[0]

    return run
