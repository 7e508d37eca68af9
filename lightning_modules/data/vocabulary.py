"""`Vocabulary`: words to numbers and back, built from training text alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from backends.errors import InvalidInput, require_positive_int

PADDING, UNKNOWN, BEGIN, END = range(4)
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")


class Vocabulary:
    """The tokens that have a number of their own: 0 padding, 1 unknown, 2 begin, 3 end, then `tokens` from 4 on.

    A text that contains `<unk>` itself, as WikiText and PTB do, means the unknown token by it; the names of the other
    special tokens have no meaning in a text and become unknown.
    Raises InvalidInput where a token is repeated, is no text, or bears the name of a special token.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = tuple(tokens)
        if not all(isinstance(token, str) for token in self.tokens):
            raise InvalidInput("vocabulary: tokens must be text; give a list of strings.")
        self._ids = {token: number for number, token in enumerate(self.tokens, len(SPECIALS))}
        if len(self._ids) < len(self.tokens) or self._ids.keys() & set(SPECIALS):
            raise InvalidInput(f"vocabulary: tokens must be distinct and must not be any of {', '.join(SPECIALS)}.")

    @classmethod
    def build(cls, sequences: Iterable[Sequence[str]], max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """Return the vocabulary of the most frequent tokens of `sequences`; ties go by alphabet.

        `max_size` limits `len(vocabulary)`, the four special tokens included; `min_count` is how often a token must
        occur. Raises InvalidInput on sizes that leave no room for a token, and where no token is frequent enough.
        """
        require_positive_int("vocabulary", "min_count", min_count)
        if max_size is not None and require_positive_int("vocabulary", "max_size", max_size) <= len(SPECIALS):
            raise InvalidInput(
                f"vocabulary: max_size must be above {len(SPECIALS)}, the number of special tokens, got {max_size}."
            )
        counts = Counter(token for sequence in sequences for token in sequence if token not in SPECIALS)
        frequent = sorted((-count, token) for token, count in counts.items() if count >= min_count)
        if not frequent:
            raise InvalidInput(
                f"vocabulary: none of {len(counts)} different tokens occurs {min_count} times; lower min_count, or "
                "give more text."
            )
        room = None if max_size is None else max_size - len(SPECIALS)
        return cls(token for _, token in frequent[:room])

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the numbers of the tokens; those without one get 1."""
        return [self._ids.get(token, UNKNOWN) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens up to the first end; padding and begin are left out, unknown reads `<unk>`."""
        names = (*SPECIALS, *self.tokens)
        decoded = []
        for number in ids:
            if number == END:
                break
            if number not in (PADDING, BEGIN):
                decoded.append(names[number])
        return decoded

    @property
    def sha256(self) -> str:
        """The sha256 of all tokens in order."""
        return sha256(json.dumps(self.tokens).encode()).hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the tokens."""
        return {"tokens": list(self.tokens)}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Vocabulary:
        """Return the vocabulary that `state_dict` described."""
        return cls(state["tokens"])

    def require_same(self, who: str, state: Mapping[str, Any]) -> None:
        """Refuse a checkpoint whose vocabulary, a `state_dict`, is another one: its ids mean other tokens."""
        other = Vocabulary.from_state_dict(state)
        if other != self:
            raise InvalidInput(
                f"{who}: the checkpoint was trained with {other!r}, the data here give {self!r}; use the data and the "
                "settings it was trained with, or train afresh."
            )

    def __len__(self) -> int:
        """Return the number of ids, the four special ones included: the rows of an embedding."""
        return len(SPECIALS) + len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} ids, sha256 {self.sha256[:12]})"
