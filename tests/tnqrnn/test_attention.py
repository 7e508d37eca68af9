"""Additive attention against its formula, and what it must not look at."""

from __future__ import annotations

import pytest
import torch

from backends.errors import InvalidInput
from tnqrnn.attention import AdditiveAttention

BATCH, SOURCE, QUERY, MEMORY, WIDTH = 3, 5, 4, 6, 7


@pytest.fixture
def attention() -> AdditiveAttention:
    torch.manual_seed(0)
    return AdditiveAttention(QUERY, MEMORY, WIDTH).double()


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(BATCH, QUERY, generator=generator, dtype=torch.float64),
        torch.randn(BATCH, SOURCE, MEMORY, generator=generator, dtype=torch.float64),
    )


def test_formula_of_the_paper(attention: AdditiveAttention) -> None:
    """score_j = v . tanh(W s + U h_j), one sample and one position at a time, as in arXiv:1409.0473."""
    query, values = drawn()
    lengths = torch.tensor([5, 1, 3])
    context, weights = attention(query, attention.memorise(values, lengths))
    w, bias = attention.query.weight, attention.query.bias
    u, v = attention.key.weight, attention.score.weight[0]
    for sample in range(BATCH):
        scores = [v @ torch.tanh(w @ query[sample] + bias + u @ values[sample, j]) for j in range(lengths[sample])]
        exponentials = [score.exp() for score in scores]
        expected = [value / sum(exponentials) for value in exponentials]
        blend = sum(weight * values[sample, j] for j, weight in enumerate(expected))
        torch.testing.assert_close(weights[sample, : lengths[sample]], torch.stack(expected))
        torch.testing.assert_close(context[sample], blend)


def test_nothing_beyond_the_end_is_seen(attention: AdditiveAttention) -> None:
    query, values = drawn()
    lengths = torch.tensor([2, 5, 1])
    context, weights = attention(query, attention.memorise(values, lengths))
    beyond = torch.arange(SOURCE) >= lengths[:, None]
    assert (weights[beyond] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(BATCH, dtype=torch.float64))
    changed = torch.where(beyond[:, :, None], 1e6, values).requires_grad_()
    again, _ = attention(query, attention.memorise(changed, lengths))
    assert torch.equal(again, context)
    again.square().sum().backward()
    assert changed.grad is not None
    assert (changed.grad[beyond] == 0).all()


def test_without_lengths_everything_counts(attention: AdditiveAttention) -> None:
    query, values = drawn()
    whole = attention(query, attention.memorise(values, torch.full((BATCH,), SOURCE)))
    torch.testing.assert_close(attention(query, attention.memorise(values)), whole)


def test_a_memory_can_be_chosen_from(attention: AdditiveAttention) -> None:
    query, values = drawn()
    memory = attention.memorise(values, torch.tensor([2, 5, 4]))
    chosen = torch.tensor([2, 0, 2, 1])
    for some, all_of_them in zip(attention(query[chosen], memory[chosen]), attention(query, memory), strict=True):
        torch.testing.assert_close(some, all_of_them[chosen])


@pytest.mark.parametrize("lengths", [[0, 1, 1], [1, 6, 1], [1, 1]])
def test_impossible_lengths_are_refused(attention: AdditiveAttention, lengths: list[int]) -> None:
    with pytest.raises(InvalidInput, match="lengths must be 3 integers from 1 to 5"):
        attention.memorise(drawn()[1], torch.tensor(lengths))


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_sizes_are_at_least_one(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="attention"):
        AdditiveAttention(*sizes)
