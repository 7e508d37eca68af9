"""Measuring simulators on one workload in one process, taking turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.benchmark import Measurement, Timer

from studies.benchmark.rivals.ours import exact
from studies.benchmark.simulators import Simulator, load
from studies.benchmark.workload import Workload
from studies.saved import stored_for_backward

_TURN = 0.01  # seconds that a turn lasts at least: what is faster runs more often
_EXACT_UP_TO = 14  # qubits up to which an MPS is compared with exact simulation


@dataclass(frozen=True)
class Machine:
    """What this machine can do at best: operations per second of a matrix product, bytes per second of a copy."""

    flops: float
    bandwidth: float

    @classmethod
    def here(cls) -> Machine:
        """Measure this machine: a matrix product in single precision, and 256 MiB that are read and written."""
        square, source = torch.randn(1024, 1024), torch.zeros(2**26)
        product = timed("square @ square", square=square)
        copy = timed("target.copy_(source)", source=source, target=torch.empty_like(source))
        return cls(2 * 1024**3 / min(product.times), 2 * source.nbytes / min(copy.times))


@dataclass(frozen=True)
class _Step:
    """What a training step gives; no gradient where there is the forward alone."""

    readouts: Tensor
    gradient: Tensor | None
    discarded: float | None


def timed(statement: str, at_least: float = 0.1, **names: object) -> Measurement:
    """Return the times of a statement, called for so many seconds in all; it is called once before, at least."""
    timer = Timer(statement, globals=names, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=at_least)


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median seconds of a call."""
    return timed("work()", work=work).median


def measure(names: list[str], workload: Workload, repeats: int, machine: Machine) -> list[dict[str, Any]]:
    """Measure every simulator on the workload, ours first; they take turns `repeats` times. A row for each.

    Seconds are medians, for the whole batch; None where there is no such thing. Beside the sizes of the workload:
    `first_call_seconds`: the first training step, or forward, of what it runs at once; compiling and planning included.
    `forward_only_seconds`: without anything kept for a backward. `forward_seconds`, `backward_seconds`: of a training
    step of `step_seconds`. `times_ours`, `forward_only_times_ours`: over ours in the same process.
    `stored_bytes`: kept by autograd for the backward (0 where that is not torch's).
    `readout_error`: largest, and `gradient_error`, relative, with its `gradient_cosine`: to double precision, exactly.
    `discarded_weight`: as an MPS reports it, a mean over samples.
    `flop_floor_seconds`: counted operations of a statevector at the speed of this machine's matrix product; `of_peak`:
    that over the step's. `bandwidth_floor_seconds`: its states read and written at the speed of a copy.
    """
    simulators = {name: load(name, workload) for name in names}
    compared = workload.max_bond is None or workload.n_qubits <= _EXACT_UP_TO
    truth = exact(workload) if compared else None
    firsts = {name: _first(simulator, workload, truth) for name, simulator in simulators.items()}
    turns: dict[str, list[dict[str, Measurement]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, simulator in simulators.items():
            turns[name].append(_turn(simulator, workload))
    seconds = {name: _medians(turns[name], simulator, workload) for name, simulator in simulators.items()}
    ours = seconds[names[0]]
    rows = []
    for name, own in seconds.items():
        ratios = {
            "forward_only_times_ours": _ratio(own["forward_only_seconds"], ours["forward_only_seconds"]),
            "times_ours": _ratio(own["step_seconds"], ours["step_seconds"] or own["step_seconds"]),
        }
        floors = _floors(workload, machine, own["step_seconds"])
        rows.append({"simulator": name, **asdict(workload), **own, **ratios, **firsts[name], **floors})
    return rows


def train(simulator: Simulator, workload: Workload) -> _Step:
    """Carry out one training step, or the forward alone where there is no gradient."""
    angles = workload.angles()
    readouts, discarded = simulator.run(angles)
    if not readouts.requires_grad:
        return _Step(readouts, None, discarded)
    (gradient,) = torch.autograd.grad((readouts * workload.weights()).sum(), angles)
    return _Step(readouts.detach(), gradient, discarded)


def _first(simulator: Simulator, workload: Workload, truth: tuple[Tensor, Tensor] | None) -> dict[str, Any]:
    """What the first training step took and kept, and its errors."""
    start = time.perf_counter()
    step = train(simulator, workload)
    end = time.perf_counter()
    with stored_for_backward() as stored:
        simulator.run(workload.angles())
    first = {"first_call_seconds": end - start, "stored_bytes": stored.bytes, "discarded_weight": step.discarded}
    return {**first, **_errors(step, truth)}


def _errors(step: _Step, truth: tuple[Tensor, Tensor] | None) -> dict[str, float | None]:
    errors: dict[str, float | None] = dict.fromkeys(("readout_error", "gradient_error", "gradient_cosine"))
    if truth is None:
        return errors
    readouts, gradient = truth
    errors["readout_error"] = float((step.readouts - readouts[:, : step.readouts.shape[1]]).abs().max())
    if step.gradient is not None:
        found = step.gradient.double()
        errors["gradient_error"] = float((found - gradient).norm() / gradient.norm())
        errors["gradient_cosine"] = float(torch.cosine_similarity(found.flatten(), gradient.flatten(), 0))
    return errors


def _turn(simulator: Simulator, workload: Workload) -> dict[str, Measurement]:
    """Times of the forward alone, and of both parts of a training step."""
    names: dict[str, Any] = {"run": simulator.run, "angles": workload.angles(), "torch": torch}
    turn = {"forward_only": timed("with torch.no_grad(): run(angles)", _TURN, **names)}
    readouts, _ = simulator.run(names["angles"])
    if readouts.requires_grad:
        turn["forward"] = timed("readouts = run(angles)", _TURN, **names)
        names["loss"] = (readouts * workload.weights()).sum()
        turn["backward"] = timed("torch.autograd.grad(loss, angles, retain_graph=True)", _TURN, **names)
    return turn


def _medians(turns: list[dict[str, Measurement]], simulator: Simulator, workload: Workload) -> dict[str, float | None]:
    scale = workload.batch / (simulator.samples or workload.batch)
    seconds: dict[str, float | None] = dict.fromkeys(("forward_only", "forward", "backward", "step"))
    for part in turns[0]:
        seconds[part] = scale * Measurement.merge([turn[part] for turn in turns])[0].median
    forward, backward = seconds["forward"], seconds["backward"]
    if forward is not None and backward is not None:
        seconds["step"] = backward if simulator.backward_is_all else forward + backward
    return {f"{part}_seconds": value for part, value in seconds.items()}


def _ratio(value: float | None, reference: float | None) -> float | None:
    return value / reference if value is not None and reference else None


def _floors(workload: Workload, machine: Machine, step_seconds: float | None) -> dict[str, float | None]:
    """What counted operations, and states read and written, would take at this machine's best; of a statevector."""
    floors: dict[str, float | None] = dict.fromkeys(("flop_floor_seconds", "bandwidth_floor_seconds", "of_peak"))
    if workload.max_bond is None:
        floors["flop_floor_seconds"] = workload.flops() / machine.flops
        floors["bandwidth_floor_seconds"] = workload.bytes_moved() / machine.bandwidth
        floors["of_peak"] = _ratio(floors["flop_floor_seconds"], step_seconds)
    return floors
