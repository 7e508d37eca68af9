"""The gradient of a loss in the hidden state of every timestep.

For one sample with loss L and hidden state h_t, measured is |dL/dh_t| through everything after t: all later states, and
what they feed back into the controller, but not what is read at t itself. Where it shrinks exponentially towards the
first timesteps, what happened there cannot be learned; where it grows, training is unstable (Bengio, Simard and
Frasconi, 1994).

The hidden state is psi_t for a QRNN. It stays normalised, so the part of the gradient along psi_t itself, a change of
norm and phase, leads nowhere and is left out. An LSTM's state is both of its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from backends import State
from backends.errors import InvalidInput
from backends.statevector.state import StatevectorState
from lightning_modules.data.loaders import Batch
from lightning_modules.tasks.task import SequenceTask

LOSSES = ("last", "task")


def gradient_norms(model: SequenceTask, batch: Batch, loss: str) -> Tensor:
    """Return |dL/dh_t| of every sample at every timestep but the last, (batch, time - 1); L is the sample's own loss.

    `loss` "last": the cross entropy of the last timestep alone, so that the norm tells how far a loss reaches back;
    "task": that of the task, to which every timestep may contribute.

    Raises:
        InvalidInput: The state is a matrix product state, whose tensors depend on the gauge; or the task reads no
            sequences of features.
    """
    x, targets = batch
    if x.dim() != 3 or not x.is_floating_point():
        raise InvalidInput(
            f"gradients: {type(model).__name__} reads inputs of shape {tuple(x.shape)}, {x.dtype}; expected sequences "
            "of features (batch, time, features), as those of digits, mnist or copying."
        )
    model.eval()  # dropout would make the norms of two models differ by chance
    with torch.enable_grad():
        states, z = unrolled(model.cell, x)
        norms, _ = norms_and_gradients(states, _total(model.read(z), targets, loss))
    return norms


def unrolled(cell: nn.Module, x: Tensor) -> tuple[list[Any], Tensor]:
    """Run a cell one timestep at a time; return the state after each, and the readouts (batch, time, output_size)."""
    states: list[Any] = []
    readouts, state = [], None
    for t in range(x.shape[1]):
        z, state = cell(x[:, t : t + 1], state)
        if isinstance(state, State):  # read again by the next timestep, so that all of the past goes through the state
            state = state.measured(None)
        states.append(state)
        readouts.append(z)
    return states, torch.cat(readouts, 1)


def norms_and_gradients(
    states: Sequence[Any], objective: Tensor, parameters: Sequence[Tensor] = ()
) -> tuple[Tensor, list[Tensor]]:
    """Return the gradient's norm in every state but the last, (batch, time - 1), and the gradients in `parameters`.

    After the last state nothing follows: no norm for it, and none at all for one timestep.
    """
    hidden = [_tensors(state) for state in states[:-1]]
    flat = [tensor for tensors in hidden for tensor in tensors]
    found = torch.autograd.grad(objective, [*flat, *parameters], allow_unused=True, materialize_grads=True)
    gradients = iter(found)
    norms = [_norm(tensors, [next(gradients) for _ in tensors]) for tensors in hidden]
    batch = len(_tensors(states[-1])[0])
    return torch.stack(norms, 1) if norms else torch.zeros(batch, 0), list(gradients)


def _total(
    outputs: Tensor,  # (batch, classes), or (batch, time, classes)
    targets: Tensor,  # (batch,) or (batch, time)
    loss: str,
) -> Tensor:
    """Return the sum over samples of each sample's loss."""
    if outputs.dim() == 2:
        return cross_entropy(outputs, targets, reduction="sum")
    if loss == "last":
        return cross_entropy(outputs[:, -1], targets[:, -1], reduction="sum")
    return cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="sum") / targets.shape[1]


def _tensors(state: Any) -> Sequence[Tensor]:
    """Return the tensors (batch, ...) that make up a state."""
    if isinstance(state, State) and not isinstance(state, StatevectorState):
        raise InvalidInput(
            f"gradients: the tensors of a {type(state).__name__} depend on the gauge, and so would their gradient; "
            "use --model.backend statevector."
        )
    tensors: Sequence[Tensor] = state.tensors
    return tensors


def _norm(tensors: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Return the norm (batch,) of the gradient in one state, without what would change a quantum state's norm."""
    squares = torch.zeros(len(tensors[0]), dtype=torch.float64)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        h, g = tensor.detach().flatten(1), gradient.flatten(1)
        if h.is_complex():
            g = g - h * (h.conj() * g).sum(1, keepdim=True)
        squares += g.abs().double().square().sum(1).cpu()
    return squares.sqrt()
