"""The state of the MPS backend, with the ledger of its truncations.

**Ledger.** A truncation at the centre replaces the normalised state psi by P psi / |P psi| with a projector P that
discards the weight epsilon = 1 - |P psi|^2 = sum of the discarded squared Schmidt values. The overlap of both states
is |P psi| = sqrt(1 - epsilon), so the angle between their rays is arcsin(sqrt(epsilon)). Unitary gates keep angles,
and the angle between rays (Fubini-Study distance) obeys the triangle inequality, so after any gates and truncations

    1 - fidelity <= sin^2( min( sum_i arcsin(sqrt(epsilon_i)), pi/2 ) ) = infidelity_bound,

for the same angles without any truncation. `truncation_error` is the plain sum of epsilon_i; where errors add up
incoherently, as they mostly do, it estimates 1 - fidelity from above and is far tighter than the bound.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.base import State
from backends.mps.layout import Layout
from backends.planning import Labels


@dataclass(frozen=True, eq=False)
class Ledger:
    """What truncation has cost so far, per sample: sums of epsilon and of arcsin(sqrt(epsilon)), each (batch,)."""

    weight: Tensor
    angle: Tensor

    @classmethod
    def empty(cls, batch: int, dtype: torch.dtype, device: torch.device) -> Ledger:
        """Return the ledger of a state that was never truncated."""
        zeros = torch.zeros(batch, dtype=dtype, device=device)
        return cls(zeros, zeros)

    def add(self, discarded: Tensor) -> Ledger:
        """Return the ledger after one more truncation of discarded weight (batch,)."""
        angle = torch.asin(torch.sqrt(discarded.clamp(0, 1)))
        return Ledger(self.weight + discarded, self.angle + angle)


@dataclass(frozen=True, eq=False)
class MPSState(State):
    """Site tensors (batch, left bond, 2**width, right bond) in canonical form around `centre`; see `mps`."""

    layout: Layout
    sites: tuple[Tensor, ...]
    centre: int
    ledger: Ledger

    @property
    def n_qubits(self) -> int:  # type: ignore[override]
        """Number of qubits."""
        return self.layout.n_qubits

    @property
    def structure(self) -> Hashable:
        return self.layout, self.centre

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.sites, self.ledger.weight, self.ledger.angle)

    def _replace(self, tensors: Sequence[Tensor]) -> MPSState:
        *sites, weight, angle = tensors
        return MPSState(self.layout, tuple(sites), self.centre, Ledger(weight, angle))

    @property
    def truncation_error(self) -> Tensor:
        return self.ledger.weight

    @property
    def infidelity_bound(self) -> Tensor:
        return torch.sin(self.ledger.angle.clamp(max=math.pi / 2)) ** 2

    def network(self) -> list[tuple[Tensor, Labels]]:
        pieces = []
        for index, (site, block) in enumerate(zip(self.sites, self.layout.blocks, strict=True)):
            batch, left, _, right = site.shape
            labels = ("batch", f"m{index}", *[f"q{qubit}" for qubit in block], f"m{index + 1}")
            pieces.append((site.reshape(batch, left, *[2] * len(block), right), labels))
        return pieces
