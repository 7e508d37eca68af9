"""Segments of timesteps that are computed again: the same values, the same gradients, less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from studies.saved import stored_for_backward
from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz, ReadoutNoise
from tnqrnn.cells import create_cell
from tnqrnn.encoder_decoder import EncoderDecoder
from tnqrnn.segments import segments

BATCH, TIME, FEATURES, QUBITS = 3, 7, 2, 5
LENGTHS = torch.tensor([4, TIME, 1])
BACKENDS: dict[str, dict[str, Any]] = {
    "statevector": {"backend": "statevector"},
    "contraction": {"backend": "statevector", "backend_options": {"engine": "contraction"}},
    "mps": {"backend": "mps", "backend_options": {"max_bond": 2}},
}
NOISES = {
    "exact": None,
    "shots": ReadoutNoise(shots=20, kind="gaussian"),
    "multinomial": ReadoutNoise(shots=20, kind="multinomial", depolarising=0.1),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def x() -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(1))


def build(backend: str, segment_length: int | None, **arguments: Any) -> QRNN:
    torch.manual_seed(0)
    settings = {**BACKENDS[backend], "controller_width": 6, "angle_scale": 1.0, **arguments}
    topology = settings.pop("topology", "brickwork" if backend == "mps" else "ring")
    return QRNN(FEATURES, Ansatz(QUBITS, topology=topology), segment_length=segment_length, **settings)


def trained(model: torch.nn.Module, call: Callable[[], tuple[Tensor, Any]]) -> tuple[Tensor, list[Tensor]]:
    """Readouts and gradients of a training step, with draws from a known seed."""
    torch.manual_seed(5)
    z, _ = call()
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(2))
    return z.detach(), list(torch.autograd.grad((weights * z).sum() + z.square().sum(), list(model.parameters())))


def assert_same(found: tuple[Tensor, list[Tensor]], expected: tuple[Tensor, list[Tensor]]) -> None:
    assert torch.equal(found[0], expected[0])
    assert any(gradient.abs().max() > 1e-3 for gradient in expected[1])
    # The same numbers; autograd may add up those of the timesteps in another order.
    torch.testing.assert_close(found[1], expected[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("segment_length", [1, 3, 100])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_values_and_gradients_are_those_of_keeping_everything(
    backend: str, segment_length: int, lengths: Tensor | None
) -> None:
    whole, parts = build(backend, None), build(backend, segment_length)
    expected, found = (trained(model, lambda m=model: m(x(), None, lengths)) for model in (whole, parts))  # type: ignore[misc]
    assert_same(found, expected)


@pytest.mark.parametrize("engine", ["kernel", "contraction"])
def test_a_ring_of_the_mps(engine: str) -> None:
    options = {**BACKENDS["mps"]["backend_options"], "engine": engine}
    models = [build("mps", length, topology="ring", backend_options=options) for length in (None, 2)]
    expected, found = (trained(model, lambda m=model: m(x())) for model in models)  # type: ignore[misc]
    assert_same(found, expected)


@pytest.mark.parametrize("backend", ["statevector", "mps"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_what_is_drawn_is_drawn_again(backend: str, noise: str, training: bool) -> None:
    """Dropout and shots of training come from torch's generator, shots of evaluation from a generator of the call."""
    models = [build(backend, length, dropout=0.5, noise=NOISES[noise]).train(training) for length in (None, 2)]
    expected, found = (trained(model, lambda m=model: m(x())) for model in models)  # type: ignore[misc]
    assert_same(found, expected)
    after = [torch.get_rng_state() for _ in models if trained(_, lambda m=_: m(x()))]  # type: ignore[misc]
    assert torch.equal(*after)  # what comes after a training step draws the same, too


def test_a_state_goes_in_and_out(backend: str) -> None:
    model, whole = build(backend, 2), build(backend, None)
    inputs = x().requires_grad_()
    _, state = model(inputs[:, :3])
    z, end = model(inputs[:, 3:], state)
    expected, last = whole(inputs)
    assert torch.equal(z, expected[:, 3:])
    assert all(torch.equal(a, b) for a, b in zip(end.tensors, last.tensors, strict=True))
    losses = [model.backend.fidelity(s, model.backend.initial_state(BATCH)).sum() for s in (end, last)]
    found, exact = (torch.autograd.grad(loss, inputs)[0] for loss in losses)
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["qrnn", "lstm"])
def test_encoder_and_decoder(name: str) -> None:
    settings = {"n_qubits": 3, "dropout": 0.3} | ({"angle_scale": 1.0} if name == "qrnn" else {})
    results = []
    for length in (None, 2):
        torch.manual_seed(0)
        own = {"segment_length": length} if name == "qrnn" else {}
        encoder = create_cell(name, FEATURES, **settings, **own)
        decoder = create_cell(name, FEATURES + encoder.output_size, **settings, **own)
        model = EncoderDecoder(encoder, decoder, attention_size=4, segment_length=length)
        y = torch.randn(BATCH, 5, FEATURES, generator=torch.Generator().manual_seed(3))
        results.append(trained(model, lambda m=model, y=y: m(x(), y, LENGTHS)))  # type: ignore[misc]
    assert_same(results[1], results[0])


@pytest.mark.parametrize("name", ["qrb", "reservoir"])
def test_other_quantum_cells(name: str) -> None:
    results = []
    for length in (None, 3):
        torch.manual_seed(0)
        inputs = x().requires_grad_()
        cell = create_cell(name, FEATURES, n_qubits=3, angle_scale=1.0, dropout=0.2, segment_length=length)
        torch.manual_seed(1)
        z, _ = cell(inputs)
        results.append((z.detach(), list(torch.autograd.grad(z.square().sum(), inputs))))
    assert_same(results[1], results[0])


def test_less_is_kept(backend: str) -> None:
    """Of 64 timesteps, those of one segment; without a gradient, nothing."""
    inputs = torch.randn(BATCH, 64, FEATURES)
    kept = {}
    for length in (None, 8):
        with stored_for_backward() as stored:
            build(backend, length)(inputs)
        kept[length] = stored.bytes
    assert kept[8] < kept[None] / 8
    with torch.no_grad(), stored_for_backward() as stored:
        build(backend, 8)(inputs)
    assert stored.bytes == 0


def test_segments_cover_every_timestep_once() -> None:
    assert segments(7, 3) == [range(3), range(3, 6), range(6, 7)]
    assert segments(7, None) == segments(7, 7) == segments(7, 100) == [range(7)]


def test_refusals() -> None:
    for wrong in (0, -1, 2.0, True, "3"):
        refused(lambda wrong=wrong: build("mps", wrong), "QRNN: segment_length", repr(wrong))  # type: ignore[misc]
    refused(lambda: EncoderDecoder(build("mps", 2), build("mps", 2), 4, 0), "encoder-decoder: segment_length")
    options = {"gradient": "reversible"}
    refused(lambda: build("statevector", 2, backend_options=options), "segment_length 2", "reversible")
    refused(lambda: create_cell("lstm", 2, segment_length=3), "'lstm' does not use segment_length", "qrnn")
    refused(lambda: create_cell("qlstm", 2, segment_length=3), "'qlstm' does not use segment_length", "qrnn")


def test_a_start_that_is_written_to_before_the_backward_is_refused(backend: str) -> None:
    """The first segment starts from it again: the gradient would be that of another start."""
    model = build(backend, 3)
    start = model.backend.initial_state(BATCH)
    z, _ = model(x(), start)
    with torch.no_grad():
        start.tensors[0].mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
