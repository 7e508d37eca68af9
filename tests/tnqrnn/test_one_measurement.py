"""A timestep is measured once: attention, controller and head see the same outcomes, within a call and across calls."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Backend
from lightning_modules.tasks.language_modelling.carried_state import plain, restored
from tnqrnn import QRNN, ReadoutNoise
from tnqrnn.cells import create_cell
from tnqrnn.encoder_decoder import EncoderDecoder
from tnqrnn.sequences import SequenceNetwork

BATCH, SOURCE, TARGET, FEATURES = 3, 4, 3, 2
NOISES: dict[str, dict[str, Any]] = {
    "exact": {},
    "shots": {"shots": 20},
    "multinomial": {"shots": 20, "shot_noise": "multinomial", "depolarising": 0.1},
    "depolarising": {"depolarising": 0.3},
}
BACKENDS: dict[str, dict[str, Any]] = {
    "statevector": {},
    "reversible": {"backend_options": {"gradient": "reversible"}},
    "mps": {"backend": "mps", "backend_options": {"max_bond": 2}},
}


@pytest.fixture(params=NOISES)
def noise(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def cell(name: str, noise: str, backend: str, features: int = FEATURES) -> SequenceNetwork:
    return create_cell(name, features, n_qubits=3, angle_scale=1.0, **NOISES[noise], **BACKENDS[backend])


def translator(name: str, noise: str, backend: str, **settings: Any) -> EncoderDecoder:
    torch.manual_seed(0)
    encoder, decoder = (cell(name, noise, backend, features) for features in (FEATURES, FEATURES + 9))
    return EncoderDecoder(encoder, decoder, attention_size=4, **settings)


def sequences() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(BATCH, time, FEATURES, generator=generator) for time in (SOURCE, TARGET))  # type: ignore[return-value]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_attention_and_controller_see_the_same_outcomes(noise: str, backend: str, training: bool) -> None:
    model = translator("qrnn", noise, backend).train(training)
    looked, fed = list[Tensor](), list[Tensor]()
    model.attention.register_forward_pre_hook(lambda _, given: looked.append(given[0]))
    model.decoder.cell.register_forward_pre_hook(lambda _, given: fed.append(given[2]))
    z, end = model(*sequences(), torch.tensor([SOURCE, 1, 2]))
    assert len(looked) == len(fed) == TARGET
    assert all(torch.equal(a, b) for a, b in zip(looked, fed, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(looked[1:], z.unbind(1), strict=False))  # what the head reads
    assert torch.equal(end.state.readouts, z[:, -1])


@pytest.mark.parametrize("name", ["qrnn", "qrb", "reservoir"])
@pytest.mark.parametrize("segment_length", [None, 2])
def test_every_timestep_is_measured_once(
    name: str, segment_length: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the noise nor the backend is asked again, but for the readouts of |0...0> before the first timestep."""
    counts = {"draws": 0, "readouts": 0}
    measure, readout = ReadoutNoise.measure, Backend.readout

    def counted_measure(self: ReadoutNoise, *given: Any) -> Tensor:
        counts["draws"] += 1
        return measure(self, *given)

    def counted_readout(self: Backend[Any], state: Any) -> Tensor:
        counts["readouts"] += 1
        return readout(self, state)

    monkeypatch.setattr(ReadoutNoise, "measure", counted_measure)
    monkeypatch.setattr(Backend, "readout", counted_readout)
    model = translator(name, "shots", "statevector", segment_length=segment_length)
    model(*sequences())
    assert counts == {"draws": SOURCE + TARGET, "readouts": 1}


def test_two_calls_draw_what_one_call_draws(noise: str, backend: str) -> None:
    """In training the draws come one after the other from torch's generator, so that none may be in excess."""
    torch.manual_seed(0)
    model = cell("qrnn", noise, backend)
    x, _ = sequences()
    torch.manual_seed(5)
    whole, _ = model(x)
    torch.manual_seed(5)
    first, state = model(x[:, :2])
    second, _ = model(x[:, 2:], state.detach())
    assert torch.equal(torch.cat([first, second], 1), whole)


def test_single_steps_draw_what_one_call_draws(noise: str, backend: str) -> None:
    torch.manual_seed(0)
    model = cell("qrnn", noise, backend)
    x, _ = sequences()
    torch.manual_seed(5)
    whole, last = model(x)
    torch.manual_seed(5)
    state, pieces = None, []
    for t in range(SOURCE):
        state, z = model.step(x[:, t], state)
        pieces.append(z)
    assert torch.equal(torch.stack(pieces, 1), whole)
    assert torch.equal(state.readouts, last.readouts)


def test_a_sequence_that_ended_hands_on_its_last_outcomes(noise: str) -> None:
    torch.manual_seed(0)
    model = cell("qrnn", noise, "statevector")
    x, _ = sequences()
    lengths = torch.tensor([2, SOURCE, 1])
    z, state = model(x, lengths=lengths)
    assert torch.equal(state.readouts, z[torch.arange(BATCH), lengths - 1])
    chosen = torch.tensor([2, 0])
    assert torch.equal(state[chosen].readouts, state.readouts[chosen])


def test_hypotheses_of_a_beam_keep_their_outcomes() -> None:
    model = translator("qrnn", "shots", "statevector").eval()
    x, y = sequences()
    at, _ = model.step(y[:, 0], model.encode(x))
    chosen = torch.tensor([1, 1, 2, 0])
    assert torch.equal(at[chosen].state.readouts, at.readouts[chosen])


def test_a_foreign_state_that_was_measured_is_refused() -> None:
    """Its outcomes must not reach the controller before the state is looked at."""
    x, _ = sequences()
    small, large = (create_cell("qrnn", FEATURES, n_qubits=n) for n in (2, 3))
    with pytest.raises(ValueError, match="3 qubits"):
        large(x, small(x)[1])


def test_outcomes_survive_a_checkpoint() -> None:
    """Also one written before states kept them: then the state is measured, not given the outcomes of another."""
    model = cell("qrnn", "shots", "statevector")
    assert isinstance(model, QRNN)
    x, _ = sequences()
    state, other = model(x)[1].detach(), model(x[:, :1])[1]
    assert torch.equal(restored(other, plain(state)).readouts, state.readouts)
    older = {name: value for name, value in plain(state).items() if name != "readouts"}
    assert restored(other, older).readouts is None
    assert restored(other, plain(model.backend.initial_state(BATCH))).readouts is None
