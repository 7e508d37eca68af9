"""DeepQuantum's MPS (pip install deepquantum)."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.mps_rivals.sites import readouts
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return DeepQuantum's simulation: one circuit per timestep, handed the state of the one before."""
    circuit = import_module("deepquantum").QubitCircuit(workload.n_qubits, mps=True, chi=workload.max_bond)
    for _ in range(workload.n_layers):
        for qubit in range(workload.n_qubits):
            circuit.ry(qubit, encode=True)
        for qubit in range(workload.n_qubits):
            circuit.rz(qubit, encode=True)
        for qubit in range(workload.n_qubits - 1):
            circuit.crx(qubit, qubit + 1, encode=True)

    def run(angles: Tensor) -> tuple[Tensor, None]:
        state, values = None, []
        for step in angles:
            state = circuit(step, state=state)
            values.append(readouts(state))
        return torch.stack(values), None

    return Contender(run)
