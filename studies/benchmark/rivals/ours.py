"""Our backends, through the public interface, over the timesteps of a workload as a recurrent network runs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backends import Backend, State
from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload
from tnqrnn import create_backend
from tnqrnn.segments import recomputed, segments


def make(workload: Workload, **options: Any) -> Simulator:
    """Return our simulation of the workload; `options` are settings of the backend."""
    if workload.max_bond is None:
        backend = create_backend("statevector", workload.circuit, **options)
    else:
        backend = create_backend("mps", workload.circuit, max_bond=workload.max_bond, **options)

    def run(angles: Tensor) -> tuple[Tensor, float | None]:
        readouts, state = _unrolled(backend, angles, workload.segment_length)
        return readouts, None if workload.max_bond is None else float(state.truncation_error.mean())

    return Simulator(run)


def exact(workload: Workload) -> tuple[Tensor, Tensor]:
    """Readouts and gradient of the loss by the statevector in double precision.

    The tests hold it to matrices written from the formulas.
    """
    backend = create_backend("statevector", workload.circuit, dtype=torch.complex128, gradient="reversible")
    angles = workload.angles().detach().double().requires_grad_()
    z, _ = _unrolled(backend, angles, None)
    (gradient,) = torch.autograd.grad((z * workload.weights()).sum(), angles)
    return z.detach(), gradient


def _unrolled(
    backend: Backend[Any],
    angles: Tensor,  # (time, batch, n_angles)
    segment_length: int | None,
) -> tuple[Tensor, State]:
    """Return the readouts (time, batch, 3 n_qubits) and the final state, from |0...0>."""
    state, pieces = backend.initial_state(angles.shape[1]), []
    parts = segments(len(angles), segment_length)
    for part in parts:
        state, z = recomputed(_advance, backend, state, angles[part.start : part.stop], when=len(parts) > 1)
        pieces.append(z)
    return torch.cat(pieces), state


def _advance(backend: Backend[Any], state: State, angles: Tensor) -> tuple[State, Tensor]:
    readouts = []
    for step in angles:
        state, z = backend.step(state, step)
        readouts.append(z)
    return state, torch.stack(readouts)
