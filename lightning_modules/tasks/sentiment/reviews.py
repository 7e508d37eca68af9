"""Real texts with a sentiment: data sets of the hub, or of local folders, as train, val and test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sklearn.model_selection import train_test_split

from backends.errors import InvalidInput
from lightning_modules.data.hub import SPLITS, load, loaded_revision
from lightning_modules.data.loaders import SPLIT_SEED
from lightning_modules.data.reading import read_once
from lightning_modules.data.text import tokenize

LABELS = (0, 1)
UNLABELLED = -1  # what public benchmarks write where they keep the labels to themselves
HELD_OUT = 0.1  # of the training texts, where there is no validation split
Labelled = Sequence[tuple[Sequence[str], int]]  # tokens and label of every text
Texts = dict[str, Labelled]  # by split


@read_once
def read_reviews(
    source: str, column: str, config: str | None, revision: str | None, cache_dir: str | None
) -> tuple[Texts, dict[str, Any]]:
    """Return the texts of "train", "val" and "test", and what a user should know of them; arguments as in `hub.load`.

    Raises:
        InvalidInput: The data cannot be had, a row has no text or another label, or there is too little to divide.
    """
    data = load(source, config=config, revision=revision, cache_dir=cache_dir, offline_default="data.source grammar")
    facts: dict[str, Any] = {}
    splits: Texts = {}
    for name in data.names:
        if name in SPLITS.values():
            rows = data.split(name, (column, "label"))
            facts["revision"] = loaded_revision(rows)
            splits[name] = _labelled(name, rows[column], rows["label"])
    return _complete(source, splits, facts), facts


def _labelled(split: str, texts: Iterable[Any], labels: Iterable[Any]) -> Labelled:
    """Return tokens and labels; no text at all where the labels are withheld."""
    rows = list(zip(texts, labels, strict=True))
    if split == "test" and all(label == UNLABELLED for _, label in rows):
        return []
    for number, (text, label) in enumerate(rows):
        if not isinstance(text, str):
            raise InvalidInput(f"sentiment: row {number} of {split} has no text but {text!r}; correct or drop it.")
        if label not in LABELS:
            raise InvalidInput(
                f"sentiment: row {number} of {split} has label {label!r}, expected 0 (negative) or 1 (positive); "
                "correct or drop it."
            )
    return [(tokenize(text), label) for text, label in rows]


def _complete(source: str, splits: Texts, facts: dict[str, Any]) -> Texts:
    """Return train, val and test, made from the splits that there are; write into `facts` what was made."""
    train, val, test = (splits.get(name, []) for name in SPLITS.values())
    if not test:
        val, test = [], val
        facts["test"] = "the validation split, as there is no labelled test split"
    if not train or not test:
        raise InvalidInput(
            f"sentiment: {source} needs a split 'train' and a labelled split 'test' or 'validation'; it has "
            f"{', '.join(name for name, texts in splits.items() if texts) or 'neither'}."
        )
    if not val:
        if len(train) < 2 / HELD_OUT:
            raise InvalidInput(f"sentiment: {len(train)} training texts are too few to hold out a validation set.")
        train, val = train_test_split(train, test_size=HELD_OUT, random_state=SPLIT_SEED)
        facts["validation"] = f"{HELD_OUT:.0%} of the training split"
    return {"train": train, "val": val, "test": test}
