"""Texts with a sentiment: generated sentences in which order matters, or real reviews of the hub.

The default needs no network: a grammar of negation and intensifiers (`grammar`), synthetic. Real data by
`data.source`: rotten_tomatoes, sst2, imdb, any other data set with a column of text and a column `label` of 0 and 1, or
a local folder in the same format. What a set lacks is made from what it has, and said: without a labelled test split
(sst2) the validation split is the test set; without a validation split a tenth of the training split is held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, cast

import torch
from sklearn.model_selection import train_test_split

from backends.errors import InvalidInput, require_positive_int
from backends.memory import require_memory
from lightning_modules.data.hub import content_sha256, load_split, loaded_revision, split_names
from lightning_modules.data.loaders import BatchDataset, EpochBatches, SequenceData
from lightning_modules.data.text import BucketedBatches, TokenSequences, tokenize
from lightning_modules.data.vocabulary import UNKNOWN, Vocabulary
from lightning_modules.tasks.sentiment.bag_of_words import bag_of_words_accuracies
from lightning_modules.tasks.sentiment.grammar import sentence_pairs

GRAMMAR = "grammar"
TEXT_COLUMNS = {"sst2": "sentence", "stanfordnlp/sst2": "sentence"}
LABELS = (0, 1)
UNLABELLED = -1  # what public benchmarks write where they keep the labels to themselves
_BYTES_PER_SENTENCE = 256  # at least: a list of words and a list of numbers
HELD_OUT, HELD_OUT_SEED = 0.1, 0
Labelled = list[tuple[Sequence[str], int]]  # tokens and label of every text


class SentimentData(SequenceData):
    """Texts with a label: 0 negative, 1 positive.

    Args:
        source: grammar (generated), a known data set (rotten_tomatoes, sst2, imdb), an id on the Hugging Face hub, or a
            local folder in the same format.
        text_column: Column of the text; by default that of the known data set, or `text`.
        config: Configuration of a data set of the hub, if it has several.
        revision: Commit, branch or tag on the hub; by default the one known to us.
        cache_dir: Where downloads are kept; by default where the Hugging Face libraries keep them.
        train_size: Generated training sentences.
        evaluation_size: Generated sentences in the validation set, and in the test set; the same for every seed.
        vocabulary_size: Most ids that tokens can have, four special ones included; null: as many as there are tokens.
        min_count: How often a token must occur in the training set to have an id of its own.
        max_length: Tokens of a text that are read; the rest is cut off, and counted.
        batch_size: Texts in a batch.
        seed: Seed of the order of the training batches.
    """

    output_size = len(LABELS)

    def __init__(
        self,
        source: str = GRAMMAR,
        text_column: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        train_size: int = 8000,
        evaluation_size: int = 1000,
        vocabulary_size: int | None = 5000,
        min_count: int = 1,
        max_length: int = 64,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.source = source
        self.max_length = require_positive_int("sentiment", "max_length", max_length)
        self._facts: dict[str, Any] = {"source": source}
        if source == GRAMMAR:
            self.data_kind = "synthetic"
            splits = _generate(train_size, evaluation_size)
        else:
            self.data_kind = "real"
            splits = self._download(text_column, config, revision, cache_dir)
        self._prepare({name: self._cleaned(name, texts) for name, texts in splits.items()}, vocabulary_size, min_count)

    def dataset(self, split: str) -> BatchDataset:
        """Return the texts of "train", "val" or "test" as ids (batch, time), with labels (batch,)."""
        return TokenSequences(*self._encoded[split])

    def batches(self, dataset: BatchDataset, order: str) -> EpochBatches:
        """Return batches of texts of similar length."""
        return BucketedBatches(cast(TokenSequences, dataset).lengths, self.batch_size, order, self.seed)

    def facts(self) -> dict[str, Any]:
        """Return source, sizes, and what was dropped, truncated or unknown."""
        return self._facts

    def baselines(self) -> dict[str, float]:
        """Return the test accuracies of logistic regression on counts of words, and of words and neighbouring pairs."""
        return bag_of_words_accuracies(self._encoded["train"], self._encoded["test"])

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the vocabulary and the data's sha256."""
        return {**super().state_dict(), "vocabulary": self.vocabulary.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Raises:
            InvalidInput: The checkpoint was trained with another vocabulary, so its ids mean other words.
        """
        self.vocabulary.require_same("sentiment", state_dict["vocabulary"])
        super().load_state_dict(state_dict)

    # Preparation -----------------------------------------------------------------------------------------------------

    def _download(self, column: str | None, config: str | None, revision: str | None, cache_dir: str | None) -> Any:
        column = column or TEXT_COLUMNS.get(self.source, "text")
        where: dict[str, Any] = {"config": config, "revision": revision, "cache_dir": cache_dir}
        where["offline_default"] = f"data.source {GRAMMAR}"
        splits: dict[str, Labelled] = {}
        for name in split_names(self.source, **where):
            if name in ("train", "validation", "test"):
                rows = load_split(self.source, name, (column, "label"), **where)
                self._facts["revision"] = loaded_revision(rows)
                splits[name] = self._labelled(name, rows[column], rows["label"])
        return self._complete(splits)

    def _labelled(self, split: str, texts: Iterable[Any], labels: Iterable[Any]) -> Labelled:
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

    def _complete(self, splits: dict[str, Labelled]) -> dict[str, Labelled]:
        """Return train, val and test, made from the splits that there are."""
        train, val, test = (splits.get(name, []) for name in ("train", "validation", "test"))
        if not test:
            val, test = [], val
            self._facts["test"] = "the validation split, as there is no labelled test split"
        if not train or not test:
            raise InvalidInput(
                f"sentiment: {self.source} needs a split 'train' and a labelled split 'test' or 'validation'; it has "
                f"{', '.join(name for name, texts in splits.items() if texts) or 'neither'}."
            )
        if not val:
            if len(train) < 2 / HELD_OUT:
                raise InvalidInput(f"sentiment: {len(train)} training texts are too few to hold out a validation set.")
            train, val = train_test_split(train, test_size=HELD_OUT, random_state=HELD_OUT_SEED)
            self._facts["validation"] = f"{HELD_OUT:.0%} of the training split"
        return {"train": train, "val": val, "test": test}

    def _cleaned(self, split: str, texts: Labelled) -> Labelled:
        """Return the texts that are not empty, cut to `max_length`; count what was changed."""
        kept = [(tokens[: self.max_length], label) for tokens, label in texts if tokens]
        if not kept:
            raise InvalidInput(f"sentiment: every text of {split} in {self.source} is empty; is it the right column?")
        self._facts[f"{split} texts"] = len(kept)
        if dropped := len(texts) - len(kept):
            self._facts[f"{split} empty and dropped"] = dropped
        if truncated := sum(len(tokens) > self.max_length for tokens, _ in texts):
            self._facts[f"{split} cut to {self.max_length} tokens"] = truncated
        return kept

    def _prepare(self, splits: dict[str, Labelled], vocabulary_size: int | None, min_count: int) -> None:
        if len({label for _, label in splits["train"]}) < len(LABELS):
            raise InvalidInput(
                f"sentiment: every training text of {self.source} has label {splits['train'][0][1]}, so there is "
                "nothing to tell apart; give texts of both, 0 and 1."
            )
        self.vocabulary = Vocabulary.build((tokens for tokens, _ in splits["train"]), vocabulary_size, min_count)
        self._encoded = {
            name: ([self.vocabulary.encode(tokens) for tokens, _ in texts], [label for _, label in texts])
            for name, texts in splits.items()
        }
        self._facts["vocabulary"] = len(self.vocabulary)
        for name, (sequences, _) in self._encoded.items():
            if unknown := sum(number == UNKNOWN for number in chain(*sequences)):
                self._facts[f"{name} tokens unknown"] = f"{unknown / sum(map(len, sequences)):.2%}"
        self.input_size = len(self.vocabulary)
        self.sequence_length = max(map(len, self._encoded["train"][0]))
        self.sha256 = content_sha256([name, list(tokens), label] for name in splits for tokens, label in splits[name])


def _generate(train_size: int, evaluation_size: int) -> dict[str, Labelled]:
    """Return generated sentences; a sentence and its partner are always in the same split."""
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
