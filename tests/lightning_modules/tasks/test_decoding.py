"""Beam search against plain enumeration, and against a greedy loop."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from lightning_modules.data.vocabulary import BEGIN, END, PADDING
from lightning_modules.tasks.translation.decoding import beam_search, length_penalty

CLASSES = 6  # the four special tokens and two words
BATCH, STEPS = 3, 3
CPU = torch.device("cpu")


class Chain:
    """A model without memory but its sample's number: the next token depends on the last one and on the step."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(BATCH, STEPS, CLASSES, CLASSES, generator=generator)
        self.log_probs = logits.log_softmax(-1)  # (batch, step, last token, next token)

    def step(self, tokens: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
        """Carry: the sample and the step of every row, (rows, 2)."""
        return self.log_probs[carry[:, 0], carry[:, 1], tokens], carry + torch.tensor([0, 1])

    def start(self) -> Tensor:
        return torch.stack([torch.arange(BATCH), torch.zeros(BATCH, dtype=torch.long)], 1)

    def sentences(self, sample: int) -> dict[tuple[int, ...], float]:
        """Every sentence that can be written: closed by the end, or cut after all steps; with its log probability."""
        found = {}
        for tokens in product([t for t in range(CLASSES) if t not in (PADDING, BEGIN)], repeat=STEPS):
            sentence = tokens[: tokens.index(END) + 1] if END in tokens else tokens
            steps = zip((BEGIN, *sentence), sentence, strict=False)
            found[sentence] = sum(float(self.log_probs[sample, t, a, b]) for t, (a, b) in enumerate(steps))
        return found


def search(chain: Chain, beam_size: int, alpha: float = 0.0) -> list[list[int]]:
    beams = beam_search(chain.step, chain.start(), BATCH, CPU, beam_size=beam_size, max_steps=STEPS, alpha=alpha)
    return [[token for token in row if token != PADDING] for row in beams.tokens[:, 0].tolist()]


@pytest.mark.parametrize("alpha", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_holds_everything_is_exhaustive_search(seed: int, alpha: float) -> None:
    chain = Chain(seed)
    found = search(chain, beam_size=64, alpha=alpha)
    for sample in range(BATCH):
        sentences = chain.sentences(sample)
        best = max(sentences, key=lambda each: sentences[each] / ((5 + len(each)) / 6) ** alpha)
        assert tuple(found[sample]) == best


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    chain = Chain(seed)
    for sample, found in enumerate(search(chain, beam_size=1, alpha=1.0)):
        expected = [BEGIN]
        while END not in expected and len(expected) <= STEPS:
            scores = chain.log_probs[sample, len(expected) - 1, expected[-1]].clone()
            scores[[PADDING, BEGIN]] = -torch.inf
            expected.append(int(scores.argmax()))
        assert found == expected[1:]


def test_a_wider_beam_finds_likelier_sentences_somewhere() -> None:
    """Else the tests above could pass with chains on which greedy decoding is already optimal."""
    gains = []
    for seed in range(5):
        chain = Chain(seed)
        for sample, (wide, greedy) in enumerate(zip(search(chain, 4), search(chain, 1), strict=True)):
            sentences = chain.sentences(sample)
            gains.append(sentences[tuple(wide)] - sentences[tuple(greedy)])
    assert min(gains) > -1e-5
    assert max(gains) > 0.1


def test_hypotheses_come_with_their_scores() -> None:
    chain = Chain(0)
    beams = beam_search(chain.step, chain.start(), BATCH, CPU, beam_size=5, max_steps=STEPS, alpha=0.0)
    for sample in range(BATCH):
        sentences = chain.sentences(sample)
        rows = [tuple(t for t in row if t != PADDING) for row in beams.tokens[sample].tolist()]
        assert len(set(rows)) == 5
        torch.testing.assert_close(beams.log_probs[sample], torch.tensor([sentences[row] for row in rows]))
        assert beams.lengths[sample].tolist() == [len(row) for row in rows]
        assert beams.finished[sample].tolist() == [row[-1] == END for row in rows]
        assert (beams.log_probs[sample].diff() <= 0).all()  # best first


def test_length_penalty_is_that_of_the_paper() -> None:
    torch.testing.assert_close(length_penalty(torch.tensor([1, 7]), 1.0), torch.tensor([1.0, 2.0]))
    assert (length_penalty(torch.tensor([1, 7]), 0.0) == 1).all()
