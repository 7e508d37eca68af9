"""Generated sentences whose sentiment follows from their composition, not from their words.

    acting was not very good   although   music was slightly dull
    clause A                   joint      clause B

A clause is worth +s or -s by its adjective, where the strength s is 1 (`slightly`), 2 (no intensifier) or 3 (`very`);
a negator before it turns s into -(4 - s), so that `not very good` is mildly bad and `not slightly good` very bad. `and`
adds both clauses; in `A but B` and `although A , B` the second one decides, in `A although B` the first. The label
says whether the result is above zero; none is zero.

Every sentence comes with a partner that has the same words in another order and the other label. A classifier that
ignores order must answer the same to both, so it is right on exactly half of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

import numpy as np
import torch

from backends.errors import InvalidInput, require_positive_int
from backends.memory import require_memory

SUBJECTS = (
    "acting",
    "camerawork",
    "casting",
    "dialogue",
    "editing",
    "humour",
    "lighting",
    "music",
    "pacing",
    "storytelling",
)
GOOD = ("good", "great", "clever", "funny", "charming", "moving", "fresh", "honest")
BAD = ("bad", "awful", "dull", "boring", "clumsy", "stupid", "stale", "false")
INTENSIFIERS = {"": 2, "slightly": 1, "somewhat": 1, "fairly": 1, "very": 3, "really": 3, "extremely": 3}
# More often without a negator than with one, and more often a second clause that decides than a first: were all equally
# frequent, the exceptions would cancel the rules, no part of a sentence would hint at its label, and a cell that does
# not forget, as a unitary one, finds nothing to begin with.
NEGATORS = ("", "", "", "", "", "", "not", "never")
JOINTS = ("but", "but", "although ,", "although ,", "although", "and")
# Of the one stream of sentences from which every set is cut.
SEED = 0
TRIES = 8
_BYTES_PER_SENTENCE = 256  # at least: a list of words and a list of numbers
Sentence = tuple[tuple[str, ...], int]  # tokens and label


@dataclass(frozen=True)
class Statement:
    """What a sentence is made of; pairs belong to clause A and clause B."""

    joint: str
    subjects: tuple[str, str]
    adjectives: tuple[str, str]
    intensifiers: tuple[str, str]
    negators: tuple[str, str]

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words of the sentence."""
        clauses = zip(self.subjects, self.negators, self.intensifiers, self.adjectives, strict=True)
        first, second = (" ".join((subject, "was", *rest)) for subject, *rest in clauses)
        joined = f"although {first} , {second}" if self.joint == "although ," else f"{first} {self.joint} {second}"
        return tuple(joined.split())

    @property
    def value(self) -> int:
        """What the sentence is worth: above zero is positive."""
        clauses = zip(self.negators, self.intensifiers, self.adjectives, strict=True)
        first, second = (_clause_value(*clause) for clause in clauses)
        return {"and": first + second, "but": second, "although": first, "although ,": second}[self.joint]

    @property
    def sentence(self) -> Sentence:
        """The words and the label."""
        return self.tokens, int(self.value > 0)

    def rearranged(self, generator: np.random.Generator) -> Statement:
        """Return the same joint and words, every pair of words swapped or not, drawn at random."""
        swap = generator.integers(2, size=4)
        return Statement(
            self.joint,
            self.subjects[::-1] if swap[0] else self.subjects,
            self.adjectives[::-1] if swap[1] else self.adjectives,
            self.intensifiers[::-1] if swap[2] else self.intensifiers,
            self.negators[::-1] if swap[3] else self.negators,
        )


@lru_cache(maxsize=1)
def generated(train_size: int, evaluation_size: int) -> dict[str, list[Sentence]]:
    """Return the sentences of "train", "val" and "test"; a sentence and its partner are always in the same split.

    Raises:
        InvalidInput: A size is odd, below 1, or more than the memory holds.
    """
    for name, size in (("train_size", train_size), ("evaluation_size", evaluation_size)):
        require_positive_int("sentiment", name, size)
        if size % 2:
            raise InvalidInput(f"sentiment: {name} must be even, as sentences come in pairs, got {size}.")
    require_memory(
        "sentiment",
        "the sentences",
        _BYTES_PER_SENTENCE * (train_size + 2 * evaluation_size),
        torch.device("cpu"),
        "Use a smaller train_size or evaluation_size.",
    )
    # Training last, so that its size does not change what is tested.
    pairs = sentence_pairs()
    sizes = {"test": evaluation_size, "val": evaluation_size, "train": train_size}
    return {name: list(chain.from_iterable(islice(pairs, size // 2))) for name, size in sizes.items()}


def sentence_pairs(seed: int = SEED) -> Iterator[tuple[Sentence, Sentence]]:
    """Yield pairs of sentences with the same words and different labels, the negative one first.

    No two pairs consist of the same words, so a sentence never occurs twice.
    """
    generator = np.random.default_rng(seed)
    seen = set()
    while True:
        statement = _draw(generator)
        partner = _partner(statement, generator)
        words = tuple(sorted(statement.tokens))
        if partner is None or words in seen:
            continue
        seen.add(words)
        first, second = sorted((statement, partner), key=lambda one: one.value)
        yield first.sentence, second.sentence


def _partner(statement: Statement, generator: np.random.Generator) -> Statement | None:
    """Return the same words in another order that has the other sign, if one is found soon."""
    for _ in range(TRIES):
        other = statement.rearranged(generator)
        if other.value * statement.value < 0:
            return other
    return None


def _draw(generator: np.random.Generator) -> Statement:
    drawn = iter(generator.random(9).tolist())

    def one(choices: Sequence[str]) -> str:
        return choices[int(next(drawn) * len(choices))]

    subject = one(SUBJECTS)
    return Statement(
        joint=one(JOINTS),
        subjects=(subject, one([other for other in SUBJECTS if other != subject])),
        adjectives=(one(GOOD + BAD), one(GOOD + BAD)),
        intensifiers=(one(tuple(INTENSIFIERS)), one(tuple(INTENSIFIERS))),
        negators=(one(NEGATORS), one(NEGATORS)),
    )


def _clause_value(negator: str, intensifier: str, adjective: str) -> int:
    strength = INTENSIFIERS[intensifier]
    sign = 1 if adjective in GOOD else -1
    return -sign * (4 - strength) if negator else sign * strength
