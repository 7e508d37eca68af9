"""FlagQuantum's statevector and MPS (pip install flagquantum)."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.rivals.readouts import gate_matrices, of_amplitudes, of_sites
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def make(workload: Workload) -> Simulator:
    """Return FlagQuantum's simulation, read out by torch."""
    return _statevector(workload) if workload.max_bond is None else _mps(workload)


def _statevector(workload: Workload) -> Simulator:
    """One circuit per timestep, handed the state of the one before."""
    fq = import_module("flagquantum")
    n = workload.n_qubits

    def run(angles: Tensor) -> tuple[Tensor, None]:
        psi = torch.zeros(angles.shape[1], 2**n, dtype=torch.complex64)
        psi[:, 0] = 1
        values = []
        for step in angles:
            circuit = fq.Circuit(n, bsz=len(psi), inputs=psi, dtype=torch.complex64)
            for name, qubits, angle in workload.gates(step.unbind(1)):
                getattr(circuit, name)(*qubits, theta=angle)
            psi = circuit.state().reshape(len(psi), -1)
            values.append(of_amplitudes(psi.reshape(-1, *[2] * n)))
        return torch.stack(values), None

    return Simulator(run)


def _mps(workload: Workload) -> Simulator:
    """RZ RY as one matrix, CRX as another; it reports the discarded weight of the worst sample."""
    mps = import_module("flagquantum.simulation.mps.state")
    config = import_module("flagquantum.simulation.mps.models").MPSConfig(max_bond=workload.max_bond)

    def run(angles: Tensor) -> tuple[Tensor, float]:
        state = mps.MPSState.zero(workload.n_qubits, bsz=angles.shape[1], dtype=torch.complex64, config=config)
        values = []
        for step in angles:
            for qubits, matrix in gate_matrices(workload, step):
                apply = state.apply_one if len(qubits) == 1 else state.apply_two
                apply(matrix, qubits[0])
            values.append(of_sites(state.tensors))
        return torch.stack(values), float(sum(state.truncation_errors))

    return Simulator(run)
