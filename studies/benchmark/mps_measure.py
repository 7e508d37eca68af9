"""Measuring MPS simulators on one chain in one process, taking turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from importlib import import_module

import torch
from torch import Tensor

from backends.errors import InvalidInput
from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.unrolled import exact
from studies.benchmark.workload import ChainWorkload
from studies.saved import stored_for_backward

OURS = "tnqrnn_mps"
RIVALS = ("tnqrnn_torch", "flagquantum", "deepquantum", "tensorcircuit", "aer", "quimb")
SIZES = ("n_qubits", "n_layers", "batch", "timesteps", "max_bond", "segment_length")


@dataclass(frozen=True)
class MPSMeasurement:
    """One simulator on one chain. Seconds are medians, for the whole batch; None where there is no such thing.

    `first_call_seconds`: the first training step, or forward, of what it runs at once; compiling and planning included.
    `forward_only_seconds`: without anything kept for a backward. `forward_seconds` and `backward_seconds` are those of
    a training step of `step_seconds`. `times_ours`, `forward_only_times_ours`: over ours in the same process.
    `stored_bytes`: kept by autograd for the backward. `peak_bytes`: peak of the resident memory, above what is resident
    before the step. `readout_error`: largest, and `gradient_error`, relative, with its `gradient_cosine`: against exact
    simulation in double precision. `discarded_weight`: as the simulator reports it, a mean over samples.
    """

    simulator: str
    n_qubits: int
    n_layers: int
    batch: int
    timesteps: int
    max_bond: int
    segment_length: int | None
    first_call_seconds: float
    forward_only_seconds: float
    forward_only_times_ours: float
    forward_seconds: float | None
    backward_seconds: float | None
    step_seconds: float | None
    times_ours: float | None
    stored_bytes: int
    peak_bytes: int | None
    readout_error: float | None
    gradient_error: float | None
    gradient_cosine: float | None
    discarded_weight: float | None

    def row(self) -> dict[str, object]:
        """The fields by name."""
        return asdict(self)


def load(name: str, workload: ChainWorkload) -> Contender:
    """Return a simulator by the name of its module; refuses one whose package is not installed."""
    try:
        contender: Contender = import_module(f"studies.benchmark.mps_rivals.{name}").make(workload)
    except ImportError as error:
        raise InvalidInput(
            f"tnqrnn benchmark: {name} cannot be loaded ({error}); install it, or leave it out of --rivals."
        ) from error
    return contender


def measure_mps(names: list[str], workload: ChainWorkload, repeats: int, exact_up_to: int = 14) -> list[MPSMeasurement]:
    """Measure every simulator on the workload, ours first; they take turns `repeats` times.

    Errors are measured up to `exact_up_to` qubits.
    """
    contenders = {name: load(name, workload) for name in names}
    truth = exact(workload) if workload.n_qubits <= exact_up_to else None
    firsts = {name: _step(contender, workload) for name, contender in contenders.items()}
    alone: dict[str, list[float]] = {name: [] for name in names}
    steps: dict[str, list[_Step]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, contender in contenders.items():
            _forward(contender, workload)  # not counted: caches and threads of the one before settle
            alone[name].append(_forward(contender, workload))
            steps[name].append(_step(contender, workload))
    results: list[MPSMeasurement] = []
    for name, contender in contenders.items():
        scale = workload.batch / (contender.samples or workload.batch)
        forward_only = scale * statistics.median(alone[name])
        forward, backward, total = _medians(steps[name], contender, scale)
        errors = _errors(firsts[name], truth)
        ours = results[0] if results else None
        results.append(
            MPSMeasurement(
                simulator=name,
                **{size: getattr(workload, size) for size in SIZES},
                first_call_seconds=firsts[name].forward + (firsts[name].backward or 0),
                forward_only_seconds=forward_only,
                forward_only_times_ours=forward_only / (ours.forward_only_seconds if ours else forward_only),
                forward_seconds=forward,
                backward_seconds=backward,
                step_seconds=total,
                times_ours=None if total is None else total / ((ours.step_seconds if ours else None) or total),
                stored_bytes=_stored(contender, workload),
                peak_bytes=None,
                readout_error=errors[0],
                gradient_error=errors[1],
                gradient_cosine=errors[2],
                discarded_weight=firsts[name].discarded,
            )
        )
    return results


def train(contender: Contender, workload: ChainWorkload) -> None:
    """Carry out one training step, or the forward alone where there is no gradient."""
    _step(contender, workload)


@dataclass(frozen=True)
class _Step:
    """Seconds and results of one training step; without backward and gradient where there is none."""

    forward: float
    backward: float | None
    readouts: Tensor
    gradient: Tensor | None
    discarded: float | None


def _step(contender: Contender, workload: ChainWorkload) -> _Step:
    angles, weights = workload.angles(), workload.weights()
    start = time.perf_counter()
    readouts, discarded = contender.run(angles)
    middle = time.perf_counter()
    if not readouts.requires_grad:
        return _Step(middle - start, None, readouts, None, discarded)
    (gradient,) = torch.autograd.grad((readouts * weights).sum(), angles)
    return _Step(middle - start, time.perf_counter() - middle, readouts.detach(), gradient, discarded)


def _forward(contender: Contender, workload: ChainWorkload) -> float:
    angles = workload.angles()
    with torch.no_grad():
        start = time.perf_counter()
        contender.run(angles)
        return time.perf_counter() - start


def _stored(contender: Contender, workload: ChainWorkload) -> int:
    with stored_for_backward() as stored:
        contender.run(workload.angles())
    return stored.bytes


def _medians(steps: list[_Step], contender: Contender, scale: float) -> tuple[float | None, float | None, float | None]:
    """Seconds forward, backward and in all of a training step."""
    backwards = [step.backward for step in steps if step.backward is not None]
    if not backwards:
        return None, None, None
    forward, backward = scale * statistics.median(step.forward for step in steps), scale * statistics.median(backwards)
    return forward, backward, backward if contender.backward_is_all else forward + backward


def _errors(step: _Step, truth: tuple[Tensor, Tensor] | None) -> tuple[float | None, float | None, float | None]:
    """Errors of readouts and gradient, and the gradient's cosine."""
    if truth is None:
        return None, None, None
    readouts, gradient = truth
    readout_error = float((step.readouts - readouts[:, : step.readouts.shape[1]]).abs().max())
    if step.gradient is None:
        return readout_error, None, None
    found = step.gradient.double()
    error = float((found - gradient).norm() / gradient.norm())
    return readout_error, error, float(torch.cosine_similarity(found.flatten(), gradient.flatten(), 0))
