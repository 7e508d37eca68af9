"""The encoder's state is where the decoder starts, whatever the cell."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backends.errors import InvalidInput
from tnqrnn.cells import create_cell
from tnqrnn.encoder_decoder import EncoderDecoder

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "statevector": ("qrnn", {"backend": "statevector", "angle_scale": 1.0}),
    "mps": ("qrnn", {"backend": "mps", "angle_scale": 1.0, "backend_options": {"max_bond": None}}),
    "lstm": ("lstm", {}),
}
FEATURES = 3


@pytest.fixture(params=CELLS)
def model(request: pytest.FixtureRequest) -> EncoderDecoder:
    torch.manual_seed(0)
    name, settings = CELLS[request.param]
    encoder = create_cell(name, FEATURES, n_qubits=2, **settings)
    decoder = create_cell(name, FEATURES + encoder.output_size, n_qubits=2, **settings)
    return EncoderDecoder(encoder, decoder, attention_size=4)


def drawn(batch: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(batch, 4, FEATURES, generator=generator)
    return x, torch.randn(batch, 3, FEATURES, generator=generator), torch.tensor([4, 2, 3][:batch])


def test_equations(model: EncoderDecoder) -> None:
    x, y, _ = drawn()
    z, end = model(x, y)
    encoded, state = model.encoder(x)
    memory = model.attention.memorise(encoded)
    before = encoded[:, -1]
    for t in range(3):
        context, _ = model.attention(before, memory)
        readouts, state = model.decoder(torch.cat([y[:, t], context], 1)[:, None], state)
        before = readouts[:, 0]
        torch.testing.assert_close(z[:, t], before)
    torch.testing.assert_close(end.readouts, before)


def test_padding_changes_nothing(model: EncoderDecoder) -> None:
    x, y, lengths = drawn()
    together, _ = model(x, y, lengths)
    for sample, length in enumerate(lengths.tolist()):
        alone, _ = model(x[sample : sample + 1, :length], y[sample : sample + 1])
        torch.testing.assert_close(together[sample], alone[0], rtol=1e-4, atol=1e-5)


def test_the_encoder_is_reached_through_the_state_alone(model: EncoderDecoder) -> None:
    """With its memory and its last readouts held fixed, only the handed-over state can carry a gradient."""
    x, y, lengths = drawn()
    at = model.encode(x, lengths)
    fixed = type(at)(at.state, at.readouts.detach(), type(at.memory)(*(t.detach() for t in vars(at.memory).values())))
    after, _ = model.step(y[:, 0], fixed)
    after.readouts.square().sum().backward()
    gradients = [parameter.grad for parameter in model.encoder.parameters()]
    assert any(gradient is not None and gradient.abs().max() > 1e-6 for gradient in gradients)


def test_hypotheses_can_be_chosen_from(model: EncoderDecoder) -> None:
    x, y, lengths = drawn()
    at, _ = model.step(y[:, 0], model.encode(x, lengths))
    chosen = torch.tensor([1, 1, 2, 0])
    some, _ = model.step(y[chosen, 1], at[chosen])
    everything, _ = model.step(y[:, 1], at)
    torch.testing.assert_close(some.readouts, everything.readouts[chosen])


def test_backends_agree() -> None:
    """Two qubits need a bond of 2, so nothing is truncated."""
    results = []
    for name in ("statevector", "mps"):
        torch.manual_seed(0)
        kind, settings = CELLS[name]
        encoder = create_cell(kind, FEATURES, n_qubits=2, **settings)
        decoder = create_cell(kind, FEATURES + 6, n_qubits=2, **settings)
        x, y, lengths = drawn()
        results.append(EncoderDecoder(encoder, decoder, attention_size=4)(x, y, lengths)[0])
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_cells_of_different_sizes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="build both with one size"):
        EncoderDecoder(create_cell("gru", 2, hidden_size=3), create_cell("gru", 5, hidden_size=4), attention_size=2)
