"""`QRNN` is used as torch.nn.LSTM is, whatever holds its state."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import oracle
from tests.backends.cases import gate_tuples, largest
from tests.tolerances import readout_tolerance
from tnqrnn import QRNN, Ansatz, Circuit
from tnqrnn.controllers import CONTROLLERS

BATCH, TIME, FEATURES, QUBITS = 3, 5, 2, 4
BACKENDS: dict[str, dict[str, Any]] = {
    "statevector": {"backend": "statevector"},
    "mps": {"backend": "mps", "backend_options": {"max_bond": None}},
    "mps-2": {"backend": "mps", "backend_options": {"max_bond": 2}},
}
EXACT = ("statevector", "mps")


def build(backend: str, seed: int = 0, **arguments: Any) -> QRNN:
    torch.manual_seed(seed)
    arguments = {
        "input_size": FEATURES,
        "ansatz": Ansatz(QUBITS),
        "controller_width": 6,
        "angle_scale": 1.0,
    } | arguments
    return QRNN(**arguments, **BACKENDS[backend])


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(1))


def by_hand(model: QRNN, x: Tensor) -> Tensor:
    """The recursion of `tnqrnn/qrnn.py`, with the model's controller and the oracle's circuit."""
    psi = oracle.zero_state(QUBITS, len(x))
    z, readouts = oracle.readouts(psi), []
    for t in range(x.shape[1]):
        angles = model.cell.controller(torch.cat([x[:, t], z.to(x.dtype)], -1))
        psi = oracle.evolve(gate_tuples(model.cell.circuit), psi, angles)
        z = oracle.readouts(psi)
        readouts.append(z)
    return torch.stack(readouts, 1)


@pytest.mark.parametrize("backend", EXACT)
@pytest.mark.parametrize("controller", CONTROLLERS)
def test_the_recursion(backend: str, controller: str, x: Tensor) -> None:
    model = build(backend, controller=controller).double()
    expected = by_hand(model, x.double())
    found, _ = model(x.double())
    assert largest(found - expected) <= readout_tolerance(torch.complex128, 12 * TIME)
    weights = torch.linspace(-1, 1, found.numel(), dtype=torch.float64).reshape(found.shape)
    gradients = [torch.autograd.grad((weights * z).sum(), list(model.parameters())) for z in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-9)


def test_shapes_are_those_of_an_lstm(backend: str, x: Tensor) -> None:
    model = build(backend)
    z, state = model(x)
    lstm = torch.nn.LSTM(FEATURES, model.output_size, batch_first=True)
    assert z.shape == lstm(x)[0].shape == (BATCH, TIME, 3 * QUBITS)
    assert state.batch_size == BATCH
    assert state.n_qubits == QUBITS
    assert largest(model.backend.readout(state) - z[:, -1]) <= readout_tolerance(torch.complex64, 1)
    assert (z.dtype, state.dtype) == (torch.float32, torch.complex64)


def test_continuing_equals_one_call(backend: str, x: Tensor) -> None:
    model = build(backend)
    whole, last = model(x)
    state, pieces = None, []
    for part in x.split([2, 1, 2], dim=1):
        z, state = model(part, state)
        pieces.append(z)
    assert torch.equal(torch.cat(pieces, 1), whole)
    assert all(torch.equal(a, b) for a, b in zip(state.tensors, last.tensors, strict=True))
    parameters = list(model.parameters())
    split, once = (torch.autograd.grad(z.square().sum(), parameters) for z in (torch.cat(pieces, 1), whole))
    # Autograd adds up a parameter's timesteps in an order that depends on the graph.
    torch.testing.assert_close(split, once, rtol=1e-5, atol=1e-5)


def test_detach_cuts_the_graph(backend: str, x: Tensor) -> None:
    model = build(backend)
    early = x[:, :2].clone().requires_grad_()
    _, state = model(early)
    through, _ = model(x[:, 2:], state)
    cut, _ = model(x[:, 2:], state.detach())
    assert torch.equal(through, cut)
    assert largest(torch.autograd.grad(through.sum(), early, retain_graph=True)[0]) > 0
    assert torch.autograd.grad(cut.sum(), early, allow_unused=True)[0] is None


# Lengths.

LENGTHS = torch.tensor([3, TIME, 1])


def test_a_shorter_sequence_ends_where_it_ends(backend: str, x: Tensor) -> None:
    model = build(backend)
    z, state = model(x, lengths=LENGTHS)
    for k, length in enumerate(LENGTHS.tolist()):
        alone, last = model(x[k : k + 1, :length])
        tolerance = readout_tolerance(torch.complex64, 12 * TIME)
        assert largest(z[k, :length] - alone[0]) <= tolerance
        assert largest(z[k, length:].sum()) == 0
        assert largest(model.backend.fidelity(state[k], last) - 1) <= tolerance
        assert largest(model.backend.readout(state)[k] - alone[0, -1]) <= tolerance
        assert largest(state.truncation_error[k] - last.truncation_error[0]) <= tolerance


def test_full_lengths_change_nothing(backend: str, x: Tensor) -> None:
    model = build(backend)
    assert torch.equal(model(x, lengths=torch.full((BATCH,), TIME))[0], model(x)[0])


def test_padding_has_no_influence(backend: str, x: Tensor) -> None:
    model = build(backend)
    padded = torch.arange(TIME) >= LENGTHS[:, None]
    results = []
    for filling in (0.0, 1e3):
        leaf = torch.where(padded[..., None], filling, x).requires_grad_()
        z, state = model(leaf, lengths=LENGTHS)
        loss = z.square().sum() + model.backend.readout(state).sum()
        results.append((z, *torch.autograd.grad(loss, [leaf, *model.parameters()])))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert largest(results[0][1][padded]) == 0


def test_lengths_after_an_earlier_state(backend: str, x: Tensor) -> None:
    """A continued state, and one that no step has touched, stay with the sequences that end first."""
    model = build(backend)
    _, state = model(x[:, :2])
    for start in (state, model.backend.initial_state(BATCH)):
        z, last = model(x[:, 2:], start, torch.tensor([1, 3, 2]))
        alone, _ = model(x[:1, 2:3], start[0])
        assert largest(z[0, 0] - alone[0, 0]) <= readout_tolerance(torch.complex64, 12 * TIME)
        assert largest(model.backend.readout(last)[0] - z[0, 0]) <= readout_tolerance(torch.complex64, 12)


# Parameters do not know the backend.


def test_a_checkpoint_loads_into_every_backend(x: Tensor) -> None:
    models = {name: build(name, seed=seed) for seed, name in enumerate(BACKENDS)}
    saved = io.BytesIO()
    torch.save(models["mps"].state_dict(), saved)
    reference, expected = models["mps"].state_dict(), models["mps"](x)[0]
    for name, model in models.items():
        assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in reference.items()}
        saved.seek(0)
        model.load_state_dict(torch.load(saved, weights_only=True))
        if name in EXACT:
            assert largest(model(x)[0] - expected) <= readout_tolerance(torch.complex64, 12 * TIME)


def test_the_state_follows_the_precision_of_the_parameters(backend: str, x: Tensor) -> None:
    model = build(backend)
    single = model(x)[0]
    z, state = model.double()(x.double())
    assert (z.dtype, state.dtype) == (torch.float64, torch.complex128)
    if backend in EXACT:
        assert largest(z - single) <= readout_tolerance(torch.complex64, 12 * TIME)
    assert model.float()(x)[1].dtype == torch.complex64


def test_a_dtype_of_its_own(x: Tensor) -> None:
    model = QRNN(FEATURES, Ansatz(QUBITS), backend_options={"dtype": torch.complex128})
    z, state = model(x)
    assert state.dtype == torch.complex128
    z.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_copies(backend: str, x: Tensor) -> None:
    model = build(backend)
    expected = model(x)[0]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(x)[0], expected)
        with torch.no_grad():
            next(twin.parameters()).add_(1)
        assert not torch.equal(twin(x)[0], expected)
    assert torch.equal(model(x)[0], expected)


def test_dropout_acts_in_training_only(backend: str, x: Tensor) -> None:
    model = build(backend, dropout=0.5)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
    assert torch.equal(model(x)[0], build(backend)(x)[0])


def test_any_circuit_is_an_ansatz(backend: str, x: Tensor) -> None:
    circuit = Circuit(5).h(0).u3(1).cry(3, 0).swap(4, 2).rzz(1, 4)
    model = build(backend, ansatz=circuit)
    assert model(x)[0].shape == (BATCH, TIME, 15)
    assert model.cell.controller.output.out_features == 5


def test_evaluating_first_does_not_spoil_training(backend: str, x: Tensor) -> None:
    model = build(backend)
    with torch.inference_mode():
        model(x)
    model(x)[0].sum().backward()


def test_it_says_what_it_is(backend: str) -> None:
    text = repr(build(backend))
    assert "n_qubits=4" in text
    assert BACKENDS[backend]["backend"] in text


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_training_reduces_a_loss(controller: str, backend: str) -> None:
    """Recall of the sign that a sequence began with, from its last readouts."""
    generator = torch.Generator().manual_seed(2)
    x = torch.zeros(16, 3, 1)
    x[:, 0, 0] = torch.randn(16, generator=generator).sign()
    model = build(backend, input_size=1, controller=controller, ansatz=Ansatz(3), angle_scale=0.5)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(12):
        z, _ = model(x)
        loss = (z[:, -1, -1] - x[:, 0, 0]).square().mean()  # Z of the last qubit
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
