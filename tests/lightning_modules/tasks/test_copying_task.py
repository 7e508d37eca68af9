"""Copying memory: the sequences, the baseline, and what is scored."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from backends.errors import InvalidInput
from lightning_modules.tasks.copying.data import CopyingData, CopyingSequences
from lightning_modules.tasks.copying.task import CopyingMemory, memoryless_loss


def test_layout_of_a_sequence() -> None:
    data = CopyingData(delay=5)
    inputs, targets = data.dataset("val")[[0, 1, 2]]
    ids = inputs.argmax(-1)
    assert inputs.shape == (3, 25, 10) == (3, data.sequence_length, data.input_size)
    assert torch.equal(inputs.sum(-1), torch.ones(3, 25))
    assert ((ids[:, :10] >= 1) & (ids[:, :10] <= 8)).all()
    assert (ids[:, 10:15] == 0).all()
    assert (ids[:, 15] == 9).all()
    assert (ids[:, 16:] == 0).all()
    assert (targets[:, :15] == 0).all()
    assert torch.equal(targets[:, 15:], ids[:, :10])


def test_a_sample_is_a_function_of_its_key_and_number() -> None:
    samples = CopyingSequences((7, 0), delay=3, size=100)
    together = samples.symbols([4, 90, 17])
    for row, number in zip(together, (4, 90, 17), strict=True):
        assert torch.equal(samples.symbols([number])[0], row)
    assert not torch.equal(samples.symbols([4]), CopyingSequences((8, 0), delay=3, size=100).symbols([4]))


def test_symbols_are_uniform_and_independent() -> None:
    symbols = CopyingSequences((0, 0), delay=1, size=1).symbols(list(range(8000)))
    counts = torch.stack([(symbols == k).sum(0) for k in range(1, 9)]).double()
    # Chi squared of 10 positions with 7 degrees of freedom each: mean 70, standard deviation 12.
    assert ((counts - 1000) ** 2 / 1000).sum() < 130
    pairs = torch.bincount(8 * (symbols[:, 0] - 1) + symbols[:, 1] - 1, minlength=64).double()
    assert ((pairs - 125) ** 2 / 125).sum() < 63 + 5 * math.sqrt(126)


def test_training_is_fresh_and_evaluation_fixed() -> None:
    data, other = CopyingData(seed=0, steps_per_epoch=2, batch_size=4), CopyingData(seed=1)
    batches = data.train_dataloader().batches
    assert batches.samples(0).tolist() == list(range(8))
    assert batches.samples(1).tolist() == list(range(8, 16))
    for split in ("val", "test"):
        assert torch.equal(data.dataset(split)[[0, 1]][1], other.dataset(split)[[0, 1]][1])
    assert not torch.equal(data.dataset("train")[[0]][1], other.dataset("train")[[0]][1])
    assert data.sha256 == CopyingData(seed=0, batch_size=4).sha256 != other.sha256


@pytest.mark.parametrize(("delay", "published"), [(100, 0.1733), (200, 0.0945), (500, 0.0400), (1000, 0.0204)])
def test_memoryless_loss_agrees_with_published_values(delay: int, published: float) -> None:
    assert memoryless_loss(delay + 20) == pytest.approx(published, abs=6e-5)
    assert memoryless_loss(delay + 20) == 10 * math.log(8) / (delay + 20)


def test_the_memoryless_strategy_scores_ratio_one_and_chance_recall() -> None:
    data = CopyingData(delay=6)
    inputs, targets = data.dataset("val")[list(range(256))]
    logits = torch.full((256, 26, 9), -40.0)
    logits[:, :16, 0] = 40.0  # blanks, as long as they are certain
    logits[:, 16:, 1:] = 0.0  # then a guess among eight symbols
    loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
    task = CopyingMemory(input_size=10, output_size=9, sequence_length=26, n_qubits=2, controller_width=2)
    assert task.derived({"loss": loss})["loss_ratio"] == pytest.approx(1.0, abs=1e-5)
    scored, expected = task.scored(logits, targets)
    assert scored.shape == (2560, 9)
    assert torch.equal(expected, inputs[:, :10].argmax(-1).flatten())


def test_delay_must_be_positive() -> None:
    with pytest.raises(InvalidInput, match="delay"):
        CopyingData(delay=0)


def test_first_epochs_may_have_a_short_delay() -> None:
    data = CopyingData(delay=9, short_delay=2, short_epochs=3, steps_per_epoch=2, batch_size=4)
    batches, train = data.train_dataloader().batches, data.dataset("train")
    lengths = []
    for epoch in range(5):
        batches.set_epoch(epoch)
        lengths += [train[batch][0].shape[1] for batch in batches]
    assert lengths == 6 * [22] + 4 * [29]
    # The same symbols as without: only the delay differs.
    plain = CopyingData(delay=9, steps_per_epoch=2, batch_size=4).dataset("train")
    assert torch.equal(train[[0, 1]][1][:, -10:], plain[[0, 1]][1][:, -10:])
    assert torch.equal(train[[30]][0], plain[[30]][0])
    assert data.sequence_length == 29
    assert all(data.dataset(split)[[0]][0].shape[1] == 29 for split in ("val", "test"))


@pytest.mark.parametrize(("delay", "epochs"), [(0, 1), (3, 0), (None, 2), (3, -1), (3, 1.5)])
def test_a_short_delay_needs_a_number_of_epochs(delay: int | None, epochs: int) -> None:
    with pytest.raises(InvalidInput, match="short"):
        CopyingData(short_delay=delay, short_epochs=epochs)
