"""Our backends over the timesteps of a workload, as a recurrent network runs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backends import Backend, State
from studies.benchmark.workload import Sizes
from tnqrnn import Ansatz, create_backend
from tnqrnn.segments import recomputed, segments


def unrolled(
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


def exact(workload: Sizes) -> tuple[Tensor, Tensor]:
    """Readouts and gradient of the loss by the statevector in double precision.

    The tests hold it to matrices written from the formulas.
    """
    circuit = Ansatz(workload.n_qubits, workload.n_layers, topology=workload.topology).circuit
    backend = create_backend("statevector", circuit, dtype=torch.complex128, gradient="reversible")
    angles = workload.angles().detach().double().requires_grad_()
    z, _ = unrolled(backend, angles, None)
    (gradient,) = torch.autograd.grad((z * workload.weights()).sum(), angles)
    return z.detach(), gradient


def _advance(backend: Backend[Any], state: State, angles: Tensor) -> tuple[State, Tensor]:
    readouts = []
    for step in angles:
        state, z = backend.step(state, step)
        readouts.append(z)
    return state, torch.stack(readouts)
