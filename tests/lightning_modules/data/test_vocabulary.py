"""Vocabularies: ids, ties, limits, refusals, checkpoints."""

from __future__ import annotations

import pytest

from backends.errors import InvalidInput
from lightning_modules.data.text import tokenize
from lightning_modules.data.vocabulary import BEGIN, END, PADDING, UNKNOWN, Vocabulary

TEXTS = [["b", "a", "b"], ["c", "a", "b"], ["<unk>", "d"]]


def test_frequent_tokens_come_first_and_ties_go_by_alphabet() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    assert vocabulary.tokens == ("b", "a", "c", "d")
    assert len(vocabulary) == 8
    assert vocabulary.encode(["a", "z", "<unk>", "<pad>", "b"]) == [5, UNKNOWN, UNKNOWN, UNKNOWN, 4]
    assert "a" in vocabulary
    assert "z" not in vocabulary


def test_size_and_count_limit_the_vocabulary() -> None:
    assert Vocabulary.build(TEXTS, max_size=6).tokens == ("b", "a")
    assert Vocabulary.build(TEXTS, min_count=2).tokens == ("b", "a")
    assert Vocabulary.build(TEXTS, max_size=5, min_count=2).tokens == ("b",)


def test_decoding_ends_at_the_end() -> None:
    vocabulary = Vocabulary(["x", "y"])
    ids = [BEGIN, *vocabulary.encode(["x", "?", "y"]), END, 4, PADDING]
    assert vocabulary.decode(ids) == ["x", "<unk>", "y"]


def test_a_checkpoint_gives_the_same_vocabulary_and_refuses_another() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    again = Vocabulary.from_state_dict(vocabulary.state_dict())
    assert again == vocabulary
    assert again.sha256 == vocabulary.sha256 != Vocabulary(["b", "a", "d", "c"]).sha256
    vocabulary.require_same("task", again.state_dict())
    with pytest.raises(InvalidInput, match="trained with Vocabulary"):
        vocabulary.require_same("task", Vocabulary(["b"]).state_dict())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_size": 4}, "max_size must be above 4"),
        ({"max_size": 0}, "max_size must be an integer of at least 1"),
        ({"min_count": 0}, "min_count must be an integer"),
        ({"min_count": 9}, "none of 4 different tokens occurs 9 times"),
    ],
)
def test_limits_that_leave_nothing_are_refused(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Vocabulary.build(TEXTS, **arguments)


@pytest.mark.parametrize("tokens", [["a", "a"], ["<pad>"], [1]])
def test_tokens_that_cannot_be_told_apart_are_refused(tokens: list[str]) -> None:
    with pytest.raises(InvalidInput, match="vocabulary: tokens must be"):
        Vocabulary(tokens)


def test_words_keep_their_apostrophes_and_punctuation_stands_alone() -> None:
    assert tokenize("It's GOOD, isn't it?\n 'quoted'") == ["it's", "good", ",", "isn't", "it", "?", "'", "quoted", "'"]
