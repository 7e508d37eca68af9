"""DeepQuantum's MPS (pip install deepquantum)."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.rivals.readouts import of_sites
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def make(workload: Workload) -> Simulator:
    """Return DeepQuantum's simulation: one circuit per timestep, handed the state of the one before."""
    circuit = import_module("deepquantum").QubitCircuit(workload.n_qubits, mps=True, chi=workload.max_bond)
    for gate in workload.circuit.gates:
        getattr(circuit, gate.name)(*gate.qubits, encode=True)

    def run(angles: Tensor) -> tuple[Tensor, None]:
        state, values = None, []
        for step in angles:
            state = circuit(step, state=state)
            values.append(of_sites(state))
        return torch.stack(values), None

    return Simulator(run)
