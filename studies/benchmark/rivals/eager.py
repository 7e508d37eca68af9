"""Plain torch, gate by gate: what one would write without a simulator, and the reference for readouts and gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from studies.benchmark.workload import Simulator, Workload


def readouts(psi: Tensor) -> Tensor:
    """X, Y and Z of every qubit from amplitudes (batch, 2, ..., 2): (batch, 3n)."""
    columns: list[list[Tensor]] = [[], [], []]
    for axis in range(1, psi.dim()):
        zero, one = (part.flatten(1) for part in psi.unbind(axis))
        flip = (zero.conj() * one).sum(1)
        columns[0].append(2 * flip.real)
        columns[1].append(2 * flip.imag)
        columns[2].append((zero.abs() ** 2 - one.abs() ** 2).sum(1))
    return torch.stack([value for column in columns for value in column], 1)


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
    """Return the plain simulation."""
    n = workload.n_qubits

    def run(angles: Tensor) -> Tensor:
        psi = torch.zeros(angles.shape[1], *[2] * n, dtype=torch.complex64)
        psi.reshape(len(psi), -1)[:, 0] = 1
        values = []
        for step in angles:
            for layer in step.split(3 * n, 1):
                for qubit in range(n):
                    psi = _rotate(psi, qubit + 1, "ry", layer[:, qubit])
                for qubit in range(n):
                    psi = _rotate(psi, qubit + 1, "rz", layer[:, n + qubit])
                for qubit in range(n):
                    psi = _controlled_rx(psi, qubit + 1, (qubit + 1) % n + 1, layer[:, 2 * n + qubit])
            values.append(readouts(psi))
        return torch.stack(values)

    return run
