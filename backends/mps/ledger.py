"""The ledger of an MPS: what its truncations have cost.

A truncation at the centre replaces the normalised state psi by P psi / |P psi| with a projector P that
discards the weight epsilon = 1 - |P psi|^2 = sum of the discarded squared Schmidt values. The overlap of both states
is |P psi| = sqrt(1 - epsilon), so the angle between their rays is arcsin(sqrt(epsilon)). Unitary gates keep angles,
and the angle between rays (Fubini-Study distance) obeys the triangle inequality, so after any gates and truncations

    1 - fidelity <= sin^2( min( sum_i arcsin(sqrt(epsilon_i)), pi/2 ) ) = infidelity_bound,

for the same angles without any truncation, up to the rounding of the simulation itself (about 1e-6 in complex64).
`truncation_error` is the plain sum of epsilon_i. Where errors add up incoherently, as they mostly do, it estimates
1 - fidelity far more closely than the bound, but may err to either side (`tnqrnn study truncation` compares the three).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Truncation:
    """What a truncation keeps: at most `max_bond` Schmidt values, those whose share of the squares is above `cutoff`.

    With `target_error` as few of them as leave a discarded weight of at most that; at least one in any case.
    """

    max_bond: int
    cutoff: float
    target_error: float | None = None

    @cached_property
    def limits(self) -> np.ndarray[Any, Any]:
        """Cutoff and target as the kernel takes them; a negative target is none."""
        return np.array([self.cutoff, -1.0 if self.target_error is None else self.target_error])

    def keep(self, weights: Tensor) -> Tensor:
        """(batch, number) true where a Schmidt value is kept, from shares of the squares, largest first."""
        places = torch.arange(weights.shape[1], device=weights.device)
        kept = (weights > self.cutoff) & (places < self.max_bond)
        if self.target_error is not None:
            # What would be lost if this value and all lighter ones went, and what is lost beyond max_bond anyway.
            kept &= weights.flip(1).cumsum(1).flip(1) > self.target_error
        return kept | (places == 0)


@dataclass(frozen=True, eq=False)
class Ledger:
    """What truncation has cost so far, per sample (batch,): sums of epsilon and of arcsin(sqrt(epsilon)).

    `binds` counts the truncations whose target error `max_bond` did not allow.
    """

    weight: Tensor
    angle: Tensor
    binds: Tensor

    @classmethod
    def empty(cls, batch: int, dtype: torch.dtype, device: torch.device) -> Ledger:
        """Return the ledger of a state that was never truncated."""
        zeros = torch.zeros(batch, dtype=dtype, device=device)
        return cls(zeros, zeros, zeros)

    def add(self, discarded: Tensor, truncation: Truncation) -> Ledger:
        """Return the ledger after one more truncation of discarded weight (batch,)."""
        angle = torch.asin(torch.sqrt(discarded.clamp(0, 1)))
        target = math.inf if truncation.target_error is None else truncation.target_error
        return Ledger(self.weight + discarded, self.angle + angle, self.binds + (discarded > target))

    def plus(self, sums: Tensor) -> Ledger:
        """Return the ledger after truncations that add `sums` (batch, 3) to its three entries."""
        return Ledger(self.weight + sums[:, 0], self.angle + sums[:, 1], self.binds + sums[:, 2])

    @property
    def infidelity_bound(self) -> Tensor:
        """(batch,): upper bound on 1 - fidelity with the state that was never truncated."""
        return torch.sin(self.angle.clamp(max=math.pi / 2)) ** 2
