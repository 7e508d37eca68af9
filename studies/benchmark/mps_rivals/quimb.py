"""quimb's CircuitMPS, which this library depends on anyway: forward only, one sample at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.mps_rivals.sites import controlled_rx, one_qubit, readouts
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return quimb's simulation of the first sample; RZ RY as one matrix, CRX as another, read out by torch."""
    import quimb.tensor as qtn

    n = workload.n_qubits

    def run(angles: Tensor) -> tuple[Tensor, float]:
        circuit = qtn.CircuitMPS(n, max_bond=workload.max_bond, cutoff=0.0, dtype="complex64")
        values = []
        for step in angles[:, :1].detach():
            for ry, rz, crx in workload.layers(step):
                for qubit in range(n):
                    rotation = one_qubit("rz", rz[:, qubit]) @ one_qubit("ry", ry[:, qubit])
                    circuit.apply_gate_raw(rotation[0].numpy(), (qubit,))
                for qubit in range(n - 1):
                    circuit.apply_gate_raw(controlled_rx(crx[:, qubit])[0].numpy(), (qubit, qubit + 1))
            values.append(readouts(_sites(circuit.psi)))
        return torch.stack(values), 1 - float(circuit.fidelity_estimate())

    return Contender(run, samples=1)


def _sites(psi: object) -> list[Tensor]:
    """(1, left bond, 2, right bond) of every qubit."""
    arrays = [torch.from_numpy(array) for array in psi.arrays]  # type: ignore[attr-defined]
    arrays[0], arrays[-1] = arrays[0][None], arrays[-1][:, None]  # quimb: left, right, physical
    return [array.permute(0, 2, 1)[None] for array in arrays]
