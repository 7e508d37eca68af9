"""Scores are those of sacrebleu on the whole corpus, however it is cut into batches."""

from __future__ import annotations

import pytest
import sacrebleu

from lightning_modules.tasks.translation.scores import TranslationScores

FOUND = ["two hundred forty one", "one", "A man , in blue", "the cat sat on the mat .", "nine thousand six", ""]
WANTED = ["two hundred forty one", "one", "a man, in blue.", "The cat sat on a mat.", "nine thousand sixty", "two"]


@pytest.mark.parametrize("lower_case", [False, True])
@pytest.mark.parametrize("batch", [1, 4, 6])
def test_batches_add_up_to_the_corpus(batch: int, lower_case: bool) -> None:
    scores = TranslationScores(lower_case)
    for first in range(0, 6, batch):
        scores.update(FOUND[first : first + batch], WANTED[first : first + batch])
    values = scores.compute()
    expected = sacrebleu.corpus_bleu(FOUND, [WANTED], lowercase=lower_case).score
    assert 10 < expected < 90
    assert float(values["bleu"]) == pytest.approx(expected, rel=1e-6)
    assert float(values["exact_match"]) == pytest.approx(2 / 6)


def test_case_counts_unless_told_otherwise() -> None:
    for lower_case, share in ((False, 0.0), (True, 1.0)):
        scores = TranslationScores(lower_case)
        scores.update(["The Cat sat on it"], ["the cat sat on it"])
        assert scores.compute()["exact_match"] == share
        assert (float(scores.compute()["bleu"]) > 99) == lower_case
        assert f"case:{'lc' if lower_case else 'mixed'}" in scores.signature


def test_signature_says_how_it_was_computed() -> None:
    scores = TranslationScores()
    scores.update(["one"], ["one"])
    assert {"nrefs:1", "tok:13a", f"version:{sacrebleu.__version__}"} <= set(scores.signature.split("|"))


def test_reset_forgets() -> None:
    scores = TranslationScores()
    scores.update(["a"], ["b"])
    scores.reset()
    scores.update(["a b c d"], ["a b c d"])
    assert {name: float(value) for name, value in scores.compute().items()} == {
        "exact_match": 1.0,
        "bleu": pytest.approx(100),
    }
