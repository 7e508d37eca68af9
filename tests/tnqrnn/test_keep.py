"""With `keep`, an input that is all zero leaves state and gradient as they are, however often it comes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from backends.circuits.gates import GATES
from tests.backends.cases import largest
from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz, Circuit, create_cell

BACKENDS: dict[str, dict[str, Any]] = {
    "statevector": {},
    "reversible": {"backend_options": {"gradient": "reversible"}},
    "mps": {"backend": "mps", "backend_options": {"max_bond": None}},
    "truncating": {"backend": "mps", "backend_options": {"max_bond": 2}},
}
FEATURES, BLANKS = 2, 1000
# Readouts of order one in single precision.
ROUNDING = 1e-5


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def model(backend: str, **settings: Any) -> QRNN:
    torch.manual_seed(0)
    given = {"controller_width": 4, "angle_scale": 1.0, "precession": 0.7, "keep": True} | settings
    return QRNN(FEATURES, Ansatz(4), **given, **BACKENDS[backend])


def inputs(time: int = 3) -> Tensor:
    return torch.randn(2, time, FEATURES, generator=torch.Generator().manual_seed(1))


def test_a_thousand_blanks_change_neither_state_nor_gradient(backend: str) -> None:
    found = []
    for blanks in (0, BLANKS):
        network, x = model(backend), inputs().requires_grad_()
        z, state = network(torch.cat([x, torch.zeros(2, blanks, FEATURES)], 1))
        state, read = network.step(inputs(1)[:, 0], state.measured(None))  # a loss that only the state carries
        found.append((state.tensors, torch.autograd.grad(read.sum(), [x, *network.parameters()]), z[:, 2:]))
    (states, gradients, _), (later, passed, z) = found
    assert all(torch.equal(a, b) for a, b in zip(states, later, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(gradients, passed, strict=True))
    assert all(largest(gradient) > 0 for gradient in gradients)
    assert largest(z - z[:, :1]) <= ROUNDING


def test_without_it_blanks_are_inputs_like_others(backend: str) -> None:
    z, _ = model(backend, keep=False)(torch.zeros(2, 5, FEATURES))
    assert largest(z[:, -1] - z[:, 0]) > 1e-2


def test_each_sample_is_left_alone_by_itself(backend: str) -> None:
    network, x = model(backend), inputs(5)
    blank = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1]], dtype=torch.bool)
    whole, state = network(x.masked_fill(blank[..., None], 0))
    for k in range(2):
        alone, last = network(x[k : k + 1, ~blank[k]])
        assert largest(whole[k, ~blank[k]] - alone[0]) <= ROUNDING
        assert all(largest(a - b) <= ROUNDING for a, b in zip(state[k].tensors, last.tensors, strict=True))


def test_backends_agree_in_value_and_gradient() -> None:
    found = []
    for backend in ("statevector", "reversible", "mps"):
        network, x = model(backend).double(), inputs(6).double()
        x[0, 1:4] = x[1, 3:] = 0
        z, _ = network(x.requires_grad_())
        found.append([z, *torch.autograd.grad(z.square().sum(), [x, *network.parameters()])])
    for other in found[1:]:
        assert all(largest(a - b) <= 1e-10 for a, b in zip(found[0], other, strict=True))


def test_gates_with_angles_are_the_identity_at_zero() -> None:
    parametrised = [(name, spec) for name, spec in GATES.items() if spec.n_angles]
    assert len(parametrised) > 10
    for name, spec in parametrised:
        circuit = Circuit(2).append(name, *range(spec.n_qubits))
        network = QRNN(FEATURES, circuit, keep=True, angle_scale=1.0)
        z, state = network(torch.zeros(1, 2, FEATURES))
        assert torch.equal(state.tensors[0], network.backend.initial_state(1).tensors[0]), name
        assert torch.equal(z[:, 0], network.backend.readout(network.backend.initial_state(1))), name


def test_gates_without_angles_are_refused() -> None:
    refused(lambda: QRNN(FEATURES, Ansatz(3, entangler="cx"), keep=True), "QRNN", "keep", "cx on qubits (0, 1)")
    refused(lambda: create_cell("reservoir", FEATURES, n_qubits=2, rotations=("h", "ry"), keep=True), "keep", "h on")
    refused(lambda: create_cell("qrb", FEATURES, keep=True), "'qrb' does not use keep", "qrnn, reservoir")
