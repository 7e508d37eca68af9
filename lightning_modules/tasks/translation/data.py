"""The data module of the translation task: pairs of `language_pairs` as token numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backends.errors import InvalidInput
from lightning_modules.data.hub import content_sha256
from lightning_modules.data.loaders import Batch, BatchDataset, SequenceData
from lightning_modules.data.vocabulary import END, PADDING, Vocabulary
from lightning_modules.tasks.translation.language_pairs import (
    NUMBERS,
    Pair,
    Splits,
    detokenize,
    number_pairs,
    shorten,
    text_pairs,
)
from lightning_modules.tasks.translation.number_words import word_by_word
from lightning_modules.tasks.translation.scores import TranslationScores


class TranslationData(SequenceData):
    """Pairs to translate from German into English.

    Args:
        source: numbers (generated number words), multi30k, iwslt14, another id on the Hugging Face hub, or a local
            folder in the format of one of them.
        largest: Of numbers: the words are those of 0 to this number, at most 999999.
        train_size: Of numbers: how many are trained on; null takes all but those held out.
        val_size: Of numbers: how many are held out to validate.
        test_size: Of numbers: how many are held out to test.
        source_tokens: Of numbers: German by morphemes (zwei hundert ein und vierzig) or by characters.
        max_length: Of text: training and validation pairs with more tokens on a side are dropped; null drops none.
        max_vocabulary: Of text: most tokens of a language that have a number of their own; null gives one to all.
        min_count: Of text: how often a training token must occur to have a number of its own.
        lower_case: Of text: lower-case both languages, and score without regard to case.
        revision: Of a data set on the hub: commit, branch or tag; null takes the known one.
        cache_dir: Of a data set on the hub: where downloads are kept; null leaves it to the datasets library.
        batch_size: Pairs in a batch.
        seed: Seed of the order of the training batches.

    `input_size` and `output_size` are the sizes of the two vocabularies, `sequence_length` the timesteps of the longest
    pair: source, target and end. Raises InvalidInput on data that cannot be had or used.
    """

    def __init__(
        self,
        source: str = NUMBERS,
        largest: int = 9999,
        train_size: int | None = None,
        val_size: int = 500,
        test_size: int = 1000,
        source_tokens: str = "morphemes",
        max_length: int | None = 40,
        max_vocabulary: int | None = 8000,
        min_count: int = 2,
        lower_case: bool = True,
        revision: str | None = None,
        cache_dir: str | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.source = source
        self._generated = source == NUMBERS
        self.data_kind = "synthetic" if self._generated else "real"
        self.lower_case = lower_case and not self._generated
        self._numbers = (largest, train_size, val_size, test_size, source_tokens)
        self._text = (lower_case, revision, cache_dir)
        self.max_length, self.max_vocabulary, self.min_count = max_length, max_vocabulary, min_count
        self._dropped: dict[str, int] = {}

    def read(self) -> None:
        """Read or generate the pairs, drop those that are too long, and number the words."""
        if self._generated:
            self._pairs = number_pairs(*self._numbers)
            self._number_tokens(None, 1)
        else:
            self._pairs = self._drop(text_pairs(self.source, *self._text))
            self._number_tokens(self.max_vocabulary, self.min_count)
        self.sha256 = content_sha256(
            [split, list(pair.source), list(pair.target), pair.reference]
            for split, pairs in self._pairs.items()
            for pair in pairs
        )

    def dataset(self, split: str) -> TokenPairs:
        """Return the pairs of "train", "val" or "test" as token numbers."""
        return self._datasets[split]

    def facts(self) -> dict[str, Any]:
        """Return source and kind of the data, and per split how many pairs there are and how many were dropped."""
        sizes = {f"{split} pairs": len(pairs) for split, pairs in self._pairs.items()}
        dropped = {f"{split} pairs dropped": count for split, count in self._dropped.items()}
        return {
            "source": self.source,
            "kind": self.data_kind,
            **sizes,
            **dropped,
            "source vocabulary": self.input_size,
            "target vocabulary": self.output_size,
        }

    def baselines(self) -> dict[str, float]:
        """Return what a dictionary scores on number words by morphemes: word by word, without reordering."""
        *_, source_tokens = self._numbers
        if not self._generated or source_tokens != "morphemes":
            return {}
        scores = TranslationScores()
        translations = [" ".join(word_by_word(pair.source)) for pair in self._pairs["test"]]
        scores.update(translations, self.references("test"))
        return {f"word_by_word_{name}": float(value) for name, value in scores.compute().items()}

    def references(self, split: str) -> list[str]:
        """Return the reference translations of a split, as text, in the order in which val and test are served."""
        return [pair.reference for pair in self._pairs[split]]

    def text(self, tokens: Tensor) -> list[str]:
        """Return translations, token numbers (batch, steps), as detokenised text."""
        return [detokenize(self.target_vocabulary.decode(row)) for row in tokens.tolist()]

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the data's sha256, and both vocabularies."""
        vocabularies = {"source": self.source_vocabulary.state_dict(), "target": self.target_vocabulary.state_dict()}
        return {**super().state_dict(), "vocabularies": vocabularies}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Raises:
            InvalidInput: Its weights were trained with other vocabularies, so their token numbers mean other words.
        """
        for language, ours in (("source", self.source_vocabulary), ("target", self.target_vocabulary)):
            ours.require_same(f"translation, {language}", state_dict["vocabularies"][language])
        super().load_state_dict(state_dict)

    def _number_tokens(self, max_size: int | None, min_count: int) -> None:
        """Build the vocabularies, from the training pairs alone, and what the model must know."""
        train = self._pairs["train"]
        self.source_vocabulary = Vocabulary.build((pair.source for pair in train), max_size, min_count)
        self.target_vocabulary = Vocabulary.build((pair.target for pair in train), max_size, min_count)
        self._datasets = {
            split: TokenPairs(pairs, self.source_vocabulary, self.target_vocabulary)
            for split, pairs in self._pairs.items()
        }
        self.input_size, self.output_size = len(self.source_vocabulary), len(self.target_vocabulary)
        self.sequence_length = max(_timesteps(pair) for pairs in self._pairs.values() for pair in pairs)

    def _drop(self, read: Splits) -> Splits:
        """Drop what is empty or too long; a test set is kept whole but for empty sides, so that scores compare."""
        kept = {}
        for split, pairs in read.items():
            kept[split], self._dropped[split] = shorten(pairs, None if split == "test" else self.max_length)
            if not kept[split]:
                raise InvalidInput(
                    f"translation: no pair of {self.source!r} ({split}) has 1 to {self.max_length} tokens on both "
                    "sides; raise data.max_length."
                )
        return kept


class TokenPairs(BatchDataset):
    """Pairs as token numbers, padded with 0 to the longest of their batch."""

    def __init__(self, pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> None:
        self._sources = [torch.tensor(source.encode(pair.source)) for pair in pairs]
        self._targets = [torch.tensor([*target.encode(pair.target), END]) for pair in pairs]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._sources)

    def __getitem__(self, indices: list[int]) -> Batch:
        """Return sources (batch, source steps) and targets (batch, target steps), which close with an end token."""
        return _pad(self._sources[i] for i in indices), _pad(self._targets[i] for i in indices)


def _pad(rows: Iterable[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=PADDING)


def _timesteps(pair: Pair) -> int:
    return len(pair.source) + len(pair.target) + 1  # with the end token
