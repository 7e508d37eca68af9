"""The state of the statevector backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.base import State
from backends.planning import Labels
from backends.statevector.reversible import Moment


@dataclass(frozen=True, eq=False, repr=False)
class StatevectorState(State):
    """Amplitudes (batch, 2**n_qubits), qubit 0 most significant."""

    n_qubits: int
    amplitudes: Tensor
    moment: Moment | None = None  # of a reversible run
    readouts: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.amplitudes,)

    def _replace(self, tensors: Sequence[Tensor]) -> StatevectorState:
        (amplitudes,) = tensors
        return StatevectorState(self.n_qubits, amplitudes)

    @property
    def truncation_error(self) -> Tensor:
        return torch.zeros_like(self.amplitudes[:, 0].detach().real)

    @property
    def infidelity_bound(self) -> Tensor:
        return self.truncation_error

    @property
    def max_bond_binds(self) -> Tensor:
        return self.truncation_error

    def network(self) -> list[tuple[Tensor, Labels]]:
        labels = ("batch", *[f"q{k}" for k in range(self.n_qubits)])
        return [(self.amplitudes.reshape(-1, *[2] * self.n_qubits), labels)]
