"""Generated sentences whose sentiment follows from their composition, not from their words.

    i would not say that   the plot was not very good   although   the acting was slightly dull
    frame                  clause A                      joint      clause B

A clause is worth +s or -s by its adjective, where the strength s is 1 (`slightly`), 2 (no intensifier) or 3 (`very`);
a negator before it turns s into -(4 - s), so that `not very good` is mildly bad and `not slightly good` very bad. `and`
adds both clauses; in `A but B` and `although A , B` the second one decides, in `A although B` the first. A negated
frame reverses the sentence. The label says whether the result is above zero; none is zero.

Every sentence comes with a partner that has the same words in another order and the other label. A classifier that
ignores order must answer the same to both, so it is right on exactly half of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

SUBJECTS = ("plot", "acting", "music", "script", "ending", "cast", "camera", "dialogue", "pace", "story")
GOOD = ("good", "great", "clever", "funny", "charming", "moving", "fresh", "honest")
BAD = ("bad", "awful", "dull", "boring", "clumsy", "stupid", "stale", "false")
INTENSIFIERS = {"": 2, "slightly": 1, "somewhat": 1, "fairly": 1, "very": 3, "really": 3, "extremely": 3}
NEGATORS = ("", "not", "never")
FRAMES = ("", "i would {} say that", "critics will {} claim that")
JOINTS = ("and", "but", "although", "although ,")

# Of the one stream of sentences from which every set is cut.
SEED = 0
# Places that the negators of frame, clause A and clause B can go to; without a frame the first one stays empty.
ORDERS = tuple(permutations(range(3)))
INNER_ORDERS = tuple(order for order in ORDERS if order[0] == 0)
TRIES = 8
Sentence = tuple[tuple[str, ...], int]  # tokens and label


@dataclass(frozen=True)
class Statement:
    """What a sentence is made of; pairs belong to clause A and clause B. `negators`: frame, clause A, clause B."""

    frame: str
    joint: str
    subjects: tuple[str, str]
    adjectives: tuple[str, str]
    intensifiers: tuple[str, str]
    negators: tuple[str, str, str]

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words of the sentence."""
        clauses = zip(self.subjects, self.negators[1:], self.intensifiers, self.adjectives, strict=True)
        first, second = (" ".join(("the", subject, "was", *rest)) for subject, *rest in clauses)
        joined = f"although {first} , {second}" if self.joint == "although ," else f"{first} {self.joint} {second}"
        return tuple(f"{self.frame.format(self.negators[0])} {joined}".split())

    @property
    def value(self) -> int:
        """What the sentence is worth: above zero is positive."""
        clauses = zip(self.negators[1:], self.intensifiers, self.adjectives, strict=True)
        first, second = (_clause_value(*clause) for clause in clauses)
        joined = {"and": first + second, "but": second, "although": first, "although ,": second}[self.joint]
        return -joined if self.negators[0] else joined

    @property
    def sentence(self) -> Sentence:
        """The words and the label."""
        return self.tokens, int(self.value > 0)

    def rearranged(self, generator: np.random.Generator) -> Statement:
        """Return the same frame, joint and words, the words in other places of the same kind, drawn at random."""
        swap = generator.integers(2, size=3)
        orders = ORDERS if self.frame else INNER_ORDERS
        first, second, third = orders[generator.integers(len(orders))]
        return Statement(
            self.frame,
            self.joint,
            self.subjects[::-1] if swap[0] else self.subjects,
            self.adjectives[::-1] if swap[1] else self.adjectives,
            self.intensifiers[::-1] if swap[2] else self.intensifiers,
            (self.negators[first], self.negators[second], self.negators[third]),
        )


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
    drawn = iter(generator.random(11).tolist())

    def one(choices: Sequence[str]) -> str:
        return choices[int(next(drawn) * len(choices))]

    frame, subject = one(FRAMES), one(SUBJECTS)
    return Statement(
        frame=frame,
        joint=one(JOINTS),
        subjects=(subject, one([other for other in SUBJECTS if other != subject])),
        adjectives=(one(GOOD + BAD), one(GOOD + BAD)),
        intensifiers=(one(tuple(INTENSIFIERS)), one(tuple(INTENSIFIERS))),
        negators=(one(NEGATORS) if frame else "", one(NEGATORS), one(NEGATORS)),
    )


def _clause_value(negator: str, intensifier: str, adjective: str) -> int:
    strength = INTENSIFIERS[intensifier]
    sign = 1 if adjective in GOOD else -1
    return -sign * (4 - strength) if negator else sign * strength
