"""FlagQuantum's MPS (pip install flagquantum)."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor

from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.mps_rivals.sites import controlled_rx, one_qubit, readouts
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return FlagQuantum's simulation: RZ RY as one matrix, CRX as another; read out by torch.

    It reports the discarded weight of each truncation as the worst over the samples.
    """
    mps = import_module("flagquantum.simulation.mps.state")
    config = import_module("flagquantum.simulation.mps.models").MPSConfig(max_bond=workload.max_bond)

    def run(angles: Tensor) -> tuple[Tensor, float]:
        state = mps.MPSState.zero(workload.n_qubits, bsz=angles.shape[1], dtype=torch.complex64, config=config)
        values = []
        for step in angles:
            for ry, rz, crx in workload.layers(step):
                for qubit in range(workload.n_qubits):
                    state.apply_one(one_qubit("rz", rz[:, qubit]) @ one_qubit("ry", ry[:, qubit]), qubit)
                for qubit in range(workload.n_qubits - 1):
                    state.apply_two(controlled_rx(crx[:, qubit]), qubit)
            values.append(readouts(state.tensors))
        return torch.stack(values), float(sum(state.truncation_errors))

    return Contender(run)
