"""A state that is written to in place after a step: the gradient is right, or the backward is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Circuit, StatevectorBackend
from tests.backends.cases import Setting, random_angles

SETTINGS = (
    Setting("statevector", {"engine": "kernel"}),
    Setting("statevector", {"engine": "contraction"}),
    Setting("statevector", {"gradient": "reversible"}),
    Setting("mps", {"max_bond": None}),
    Setting("mps", {"max_bond": 2}),
    Setting("mps", {"max_bond": 2, "engine": "contraction"}),
)
CIRCUIT = Circuit(4).ry(0).ry(1).ry(2).ry(3).crx(0, 1).crx(1, 2).crx(2, 3)
TIMESTEPS = 3


def scaled(tensor: Tensor, *, in_place: bool) -> Tensor:
    """Every number times another factor: no unitary undoes it."""
    factors = torch.linspace(0.2, 1, tensor.shape[1], dtype=torch.float64)
    return tensor.mul_(factors) if in_place else tensor * factors


def gradient(setting: Setting, step: int, *, in_place: bool) -> Tensor:
    """Of readouts and amplitudes, in all angles, where the state after `step` is scaled and goes on."""
    backend = setting.create(CIRCUIT)
    angles = random_angles(CIRCUIT, TIMESTEPS, 2).requires_grad_()
    state, losses = backend.initial_state(2), []
    for t in range(TIMESTEPS):
        state, z = backend.step(state, angles[t])
        losses.append((z * torch.linspace(-1, 1, 12)).sum())
        if t == step:
            numbers, *rest = state.tensors
            other = scaled(numbers, in_place=in_place)
            state = state if in_place else state._replace([other, *rest])
    losses.append(backend.to_dense(state).real.sum())
    return torch.autograd.grad(sum(losses), angles)[0]


def unless_refused(run: Callable[[], Tensor]) -> Tensor | None:
    """What `run` returns, or None where it is refused for a write in place."""
    try:
        return run()
    except RuntimeError as error:
        if "place" not in str(error):
            raise
        return None


@pytest.mark.parametrize("step", range(TIMESTEPS))
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_write_on_the_way(setting: Setting, step: int) -> None:
    found = unless_refused(lambda: gradient(setting, step, in_place=True))
    if found is not None:
        torch.testing.assert_close(found, gradient(setting, step, in_place=False), rtol=0, atol=1e-12)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("written", range(TIMESTEPS + 1))
def test_a_write_behind_the_run(setting: Setting, written: int) -> None:
    """As of a buffer that is used again, before the backward: whoever needs what stood there must say so."""
    backend = setting.create(CIRCUIT)
    angles = random_angles(CIRCUIT, TIMESTEPS, 2).requires_grad_()

    def run(write: bool) -> Tensor:
        states: list[Any] = [backend.initial_state(2)]
        total = torch.zeros((), dtype=torch.float64)
        for step in angles:
            state, z = backend.step(states[-1], step)
            states.append(state)
            total = total + (z * torch.linspace(-1, 1, 12)).sum()
        if write:
            with torch.no_grad():
                scaled(states[written].tensors[0], in_place=True)
        return torch.autograd.grad(total, angles)[0]

    found = unless_refused(lambda: run(True))
    if found is not None:
        torch.testing.assert_close(found, run(False), rtol=0, atol=1e-12)


def test_the_refusal_of_a_reversible_run_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"reversible.* written to in place.* write to a copy"):
        gradient(Setting("statevector", {"gradient": "reversible"}), 1, in_place=True)


def test_a_reversible_run_may_write_to_what_it_recovers() -> None:
    """The first of two states is recovered from the second: writing to it costs nothing, and refuses nothing."""
    backend = StatevectorBackend(CIRCUIT, dtype=torch.complex128, gradient="reversible")
    angles = random_angles(CIRCUIT, 2, 2).requires_grad_()
    first, z = backend.step(backend.initial_state(2), angles[0])
    _, last = backend.step(first, angles[1])
    expected = torch.autograd.grad((z + 2 * last).sum(), angles, retain_graph=True)[0]
    with torch.no_grad():
        first.amplitudes.zero_()
    found = torch.autograd.grad((z + 2 * last).sum(), angles)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
