"""The workloads that every simulator gets: the same circuit, the same angles, the same loss.

Per layer RY and RZ on every qubit and CRX from every qubit to the next, around the ring for the statevector, along the
chain for the MPS; all 3n readouts after every timestep; a random linear loss of all readouts; the state carried from
timestep to timestep. One training step is forward and backward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from backends import Circuit
from tnqrnn import Ansatz

Angle = TypeVar("Angle")


@dataclass(frozen=True)
class Workload:
    """Sizes of one measurement; angles of a layer are ordered as all RY, all RZ, all CRX.

    `segment_length`: timesteps after which ours keeps the state, those between being computed again (None: keep all).
    `max_bond`: largest bond of an MPS, on a chain (None: a statevector, on a ring).
    """

    n_qubits: int
    n_layers: int = 2
    batch: int = 32
    timesteps: int = 8
    segment_length: int | None = None
    max_bond: int | None = None

    @property
    def circuit(self) -> Circuit:
        """The gates of one timestep."""
        topology = "ring" if self.max_bond is None else "chain"
        return Ansatz(self.n_qubits, self.n_layers, topology=topology).circuit

    @property
    def n_angles(self) -> int:
        """Angles per sample and timestep."""
        return self.circuit.n_angles

    def gates(self, angles: Iterable[Angle]) -> Iterator[tuple[str, tuple[int, ...], Angle]]:
        """Name, qubits and angle of the gates of a timestep in order, from its angles one by one."""
        for gate, angle in zip(self.circuit.gates, angles, strict=True):
            yield gate.name, gate.qubits, angle

    def angles(self) -> Tensor:
        """Random angles (time, batch, n_angles) that ask for a gradient."""
        generator = torch.Generator().manual_seed(self.n_qubits)
        return torch.randn(self.timesteps, self.batch, self.n_angles, generator=generator).requires_grad_()

    def weights(self) -> Tensor:
        """Weights of the loss, (time, batch, 3 n_qubits)."""
        generator = torch.Generator().manual_seed(1000 + self.n_qubits)
        return torch.randn(self.timesteps, self.batch, 3 * self.n_qubits, generator=generator)

    def flops(self) -> int:
        """Real floating-point operations of a statevector's training step, counted: what the algorithm itself needs.

        Per amplitude, qubit and layer: one multiplexed 2 x 2 rotation (RZ RY with CRX), 14 forward; backward the same
        on state and cotangent, and 12 for the sums from which the gradients follow. Readouts: 4 forward, 8 backward,
        per qubit.
        """
        per_amplitude = self.n_qubits * (self.n_layers * (14 + 28 + 12) + 4 + 8)
        return per_amplitude * (1 << self.n_qubits) * self.batch * self.timesteps

    def bytes_moved(self) -> int:
        """Bytes of states, in single precision, that a statevector's training step must at least read and write.

        Forward a state is read and one written; backward state and cotangent are read, a cotangent is written.
        """
        return 5 * 8 * (1 << self.n_qubits) * self.batch * self.timesteps
