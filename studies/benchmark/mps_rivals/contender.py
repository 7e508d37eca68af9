"""What an MPS simulator is to the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Contender:
    """One simulator on one workload.

    `run`: angles (time, batch, n_angles) -> readouts (time, batch, 3 n_qubits), and the discarded weight that the
    simulator reports, a mean over samples (None: it reports none). Readouts without a gradient mean forward only.
    `samples`: it runs one after the other, so the first of so many stand for all, and their time counts for the batch.
    `backward_is_all`: its backward computes value and gradient together, so a training step is that alone.
    """

    run: Callable[[Tensor], tuple[Tensor, float | None]]
    samples: int | None = None
    backward_is_all: bool = False
