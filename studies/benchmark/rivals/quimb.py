"""quimb's CircuitMPS, which this library depends on anyway: forward only, one sample at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from studies.benchmark.rivals.readouts import gate_matrices, of_sites
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def make(workload: Workload) -> Simulator:
    """Return quimb's simulation of the first sample; RZ RY as one matrix, CRX as another, read out by torch."""
    import quimb.tensor as qtn

    def run(angles: Tensor) -> tuple[Tensor, float]:
        circuit = qtn.CircuitMPS(workload.n_qubits, max_bond=workload.max_bond, cutoff=0.0, dtype="complex64")
        values = []
        for step in angles[:, :1].detach():
            for qubits, matrix in gate_matrices(workload, step):
                circuit.apply_gate_raw(matrix[0].numpy(), qubits)
            values.append(of_sites(_sites(circuit.psi)))
        return torch.stack(values), 1 - float(circuit.fidelity_estimate())

    return Simulator(run, samples=1)


def _sites(psi: object) -> list[Tensor]:
    """(1, left bond, 2, right bond) of every qubit."""
    arrays = [torch.from_numpy(array) for array in psi.arrays]  # type: ignore[attr-defined]
    arrays[0], arrays[-1] = arrays[0][None], arrays[-1][:, None]  # quimb: left, right, physical
    return [array.permute(0, 2, 1)[None] for array in arrays]
