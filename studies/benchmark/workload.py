"""The workloads that every simulator gets: the same circuit, the same angles, the same loss.

Per layer RY and RZ on every qubit and CRX from every qubit to the next, around the ring for the statevector, along the
chain for the MPS; all 3n readouts after every timestep; a random linear loss of all readouts; the state carried from
timestep to timestep. One training step is forward and backward.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

# From angles (time, batch, n_angles) to readouts (time, batch, 3 n_qubits), differentiable by torch.
Simulator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sizes(ABC):
    """Sizes of one measurement; angles of a layer are ordered as all RY, all RZ, all CRX.

    `segment_length`: timesteps after which ours keeps the state, those between being computed again (None: keep all).
    """

    topology: ClassVar[str]
    n_qubits: int
    n_layers: int = 2
    batch: int = 32
    timesteps: int = 8
    segment_length: int | None = None

    @property
    @abstractmethod
    def n_angles(self) -> int:
        """Angles per sample and timestep."""

    def angles(self) -> Tensor:
        """Random angles (time, batch, n_angles) that ask for a gradient."""
        generator = torch.Generator().manual_seed(self.n_qubits)
        return torch.randn(self.timesteps, self.batch, self.n_angles, generator=generator).requires_grad_()

    def weights(self) -> Tensor:
        """Weights of the loss, (time, batch, 3 n_qubits)."""
        generator = torch.Generator().manual_seed(1000 + self.n_qubits)
        return torch.randn(self.timesteps, self.batch, 3 * self.n_qubits, generator=generator)


@dataclass(frozen=True)
class ChainWorkload(Sizes):
    """The workload of the MPS: a chain, at bonds of at most `max_bond`."""

    topology = "chain"
    max_bond: int = 16

    @property
    def n_angles(self) -> int:
        return (3 * self.n_qubits - 1) * self.n_layers

    def layers(self, angles: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return the angles (batch, ...) of RY, RZ and CRX in every layer, from those of a timestep."""
        n = self.n_qubits
        return [layer.split([n, n, n - 1], 1) for layer in angles.split(3 * n - 1, 1)]


@dataclass(frozen=True)
class Workload(Sizes):
    """The workload of the statevector: a ring."""

    topology = "ring"

    @property
    def n_angles(self) -> int:
        return 3 * self.n_qubits * self.n_layers

    def flops(self) -> int:
        """Real floating-point operations of a training step, counted: what the algorithm itself needs.

        Per amplitude, qubit and layer: one multiplexed 2 x 2 rotation (RZ RY with CRX), 14 forward; backward the same
        on state and cotangent, and 12 for the sums from which the gradients follow. Readouts: 4 forward, 8 backward,
        per qubit.
        """
        per_amplitude = self.n_qubits * (self.n_layers * (14 + 28 + 12) + 4 + 8)
        return per_amplitude * (1 << self.n_qubits) * self.batch * self.timesteps

    def bytes_moved(self) -> int:
        """Bytes of states, in single precision, that a training step must at least read and write.

        Forward a state is read and one written; backward state and cotangent are read, a cotangent is written.
        """
        return 5 * 8 * (1 << self.n_qubits) * self.batch * self.timesteps
