"""Number words in German and English, by rule, for 0 to 999,999.

German is written as one word whose units stand before its tens, so a translation into English cannot go from left to
right:

    zweihunderteinundvierzig = zwei hundert ein und vierzig    ->    two hundred forty one

A German word is a list of morphemes (joined without spaces it is the word), an English phrase a list of words. English
has no hyphens, commas or "and" here. These are synthetic data: every pair follows from the rules below.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.errors import InvalidInput, require_choice

LARGEST = 999_999

_GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"]
_GERMAN += [f"{stem}zehn" for stem in ("drei", "vier", "fünf", "sech", "sieb", "acht", "neun")]
_GERMAN_TENS = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]

_ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ENGLISH += [f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
_ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_DICTIONARY = dict(zip(_GERMAN + _GERMAN_TENS, _ENGLISH + _ENGLISH_TENS, strict=True))
_DICTIONARY |= {"ein": "one", "hundert": "hundred", "tausend": "thousand", "und": ""}


def german(number: int) -> list[str]:
    """Return the morphemes of a German number word: 241 -> zwei hundert ein und vierzig.

    Raises:
        InvalidInput: The number is not an integer from 0 to 999,999.
    """
    _require_in_range(number)
    if number == 0:
        return [_GERMAN[0]]
    thousands, rest = divmod(number, 1000)
    before = [*_german_below_thousand(thousands, "ein"), "tausend"] if thousands else []
    return before + (_german_below_thousand(rest, "eins") if rest else [])


def english(number: int) -> list[str]:
    """Return the words of an English number: 241 -> two hundred forty one.

    Raises:
        InvalidInput: The number is not an integer from 0 to 999,999.
    """
    _require_in_range(number)
    if number == 0:
        return [_ENGLISH[0]]
    thousands, rest = divmod(number, 1000)
    before = [*_english_below_thousand(thousands), "thousand"] if thousands else []
    return before + _english_below_thousand(rest)


def word_by_word(morphemes: Sequence[str]) -> list[str]:
    """Return the English word of every German morpheme, in the German order, nothing for "und".

    What a dictionary knows: right where no units stand before their tens. Refuses what is no morpheme of a number.
    """
    for morpheme in morphemes:
        require_choice("number words", "morpheme", morpheme, _DICTIONARY)
    return [_DICTIONARY[morpheme] for morpheme in morphemes if morpheme != "und"]


def _german_below_thousand(
    number: int,  # 1 to 999
    one: str,  # how a 1 at the very end is said: "eins" ends a number, "ein" stands before "tausend"
) -> list[str]:
    hundreds, rest = divmod(number, 100)
    before = [_german_digit(hundreds, "ein"), "hundert"] if hundreds else []
    if rest == 0:
        return before
    if rest < 20:
        return [*before, _german_digit(rest, one)]
    tens, units = divmod(rest, 10)
    ahead = [_german_digit(units, "ein"), "und"] if units else []
    return [*before, *ahead, _GERMAN_TENS[tens - 2]]


def _german_digit(number: int, one: str) -> str:
    return one if number == 1 else _GERMAN[number]


def _english_below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    before = [_ENGLISH[hundreds], "hundred"] if hundreds else []
    if rest == 0:
        return before
    if rest < 20:
        return [*before, _ENGLISH[rest]]
    tens, units = divmod(rest, 10)
    return [*before, _ENGLISH_TENS[tens - 2], *([_ENGLISH[units]] if units else [])]


def _require_in_range(number: int) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST:
        raise InvalidInput(f"number words: expected an integer from 0 to {LARGEST}, got {number!r}.")
