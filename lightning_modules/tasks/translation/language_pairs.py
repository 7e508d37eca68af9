"""Sentence pairs of German and English: generated number words, or a data set of translations; and their tokens.

Numbers: German by morphemes (zwei hundert ein und vierzig) or by characters, English by words. Text: words, numbers
and single punctuation marks, an apostrophe or hyphen inside a word being part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.data.hub import SPLITS, HubData, load
from lightning_modules.data.loaders import SPLIT_SEED
from lightning_modules.data.reading import read_once
from lightning_modules.data.text import tokenize
from lightning_modules.tasks.translation.number_words import LARGEST, english, german

NUMBERS = "numbers"
SOURCE_TOKENS = ("morphemes", "characters")
# Beside an apostrophe a hyphen joins the parts of a word.
WORDS = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
_NO_SPACE_BEFORE = re.compile(r"\s+([.,!?;:%)\]}])")
_NO_SPACE_AFTER = re.compile(r"([(\[{$#])\s+")
_QUOTED = re.compile(r'"\s*([^"]*?)\s*"')


@dataclass(frozen=True)
class Pair:
    """A sentence to translate, in tokens, and its reference, as text and in tokens."""

    source: Sequence[str]
    target: Sequence[str]
    reference: str


Splits = dict[str, list[Pair]]


@lru_cache(maxsize=1)
def number_pairs(largest: int, train: int | None, val: int, test: int, source_tokens: str) -> Splits:
    """Return the number words of 0 ... `largest`, divided by number, the same for every seed.

    `test`, then `val`, then `train` numbers are taken from one permutation; `train` None takes all that are left.

    Raises:
        InvalidInput: A size is below 1, or there are fewer numbers than asked for.
    """
    require_choice("translation", "source_tokens", source_tokens, SOURCE_TOKENS)
    require_positive_int("translation", "largest", largest)
    if largest > LARGEST:
        raise InvalidInput(f"translation: largest must be at most {LARGEST}, got {largest}.")
    left = largest + 1 - require_positive_int("translation", "val_size", val)
    left -= require_positive_int("translation", "test_size", test)
    train = max(left, 0) if train is None else require_positive_int("translation", "train_size", train)
    if not 0 < train <= left:
        raise InvalidInput(
            f"translation: there are {largest + 1} numbers from 0 to {largest}, asked for are {train} to train, {val} "
            f"to validate and {test} to test; raise data.largest or lower a size."
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(largest + 1).tolist()
    numbers = {"test": order[:test], "val": order[test : test + val], "train": order[test + val : test + val + train]}
    return {split: [number_pair(number, source_tokens) for number in chosen] for split, chosen in numbers.items()}


def number_pair(number: int, source_tokens: str) -> Pair:
    """Return a number in German, by "morphemes" or "characters", and in English, by words."""
    morphemes, words = german(number), english(number)
    source = morphemes if source_tokens == "morphemes" else list("".join(morphemes))
    return Pair(source, words, " ".join(words))


@read_once
def text_pairs(source: str, lower_case: bool, revision: str | None, cache_dir: str | None) -> Splits:
    """Return the pairs of a data set of the hub, or of a folder in its format (see `hub.load`).

    A row has the columns `de` and `en`, as Multi30k has, or one column `translation` with both, as IWSLT has.

    Raises:
        InvalidInput: The data set cannot be had, lacks a split, or has neither form.
    """
    data = load(source, revision=revision, cache_dir=cache_dir, offline_default=f"data.source {NUMBERS}")
    return {
        split: [_text_pair(german_text, english_text, lower_case) for german_text, english_text in _rows(data, name)]
        for split, name in SPLITS.items()
    }


def detokenize(tokens: Sequence[str]) -> str:
    """Return the text of tokens, with spaces where English has them."""
    text = " ".join(tokens)
    text = _NO_SPACE_BEFORE.sub(r"\1", _NO_SPACE_AFTER.sub(r"\1", text))
    return _QUOTED.sub(r'"\1"', text)


def shorten(pairs: Sequence[Pair], max_length: int | None) -> tuple[list[Pair], int]:
    """Return the pairs with both sides of 1 to `max_length` tokens (None: any number), and how many were dropped."""
    limit = float("inf") if max_length is None else require_positive_int("translation", "max_length", max_length)
    kept = [pair for pair in pairs if all(1 <= len(side) <= limit for side in (pair.source, pair.target))]
    return kept, len(pairs) - len(kept)


def _rows(data: HubData, split: str) -> list[tuple[str, str]]:
    try:
        columns = data.split(split, ("de", "en"))
        return list(zip(columns["de"], columns["en"], strict=True))
    except InvalidInput as refusal:
        try:
            nested = data.split(split, ("translation",))["translation"]
        except InvalidInput:
            raise refusal from None
    if not all(isinstance(row, dict) and {"de", "en"} <= row.keys() for row in nested):
        raise InvalidInput(
            f"data set {data.source!r}: a row of column 'translation' must have the texts 'de' and 'en', got "
            f"{str(nested[0])[:80]}."
        )
    return [(row["de"], row["en"]) for row in nested]


def _text_pair(german_text: str, english_text: str, lower_case: bool) -> Pair:
    reference = " ".join(english_text.split())
    source, target = (tokenize(text, lower_case, WORDS) for text in (german_text, english_text))
    return Pair(source, target, reference)
