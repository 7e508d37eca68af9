"""FlagQuantum's statevector (pip install flagquantum)."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.rivals.eager import readouts
from studies.benchmark.workload import Simulator, Workload


def make(workload: Workload) -> Simulator:
    """Return FlagQuantum's simulation; it is handed the state of the timestep before, and read out by torch."""
    fq = import_module("flagquantum")
    n = workload.n_qubits

    def step(psi: Tensor, angles: Tensor) -> Tensor:
        circuit = fq.Circuit(n, bsz=len(psi), inputs=psi, dtype=torch.complex64)
        for layer in angles.split(3 * n, 1):
            for qubit in range(n):
                circuit.ry(qubit, theta=layer[:, qubit])
            for qubit in range(n):
                circuit.rz(qubit, theta=layer[:, n + qubit])
            for qubit in range(n):
                circuit.crx(qubit, (qubit + 1) % n, theta=layer[:, 2 * n + qubit])
        amplitudes: Tensor = circuit.state().reshape(len(psi), -1)
        return amplitudes

    def run(angles: Tensor) -> Tensor:
        psi = torch.zeros(angles.shape[1], 2**n, dtype=torch.complex64)
        psi[:, 0] = 1
        values = []
        for current in angles:
            psi = step(psi, current)
            values.append(readouts(psi.reshape(-1, *[2] * n)))
        return torch.stack(values)

    return run
