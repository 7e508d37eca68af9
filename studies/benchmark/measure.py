"""Measuring one training step of several simulators in one process, taking turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from importlib import import_module

import torch
from torch import Tensor

from backends.errors import InvalidInput
from studies.benchmark.unrolled import exact
from studies.benchmark.workload import Simulator, Workload
from studies.saved import stored_for_backward

OURS = "tnqrnn_statevector"
# What needs no forward of its own: its backward computes value and gradient together.
_BACKWARD_IS_ALL = ("tensorcircuit",)


@dataclass(frozen=True)
class Measurement:
    """One simulator on one workload. Seconds are medians; errors are relative to ours in double precision.

    `first_call_seconds`: a whole training step, compilation and planning included. `stored_bytes`: kept by autograd for
    the backward (0 where that is not torch's). `peak_bytes`: peak of the resident memory, above what is resident before
    the step (None: not asked for). `times_ours`: seconds per training step over ours in the same process.
    `flop_floor_seconds`: counted operations at the speed of this machine's matrix product; `of_peak`: that over the
    step's. `bandwidth_floor_seconds`: states read and written at the speed of a copy.
    """

    simulator: str
    n_qubits: int
    n_layers: int
    batch: int
    timesteps: int
    segment_length: int | None
    first_call_seconds: float
    forward_seconds: float
    backward_seconds: float
    step_seconds: float
    times_ours: float
    stored_bytes: int
    peak_bytes: int | None
    readout_error: float
    gradient_error: float
    flop_floor_seconds: float
    bandwidth_floor_seconds: float
    of_peak: float

    def row(self) -> dict[str, object]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Machine:
    """What this machine can do at best: operations per second of a matrix product, bytes per second of a copy."""

    flops: float
    bandwidth: float

    @classmethod
    def here(cls) -> Machine:
        """Measure this machine."""
        return cls(_peak_flops(), _bandwidth())


def load(name: str, workload: Workload) -> Simulator:
    """Return a simulator by the name of its module; refuses one whose package is not installed."""
    try:
        module = import_module(f"studies.benchmark.rivals.{name}")
        simulator: Simulator = module.make(workload)
    except ImportError as error:
        raise InvalidInput(
            f"tnqrnn benchmark: {name} cannot be loaded ({error}); install it, or leave it out of --rivals."
        ) from error
    return simulator


def measure(names: list[str], workload: Workload, repeats: int, machine: Machine) -> list[Measurement]:
    """Measure every simulator on the workload, ours first; they take turns `repeats` times."""
    angles, weights = workload.angles(), workload.weights()
    simulators = {name: load(name, workload) for name in names}
    exact_readouts, exact_gradient = exact(workload)
    first_calls, stored, errors = {}, {}, {}
    for name, simulate in simulators.items():
        start = time.perf_counter()
        readouts, gradient = _step(simulate, angles, weights)[2:]
        first_calls[name] = time.perf_counter() - start
        errors[name] = (
            float((readouts - exact_readouts).abs().max()),
            float((gradient - exact_gradient).norm() / exact_gradient.norm()),
        )
        with stored_for_backward() as saved:
            simulate(angles)
        stored[name] = saved.bytes
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in simulators}
    for _ in range(repeats):
        for name, simulate in simulators.items():
            _step(simulate, angles, weights)  # not counted: caches and threads of the one before settle
            times[name].append(_step(simulate, angles, weights)[:2])
    results: list[Measurement] = []
    for name in simulators:
        forward, backward = (statistics.median(part) for part in zip(*times[name], strict=True))
        total = backward if name in _BACKWARD_IS_ALL else forward + backward
        ours = results[0].step_seconds if results else total
        sizes = (workload.n_qubits, workload.n_layers, workload.batch, workload.timesteps, workload.segment_length)
        seconds = (first_calls[name], forward, backward, total, total / ours)
        floors = (workload.flops() / machine.flops, workload.bytes_moved() / machine.bandwidth)
        results.append(
            Measurement(name, *sizes, *seconds, stored[name], None, *errors[name], *floors, floors[0] / total)
        )
    return results


def train(simulate: Simulator, workload: Workload) -> None:
    """Carry out one training step."""
    _step(simulate, workload.angles(), workload.weights())


def _step(simulate: Simulator, angles: Tensor, weights: Tensor) -> tuple[float, float, Tensor, Tensor]:
    """Seconds forward and backward, readouts and gradient."""
    start = time.perf_counter()
    readouts = simulate(angles)
    middle = time.perf_counter()
    (gradient,) = torch.autograd.grad((readouts * weights).sum(), angles)
    end = time.perf_counter()
    return middle - start, end - middle, readouts.detach(), gradient


def _peak_flops(size: int = 1024, repeats: int = 7) -> float:
    """Floating-point operations per second of a single precision matrix product: what this machine can do at best."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return float(2 * size**3 / min(seconds))


def _bandwidth(elements: int = 2**26, repeats: int = 5) -> float:
    """Bytes per second of copying 256 MiB: read and written."""
    source, target = torch.zeros(elements), torch.empty(elements)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        target.copy_(source)
        seconds.append(time.perf_counter() - start)
    return 8 * elements / min(seconds)
