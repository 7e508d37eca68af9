"""Plain torch, gate by gate: what one would write without a simulator."""

from __future__ import annotations

import torch
from torch import Tensor

from studies.benchmark.rivals.readouts import of_amplitudes
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def _rotate(psi: Tensor, axis: int, kind: str, angle: Tensor) -> Tensor:
    """RX, RY or RZ of every sample's own angle (batch,) on one axis."""
    half = (angle / 2).reshape(-1, *[1] * (psi.dim() - 2))
    cos, sin = torch.cos(half), torch.sin(half)
    zero, one = psi.unbind(axis)
    if kind == "ry":
        return torch.stack([cos * zero - sin * one, sin * zero + cos * one], axis)
    if kind == "rz":
        phase = torch.complex(cos, -sin)
        return torch.stack([phase * zero, phase.conj() * one], axis)
    return torch.stack([cos * zero - 1j * sin * one, cos * one - 1j * sin * zero], axis)


def _controlled_rx(psi: Tensor, control: int, target: int, angle: Tensor) -> Tensor:
    off, on = psi.unbind(control)
    return torch.stack([off, _rotate(on, target - (target > control), "rx", angle)], control)


def make(workload: Workload) -> Simulator:
    """Return the plain simulation of the statevector."""

    def run(angles: Tensor) -> tuple[Tensor, None]:
        psi = torch.zeros(angles.shape[1], *[2] * workload.n_qubits, dtype=torch.complex64)
        psi.reshape(len(psi), -1)[:, 0] = 1
        values = []
        for step in angles:
            for name, qubits, angle in workload.gates(step.unbind(1)):
                axis, *target = (qubit + 1 for qubit in qubits)
                psi = _controlled_rx(psi, axis, target[0], angle) if target else _rotate(psi, axis, name, angle)
            values.append(of_amplitudes(psi))
        return torch.stack(values), None

    return Simulator(run)
