"""Qiskit Aer's MPS in C++ (pip install qiskit qiskit-aer): forward only, two samples at a time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return Aer's simulation: one circuit of all timesteps, every sample an experiment of one job.

    CRX(a) is RZX(-a/2) followed by RX(a/2) on the target, so that Aer, which has no CRX, decomposes one two-qubit gate
    and not two. Readouts are one-qubit density matrices saved after every timestep. The circuit is built beforehand.
    """
    qiskit, aer = import_module("qiskit"), import_module("qiskit_aer")
    simulator = aer.AerSimulator(
        method="matrix_product_state",
        precision="single",
        matrix_product_state_max_bond_dimension=workload.max_bond,
        matrix_product_state_truncation_threshold=0,
        max_parallel_experiments=2,
    )
    n = workload.n_qubits
    count = workload.timesteps * workload.n_angles
    angles_of = import_module("qiskit.circuit").ParameterVector("a", count)
    circuit, taken = qiskit.QuantumCircuit(n), iter(angles_of)
    for t in range(workload.timesteps):
        for _ in range(workload.n_layers):
            for qubit in range(n):
                circuit.ry(next(taken), qubit)
            for qubit in range(n):
                circuit.rz(next(taken), qubit)
            for qubit in range(n - 1):
                angle = next(taken)
                circuit.rzx(-angle / 2, qubit, qubit + 1)
                circuit.rx(angle / 2, qubit + 1)
        for qubit in range(n):
            circuit.save_density_matrix([qubit], label=f"{t} {qubit}")

    def run(angles: Tensor) -> tuple[Tensor, None]:
        values = angles.detach().transpose(0, 1).flatten(1).double().numpy()  # (batch, time * n_angles)
        bound = [{parameter: values[:, k].tolist() for k, parameter in enumerate(angles_of)}]
        result = simulator.run(circuit, shots=1, parameter_binds=bound).result()
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        samples = [_readouts(result.data(sample), len(angles), n) for sample in range(len(values))]
        return torch.stack(samples, 1), None

    return Contender(run)


def _readouts(data: dict[str, Any], timesteps: int, n_qubits: int) -> Tensor:
    """(time, 3 n_qubits) from the saved density matrices."""
    steps = [[torch.as_tensor(data[f"{t} {qubit}"].data) for qubit in range(n_qubits)] for t in range(timesteps)]
    density = torch.stack([torch.stack(step) for step in steps])  # (time, n, 2, 2)
    flip = density[..., 1, 0]
    z = (density[..., 0, 0] - density[..., 1, 1]).real
    return torch.cat([2 * flip.real, 2 * flip.imag, z], 1).float()
