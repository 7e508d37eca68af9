"""The ledger of an MPS: what its truncations have cost.

A truncation at the centre replaces the normalised state psi by P psi / |P psi| with a projector P that
discards the weight epsilon = 1 - |P psi|^2 = sum of the discarded squared Schmidt values. The overlap of both states
is |P psi| = sqrt(1 - epsilon), so the angle between their rays is arcsin(sqrt(epsilon)). Unitary gates keep angles,
and the angle between rays (Fubini-Study distance) obeys the triangle inequality, so after any gates and truncations

    1 - fidelity <= sin^2( min( sum_i arcsin(sqrt(epsilon_i)), pi/2 ) ) = infidelity_bound,

for the same angles without any truncation, up to the rounding of the simulation itself (about 1e-6 in complex64).
`truncation_error` is the plain sum of epsilon_i; where errors add up incoherently, as they mostly do, it estimates
1 - fidelity from above and is far tighter than the bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


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

    def plus(self, sums: Tensor) -> Ledger:
        """Return the ledger after truncations whose sums of epsilon and of its angle are `sums` (batch, 2)."""
        return Ledger(self.weight + sums[:, 0], self.angle + sums[:, 1])

    @property
    def infidelity_bound(self) -> Tensor:
        """(batch,): upper bound on 1 - fidelity with the state that was never truncated."""
        return torch.sin(self.angle.clamp(max=math.pi / 2)) ** 2
