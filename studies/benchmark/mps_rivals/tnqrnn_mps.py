"""Ours, through the public interface."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.unrolled import unrolled
from studies.benchmark.workload import ChainWorkload
from tnqrnn import Ansatz, create_backend


def make(workload: ChainWorkload, **options: Any) -> Contender:
    """Return our simulation of the workload."""
    circuit = Ansatz(workload.n_qubits, workload.n_layers, topology=workload.topology).circuit
    backend = create_backend("mps", circuit, max_bond=workload.max_bond, **options)

    def run(angles: Tensor) -> tuple[Tensor, float]:
        readouts, state = unrolled(backend, angles, workload.segment_length)
        return readouts, float(state.truncation_error.mean())

    return Contender(run)
