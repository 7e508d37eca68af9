"""English prose that comes with every Python: the language reference, as `help("topics")` shows it.

`pydoc_data.topics` holds the text of 79 topics in CPython 3.11 (PSF licence). Other versions differ, so a result names
the sha256 of what it read. Two things are removed. Many paragraphs stand in several topics: a paragraph is kept in the
longest topic that has it and nowhere else, or training and test text would overlap. And lines without a single letter
or digit, which underline headings or draw tables, are markup and no language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pydoc_data import topics

from lightning_modules.data.text import tokenize

_MARKUP_LINE = re.compile(r"^[\W_]{3,}$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n\s*\n")
# Shares of all tokens. A topic beyond LARGEST is for training: one topic is no sample of the language.
VALIDATION = TEST = 0.1
LARGEST = 0.05

Paragraphs = list[list[str]]  # the tokens of every paragraph


@dataclass(frozen=True)
class ReferenceText:
    """Paragraphs of every split, no topic in two of them, and how many repeated tokens were left out."""

    splits: dict[str, Paragraphs]
    topics: dict[str, int]
    repeated_tokens: int


def reference_text(source: Mapping[str, str] | None = None) -> ReferenceText:
    """Return the paragraphs of "train", "val" and "test"; `source` replaces the installed topics (name to text)."""
    texts = topics.topics if source is None else source
    unique, repeated = _without_repetitions({name: _paragraphs(text) for name, text in texts.items()})
    chosen = _assign({name: sum(map(len, paragraphs)) for name, paragraphs in unique.items()})
    return ReferenceText(
        splits={split: [p for name in names for p in unique[name]] for split, names in chosen.items()},
        topics={split: len(names) for split, names in chosen.items()},
        repeated_tokens=repeated,
    )


def _paragraphs(text: str) -> Paragraphs:
    blocks = _BLANK_LINES.split(_MARKUP_LINE.sub("", text))
    return [tokens for block in blocks if (tokens := tokenize(block))]


def _without_repetitions(texts: dict[str, Paragraphs]) -> tuple[dict[str, Paragraphs], int]:
    """Return every paragraph once, in the longest topic that has it, and the number of tokens left out."""
    seen: set[tuple[str, ...]] = set()
    unique: dict[str, Paragraphs] = {}
    repeated = 0
    for name in sorted(texts, key=lambda name: (-sum(map(len, texts[name])), name)):
        unique[name] = []
        for paragraph in texts[name]:
            if tuple(paragraph) in seen:
                repeated += len(paragraph)
            else:
                seen.add(tuple(paragraph))
                unique[name].append(paragraph)
    return unique, repeated


def _assign(sizes: dict[str, int]) -> dict[str, list[str]]:
    """Return the topics of every split: by the hash of the name, so that the choice depends on nothing else."""
    everything = sum(sizes.values())
    room = {"val": VALIDATION * everything, "test": TEST * everything}
    chosen: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for name in sorted(sizes, key=lambda name: sha256(name.encode()).hexdigest()):
        open_splits = [split for split, left in room.items() if left > 0]
        split = open_splits[0] if open_splits and sizes[name] <= LARGEST * everything else "train"
        chosen[split].append(name)
        if split in room:
            room[split] -= sizes[name]
    return chosen
