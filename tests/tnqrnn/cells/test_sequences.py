"""Sequences of different lengths: padded with anything, packed as torch packs them, their lengths on any device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tests.backends.cases import largest
from tests.backends.test_refusals import refused
from tests.tnqrnn.cells.test_contract import BATCH, FEATURES, LENGTHS, ROUNDING, TIME, build
from tnqrnn.attention import AdditiveAttention
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.encoder_decoder import EncoderDecoder
from tnqrnn.sequences import without_padding

PADDED = torch.arange(TIME) >= LENGTHS[:, None]


@pytest.fixture(params=CELLS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(1))


def values_and_gradients(cell: nn.Module, leaf: Tensor) -> list[Tensor]:
    z, state = cell(leaf, lengths=LENGTHS)
    trained = [parameter for parameter in cell.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(z.square().sum(), [leaf, *trained])
    return [z, *state.tensors, *gradients]


@pytest.mark.parametrize("filling", [float("nan"), float("inf"), -3e38])
def test_what_stands_in_the_padding_is_ignored(name: str, x: Tensor, filling: float) -> None:
    cell = build(name)
    zeros, filled = (torch.where(PADDED[..., None], value, x).requires_grad_() for value in (0.0, filling))
    expected, found = values_and_gradients(cell, zeros), values_and_gradients(cell, filled)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(bool(torch.isfinite(tensor.abs()).all()) for tensor in found)


def test_noise_does_not_depend_on_the_padding(x: Tensor) -> None:
    """In evaluation the draws follow from the sequences: from what counts of them."""
    cell = build("qrnn", shots=20).eval()
    found = [cell(torch.where(PADDED[..., None], value, x), lengths=LENGTHS)[0] for value in (0.0, float("nan"))]
    assert torch.equal(*found)


def test_nan_within_a_sequence_is_refused(name: str, x: Tensor) -> None:
    x[0, 1] = float("nan")
    refused(lambda: build(name)(x, lengths=LENGTHS), "NaN")


def test_attention_ignores_nan_in_the_padding() -> None:
    attention = AdditiveAttention(2, 2, 3)
    values = torch.randn(BATCH, TIME, 2, generator=torch.Generator().manual_seed(1))
    results = []
    for filling in (0.0, float("nan")):
        leaf = torch.where(PADDED[..., None], filling, values).requires_grad_()
        context, _ = attention(torch.ones(BATCH, 2), attention.memorise(leaf, LENGTHS))
        results.append((context, *torch.autograd.grad(context.sum(), [leaf, *attention.parameters()])))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


# Packed sequences.


@pytest.mark.parametrize("sorted_before", [False, True])
def test_packed_sequences_go_in_and_out(name: str, x: Tensor, sorted_before: bool) -> None:
    lengths = LENGTHS.sort(descending=True).values if sorted_before else LENGTHS
    cell = build(name)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=sorted_before)
    z, state = cell(packed)
    expected, last = cell(x, lengths=lengths)
    assert isinstance(z, PackedSequence)
    # The layout that torch's own network gives back, so that they can be exchanged.
    own, _ = nn.LSTM(FEATURES, cell.output_size, batch_first=True)(packed)
    for part in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        found, wanted = getattr(z, part), getattr(own, part)
        assert wanted is None if found is None else torch.equal(found, wanted)
    assert z.data.shape == own.data.shape
    padded, read = pad_packed_sequence(z, batch_first=True, total_length=TIME)
    assert torch.equal(read, lengths)
    assert largest(padded - expected) <= ROUNDING
    assert all(largest(a - b) <= ROUNDING for a, b in zip(state.tensors, last.tensors, strict=True))


def test_packed_sequences_have_their_lengths(name: str, x: Tensor) -> None:
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    refused(lambda: build(name)(packed, lengths=LENGTHS), "PackedSequence", "lengths", "leave")


def test_an_encoder_reads_packed_sequences(x: Tensor) -> None:
    torch.manual_seed(0)
    cells = create_cell("qrnn", FEATURES, n_qubits=2), create_cell("qrnn", FEATURES + 6, n_qubits=2)
    model, y = EncoderDecoder(*cells, attention_size=4), torch.ones(BATCH, 2, FEATURES)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    assert torch.equal(model(packed, y)[0], model(x, y, LENGTHS)[0])


# Where the lengths are.


def test_lengths_may_lie_on_another_device() -> None:
    """As torch's own networks want them: on the CPU beside values elsewhere ("meta" holds shapes, no numbers)."""
    values = torch.ones(BATCH, TIME, FEATURES, device="meta")
    assert without_padding(values, LENGTHS).device == values.device
    attention = AdditiveAttention(2, FEATURES, 3).to("meta")
    memory = attention.memorise(values, LENGTHS)
    assert memory.counts.device == memory.values.device == values.device


@pytest.mark.gpu
@pytest.mark.parametrize("lengths_on", ["cpu", "cuda"])
def test_lengths_beside_a_model_on_a_gpu(name: str, x: Tensor, lengths_on: str) -> None:
    cell = build(name).to("cuda")
    z, _ = cell(x.to("cuda"), lengths=LENGTHS.to(lengths_on))
    expected, _ = build(name)(x, lengths=LENGTHS)
    # torch's LSTM and GRU multiply in TF32 on a GPU: 10 bits.
    assert largest(z.cpu() - expected) <= 1e-2
