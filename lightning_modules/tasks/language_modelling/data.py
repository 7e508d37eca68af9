"""Running text, in parallel streams of token ids; beside it, what models reach that count.

The default text comes with Python (`reference_text`); data sets of the hub by `data.source`: wikitext-2, ptb, any other
with a column of text, or a local folder in the same format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.data.hub import content_sha256, load_split, loaded_revision
from lightning_modules.data.loaders import Batch, BatchDataset, SequenceData
from lightning_modules.data.text import tokenize
from lightning_modules.data.vocabulary import BEGIN, END, PADDING, UNKNOWN, Vocabulary
from lightning_modules.tasks.language_modelling.ngrams import Ids, ngram_perplexities
from lightning_modules.tasks.language_modelling.reference_text import reference_text

REFERENCE = "pydoc"
TEXT_COLUMNS = {"ptb": "sentence", "ptb-text-only/ptb_text_only": "sentence"}
# WikiText and PTB come as tokens between blanks; anything else is better cut into words.
TOKENIZERS: dict[str, Callable[[str], list[str]]] = {"words": tokenize, "blanks": str.split}
HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}


class LanguageModellingData(SequenceData):
    """Running text in parallel streams of token ids.

    Args:
        source: pydoc (the reference text of this Python), a known data set (wikitext-2, ptb), an id on the Hugging Face
            hub, or a local folder in the same format.
        text_column: Column of the text; by default that of the known data set, or `text`.
        tokenizer: words (lower-cased words and punctuation) or blanks (what stands between blanks); by default words
            for pydoc and blanks for data sets, which come as tokens.
        config: Configuration of a data set of the hub, if it has several.
        revision: Commit, branch or tag on the hub; by default the one known to us.
        cache_dir: Where downloads are kept; by default where the Hugging Face libraries keep them.
        vocabulary_size: Most ids that tokens can have, four special ones included; null: as many as there are tokens.
        min_count: How often a token must occur in the training text to have an id of its own.
        segment_length: Timesteps through which the gradient goes back.
        batch_size: Parallel streams, of every split.
        seed: Seed of the run; the order of the text is always its own.
    """

    data_kind = "real"
    train_order = "fixed"

    def __init__(
        self,
        source: str = REFERENCE,
        text_column: str | None = None,
        tokenizer: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        vocabulary_size: int | None = 1000,
        min_count: int = 1,
        segment_length: int = 32,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.source = source
        self.sequence_length = require_positive_int("language modelling", "segment_length", segment_length)
        tokenizer = tokenizer or ("words" if source == REFERENCE else "blanks")
        self._cut = TOKENIZERS[require_choice("language modelling", "tokenizer", tokenizer, TOKENIZERS)]
        self._facts: dict[str, Any] = {"source": source}
        if source == REFERENCE:
            paragraphs = self._reference()
        else:
            column = text_column or TEXT_COLUMNS.get(source, "text")
            where = {"config": config, "revision": revision, "cache_dir": cache_dir}
            paragraphs = {split: self._downloaded(split, column, where) for split in HUB_SPLITS}
        self._prepare(paragraphs, vocabulary_size, min_count)

    def dataset(self, split: str) -> BatchDataset:
        """Return the segments of "train", "val" or "test"; a batch is the same segment of all streams."""
        return TokenStreams(self.ids[split], self.batch_size, self.sequence_length)

    def facts(self) -> dict[str, Any]:
        """Return source, sizes, and what was dropped or unknown."""
        return self._facts

    def baselines(self) -> dict[str, float]:
        """Return the test perplexities of a unigram and of an interpolated bigram model; see `ngrams`."""
        return ngram_perplexities(self.ids["train"], self.ids["val"], self.ids["test"], len(self.vocabulary))

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the vocabulary and the data's sha256."""
        return {**super().state_dict(), "vocabulary": self.vocabulary.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Raises:
            InvalidInput: The checkpoint was trained with another vocabulary, so its ids mean other words.
        """
        self.vocabulary.require_same("language modelling", state_dict["vocabulary"])
        super().load_state_dict(state_dict)

    # Preparation -----------------------------------------------------------------------------------------------------

    def _reference(self) -> dict[str, list[list[str]]]:
        text = reference_text()
        self._facts["topics"] = "/".join(str(text.topics[split]) for split in HUB_SPLITS)
        self._facts["repeated tokens dropped"] = text.repeated_tokens
        return text.splits

    def _downloaded(self, split: str, column: str, where: dict[str, Any]) -> list[list[str]]:
        rows = load_split(
            self.source, HUB_SPLITS[split], (column,), **where, offline_default=f"data.source {REFERENCE}"
        )
        self._facts["revision"] = loaded_revision(rows)
        lines = [self._tokens(split, number, text) for number, text in enumerate(rows[column])]
        filled = [tokens for tokens in lines if tokens]
        if dropped := len(lines) - len(filled):
            self._facts[f"{split} empty lines dropped"] = dropped
        return filled

    def _tokens(self, split: str, number: int, text: object) -> list[str]:
        if not isinstance(text, str):
            raise InvalidInput(
                f"language modelling: row {number} of {split} has no text but {text!r}; correct or drop it."
            )
        return self._cut(text)

    def _prepare(self, paragraphs: dict[str, list[list[str]]], vocabulary_size: int | None, min_count: int) -> None:
        self.vocabulary = Vocabulary.build(paragraphs["train"], vocabulary_size, min_count)
        self.ids = {split: self._running(texts) for split, texts in paragraphs.items()}
        for split, ids in self.ids.items():
            if len(ids) < self.batch_size:
                raise InvalidInput(
                    f"language modelling: {split} has {len(ids)} tokens, too few for {self.batch_size} streams; give "
                    "more text, or lower data.batch_size."
                )
            self._facts[f"{split} tokens"] = len(ids)
            self._facts[f"{split} unknown"] = f"{(ids == UNKNOWN).mean():.2%}"
        self._facts["vocabulary"] = len(self.vocabulary)
        self.input_size = self.output_size = len(self.vocabulary)
        self.sha256 = content_sha256([split, texts] for split, texts in paragraphs.items())

    def _running(self, texts: Iterable[list[str]]) -> Ids:
        """Return the ids (tokens,) of all texts, one after the other, an end mark after each."""
        return np.array([*chain.from_iterable([*self.vocabulary.encode(tokens), END] for tokens in texts)], np.int64)


class TokenStreams(BatchDataset):
    """Parallel streams of running text in segments: sample `segment * streams + stream`.

    Every token is the target of one timestep, and the input of the one after it; the first follows `BEGIN`. Where the
    text ends within a stream, input and target are padding.
    """

    def __init__(self, ids: Ids, streams: int, segment_length: int) -> None:
        length = -(-len(ids) // streams)
        segment_length = min(segment_length, length)  # what is longer would be padding, which is cut off again
        self._segments = -(-length // segment_length)
        self._streams = streams
        columns = self._segments * segment_length
        self._inputs = self._arranged(np.concatenate([[BEGIN], ids[:-1]]), length, columns)
        self._targets = self._arranged(ids, length, columns)

    def __len__(self) -> int:
        """Return the number of segments of all streams together."""
        return self._segments * self._streams

    def __getitem__(self, indices: list[int]) -> Batch:
        """Return inputs and targets (batch, time); time is shorter than a segment where all streams end."""
        segments, streams = np.divmod(np.array(indices), self._streams)
        inputs, targets = self._inputs[streams, segments], self._targets[streams, segments]
        time = int((targets != PADDING).any(0).sum())
        return inputs[:, :time], targets[:, :time]

    def _arranged(self, ids: Ids, length: int, columns: int) -> Tensor:
        """Return ids (streams, segments, segment_length), padded."""
        arranged = np.full((self._streams, columns), PADDING)
        arranged[:, :length].flat[: len(ids)] = ids
        return torch.from_numpy(arranged.reshape(self._streams, self._segments, -1))
