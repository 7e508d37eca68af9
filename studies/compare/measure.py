"""What is compared: an exact run and truncated runs of one set of weights on the same sequences.

Two ways to run the truncated state. *Open loop*: it is driven by the angles of the exact run, so every difference is
truncation, and the ledger's bound applies. *Closed loop*: its own readouts go back into the controller, as in training
and in use, so errors feed on themselves.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from backends import State
from tnqrnn import QRNNCell

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Run:
    """A run over T timesteps of a batch: angles (T, batch, n_angles), readouts (T, batch, 3n), and the states."""

    angles: Tensor
    readouts: Tensor
    states: list[State]


@torch.no_grad()
def closed_loop(
    cell: QRNNCell,
    x: Tensor,  # (batch, time, features)
) -> Run:
    """Run the cell over sequences, its readouts going back into its controller."""
    state = cell.backend.initial_state(x.shape[0], x.device)
    z = cell.backend.readout(state)
    angles, readouts, states = [], [], []
    for t in range(x.shape[1]):
        angles.append(cell.angles(x[:, t], z))
        state, z = cell.backend.step(state, angles[-1])
        readouts.append(z)
        states.append(state)
    return Run(torch.stack(angles), torch.stack(readouts), states)


@torch.no_grad()
def open_loop(
    cell: QRNNCell,
    angles: Tensor,  # (time, batch, n_angles)
) -> Run:
    """Run the cell's circuit with given angles."""
    state = cell.backend.initial_state(angles.shape[1], angles.device)
    readouts, states = [], []
    for step_angles in angles:
        state, z = cell.backend.step(state, step_angles)
        readouts.append(z)
        states.append(state)
    return Run(angles, torch.stack(readouts), states)


@dataclass(frozen=True)
class Deviation:
    """How far a truncated run is from the exact one, per timestep (T,).

    `readout_closed` and `readout_open`: root mean square over samples and readouts of z - z_exact. `infidelity` (open
    loop) is 1 - |<exact|mps>|^2, `bound` what the state's ledger proves about it, `truncation_error` the ledger's sum
    of discarded weights: mean and largest over the samples. `entropy` (T, n - 1): largest over the samples, in nats.
    `final` (3, samples): infidelity, truncation error and bound of every sample after the last timestep (open loop).
    """

    readout_closed: Tensor
    readout_open: Tensor
    largest_readout_error: float
    infidelity: Tensor
    largest_infidelity: float
    bound: Tensor
    largest_bound: float
    truncation_error: Tensor
    entropy: Tensor
    final: Tensor


@torch.no_grad()
def deviation(exact_cell: QRNNCell, cell: QRNNCell, x: Tensor, exact: Run) -> Deviation:
    """Compare a cell on a truncating backend with the exact run `exact` of the same weights on the same `x`."""
    closed, opened = closed_loop(cell, x), open_loop(cell, exact.angles)
    pairs = zip(exact.states, opened.states, strict=True)
    # Rounding can push a fidelity just above one.
    infidelity = torch.stack([1 - exact_cell.backend.fidelity(a, b) for a, b in pairs]).clamp(min=0)
    bound = torch.stack([state.infidelity_bound for state in opened.states])
    return Deviation(
        readout_closed=_root_mean_square(closed.readouts - exact.readouts),
        readout_open=_root_mean_square(opened.readouts - exact.readouts),
        largest_readout_error=float((closed.readouts - exact.readouts).abs().max()),
        infidelity=infidelity.mean(1),
        largest_infidelity=float(infidelity[-1].max()),
        bound=bound.mean(1),
        largest_bound=float(bound[-1].max()),
        truncation_error=torch.stack([state.truncation_error.mean() for state in opened.states]),
        entropy=largest_entropies(cell, closed),
        final=torch.stack([infidelity[-1], opened.states[-1].truncation_error, bound[-1]]),
    )


def _root_mean_square(difference: Tensor) -> Tensor:
    return difference.square().mean((1, 2)).sqrt()


@torch.no_grad()
def largest_entropies(cell: QRNNCell, run: Run) -> Tensor:
    """Return the largest entanglement entropy over the samples at every timestep and cut, (T, n - 1), in nats."""
    return torch.stack([cell.backend.entanglement_entropy(state).amax(0) for state in run.states])


def gradient(model: nn.Module, loss: Callable[[], Tensor]) -> Tensor:
    """Return the gradient of a loss in all trained parameters, as one vector."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss(), parameters)
    return torch.cat([part.flatten() for part in gradients])


def median_seconds(steps: dict[Name, Callable[[], object]], repeats: int = 5) -> dict[Name, float]:
    """Return the median seconds of every step; the steps take turns, so that noise hits all of them alike."""
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat > 0:  # the first round plans contractions and warms caches
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
