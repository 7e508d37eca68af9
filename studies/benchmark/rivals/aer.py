"""Qiskit Aer's MPS in C++ (pip install qiskit qiskit-aer): forward only, two samples at a time."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.rivals.readouts import of_densities
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def make(workload: Workload) -> Simulator:
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
    n, per_step = workload.n_qubits, workload.n_angles
    parameters = list(import_module("qiskit.circuit").ParameterVector("a", workload.timesteps * per_step))
    circuit = qiskit.QuantumCircuit(n)
    for t in range(workload.timesteps):
        for name, qubits, angle in workload.gates(parameters[t * per_step : (t + 1) * per_step]):
            if name == "crx":
                circuit.rzx(-angle / 2, *qubits)
                circuit.rx(angle / 2, qubits[1])
            else:
                getattr(circuit, name)(angle, *qubits)
        for qubit in range(n):
            circuit.save_density_matrix([qubit], label=f"{t} {qubit}")

    def run(angles: Tensor) -> tuple[Tensor, None]:
        values = angles.detach().transpose(0, 1).flatten(1).double().numpy()  # (batch, time * n_angles)
        bound = [{parameter: values[:, k].tolist() for k, parameter in enumerate(parameters)}]
        result = simulator.run(circuit, shots=1, parameter_binds=bound).result()
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        data = [result.data(sample) for sample in range(len(values))]
        steps = [
            of_densities([_stacked([saved[f"{t} {qubit}"].data for saved in data]) for qubit in range(n)])
            for t in range(len(angles))
        ]
        return torch.stack(steps).float(), None

    return Simulator(run)


def _stacked(matrices: list[object]) -> Tensor:
    return torch.stack([torch.as_tensor(matrix) for matrix in matrices])
