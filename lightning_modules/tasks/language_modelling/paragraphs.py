"""Paragraphs of running text, as tokens: of the reference that comes with Python, or of a data set of the hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from backends.errors import InvalidInput
from lightning_modules.data.hub import SPLITS, load, loaded_revision
from lightning_modules.data.reading import read_once
from lightning_modules.data.text import interned, tokenize
from lightning_modules.tasks.language_modelling.reference_text import Paragraphs, reference_text

# WikiText and PTB come as tokens between blanks; anything else is better cut into words.
TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "words": tokenize,
    "blanks": lambda text: interned(text.split()),
}
Texts = tuple[dict[str, Paragraphs], dict[str, Any]]  # by split; and what a user should know of them


@cache
def reference_paragraphs() -> Texts:
    """Return the paragraphs of Python's reference."""
    text = reference_text()
    topics = "/".join(str(text.topics[split]) for split in SPLITS)
    return text.splits, {"topics": topics, "repeated tokens dropped": text.repeated_tokens}


@read_once
def data_set_paragraphs(
    source: str, column: str, tokenizer: str, config: str | None, revision: str | None, cache_dir: str | None
) -> Texts:
    """Return the lines of a data set's `column` that are not empty, cut by a tokenizer; others as in `hub.load`.

    Raises:
        InvalidInput: The data cannot be had, or a row has no text.
    """
    data = load(source, config=config, revision=revision, cache_dir=cache_dir, offline_default="data.source pydoc")
    facts: dict[str, Any] = {}
    splits = {}
    for split, name in SPLITS.items():
        rows = data.split(name, (column,))
        facts["revision"] = loaded_revision(rows)
        lines = [_tokens(tokenizer, split, number, text) for number, text in enumerate(rows[column])]
        splits[split] = [tokens for tokens in lines if tokens]
        if dropped := len(lines) - len(splits[split]):
            facts[f"{split} empty lines dropped"] = dropped
    return splits, facts


def _tokens(tokenizer: str, split: str, number: int, text: object) -> list[str]:
    if not isinstance(text, str):
        raise InvalidInput(f"language modelling: row {number} of {split} has no text but {text!r}; correct or drop it.")
    return TOKENIZERS[tokenizer](text)
