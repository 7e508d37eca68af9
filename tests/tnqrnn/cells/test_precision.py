"""Every cell in every precision: readouts in that of the input, the quantum state never below complex64."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from backends import State
from tests.tnqrnn.cells.test_contract import BATCH, FEATURES, LENGTHS, TIME, build
from tnqrnn.attention import AdditiveAttention
from tnqrnn.cells import CELLS

HALVES = [torch.float16, torch.bfloat16]
# In eps: a timestep rounds angles and readouts to nearest, half an eps each, and there are up to eight timesteps.
ROUNDINGS = 8


@pytest.fixture(params=CELLS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def x(dtype: torch.dtype) -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(1)).to(dtype)


def values_and_gradients(cell: nn.Module, call: Callable[[Tensor], Tensor], inputs: Tensor) -> list[Tensor]:
    leaf = inputs.clone().requires_grad_()
    z = call(leaf)
    trained = [parameter for parameter in cell.parameters() if parameter.requires_grad]
    return [z.detach(), *torch.autograd.grad(z.float().square().mean(), [leaf, *trained])]


def assert_close(found: list[Tensor], exact: list[Tensor], dtype: torch.dtype) -> None:
    """To rounding of the largest entry of each tensor: what is added up is of that size."""
    for a, b in zip(found, exact, strict=True):
        assert bool(torch.isfinite(a).all())
        scale = max(1.0, float(b.abs().max()))
        assert float((a.double() - b.double()).abs().max()) <= ROUNDINGS * torch.finfo(dtype).eps * scale


@pytest.mark.parametrize("dtype", [*HALVES, torch.float64], ids=str)
def test_readouts_have_the_dtype_of_the_input(name: str, dtype: torch.dtype) -> None:
    cell = build(name).to(dtype)
    reference = copy.deepcopy(cell).double()  # the same weights, without the roundings in between
    z, state = cell(x(dtype), lengths=LENGTHS)
    assert z.dtype == dtype
    if isinstance(state, State):
        assert state.dtype == (torch.complex128 if dtype == torch.float64 else torch.complex64)
    again, _ = cell(x(dtype), state)
    assert again.dtype == dtype
    inputs = x(dtype)
    found = values_and_gradients(cell, lambda leaf: cell(leaf, lengths=LENGTHS)[0], inputs)
    exact = values_and_gradients(reference, lambda leaf: reference(leaf, lengths=LENGTHS)[0], inputs.double())
    assert all(a.dtype == dtype for a in found)
    assert_close(found, exact, dtype)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16], ids=str)
def test_within_autocast(name: str, given: torch.dtype) -> None:
    """The weights stay in single precision; the input may come from a layer that autocast ran in half."""
    cell, inputs = build(name), x(torch.bfloat16).to(given)

    def call(leaf: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            z, state = cell(leaf)
            again, _ = cell(leaf, state)
        assert z.dtype == again.dtype == given
        assert all(tensor.dtype in (torch.float32, torch.complex64) for tensor in state.tensors)
        return torch.cat([z, again], 1)

    found = values_and_gradients(cell, call, inputs)

    def exactly(leaf: Tensor) -> Tensor:
        z, state = cell(leaf)
        return torch.cat([z, cell(leaf, state)[0]], 1)

    assert_close(found, values_and_gradients(cell, exactly, inputs.float()), torch.bfloat16)


ENGINES = {
    "statevector-kernel": ("statevector", {}),
    "statevector-contraction": ("statevector", {"engine": "contraction"}),
    "mps-kernel": ("mps", {"max_bond": 2}),
    "mps-contraction": ("mps", {"max_bond": 2, "engine": "contraction"}),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_autocast_does_not_reach_the_simulation(engine: str) -> None:
    """Without a controller the readouts follow from the angles alone, which autocast leaves in single precision."""
    backend, options = ENGINES[engine]
    network = build("qrb", n_qubits=4, topology="chain", backend=backend, backend_options=options)
    backend_of = network.backend
    angles = torch.randn(BATCH, backend_of.n_angles, generator=torch.Generator().manual_seed(1))
    state = backend_of.initial_state(BATCH)
    expected, z = backend_of.step(state, angles)
    with torch.autocast("cpu", torch.bfloat16):
        found, read = backend_of.step(state, angles)
        again = backend_of.readout(found)
    assert torch.equal(read, z)
    assert torch.equal(again, backend_of.readout(expected))


def test_attention_in_half_precision() -> None:
    attention = AdditiveAttention(2, 2, 3).to(torch.bfloat16)
    values = torch.ones(BATCH, TIME, 2, dtype=torch.bfloat16)
    context, weights = attention(values[:, 0], attention.memorise(values, LENGTHS))
    assert context.dtype == weights.dtype == torch.bfloat16
