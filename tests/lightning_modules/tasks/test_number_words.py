"""Number words against num2words, which was written by others."""

from __future__ import annotations

import pytest
from num2words import num2words

from backends.errors import InvalidInput
from lightning_modules.tasks.translation.number_words import LARGEST, english, german, word_by_word


def expected_english(number: int) -> str:
    """Ours has no hyphens, no commas and no "and"."""
    return str(num2words(number, lang="en")).replace("-", " ").replace(",", "").replace(" and ", " ")


def test_numbers_of_the_default_task() -> None:
    for number in (*range(1300), *range(1300, 10_000, 7), 9999):  # all would take num2words 13 seconds
        assert "".join(german(number)) == num2words(number, lang="de")
        assert " ".join(english(number)) == expected_english(number)


def test_numbers_up_to_the_largest() -> None:
    for number in [*range(10_000, LARGEST, 1993), LARGEST]:
        assert " ".join(english(number)) == expected_english(number)
        thousands = number // 1000
        # num2words writes "einhunderteinstausend"; the Duden has "einhunderteintausend".
        if thousands % 100 != 1 or thousands == 1:
            assert "".join(german(number)) == num2words(number, lang="de")


@pytest.mark.parametrize(
    ("number", "morphemes", "words"),
    [
        (0, "null", "zero"),
        (1, "eins", "one"),
        (16, "sechzehn", "sixteen"),
        (21, "ein und zwanzig", "twenty one"),
        (101, "ein hundert eins", "one hundred one"),
        (241, "zwei hundert ein und vierzig", "two hundred forty one"),
        (1001, "ein tausend eins", "one thousand one"),
        (7077, "sieben tausend sieben und siebzig", "seven thousand seventy seven"),
        (101_000, "ein hundert ein tausend", "one hundred one thousand"),
    ],
)
def test_morphemes_and_words(number: int, morphemes: str, words: str) -> None:
    assert " ".join(german(number)) == morphemes
    assert " ".join(english(number)) == words


@pytest.mark.parametrize("number", [-1, LARGEST + 1, 2.0, True])
def test_other_numbers_are_refused(number: int) -> None:
    for language in (german, english):
        with pytest.raises(InvalidInput, match="from 0 to 999999"):
            language(number)


def test_word_by_word_is_right_where_nothing_is_reordered() -> None:
    for number in range(10_000):
        reordered = number % 100 > 20 and number % 10 > 0
        assert (word_by_word(german(number)) == english(number)) == (not reordered)
    assert word_by_word(german(241)) == ["two", "hundred", "one", "forty"]
    with pytest.raises(InvalidInput, match="unknown morpheme 'zwo'"):
        word_by_word(["zwo"])
