"""Running text, in parallel streams of token ids; beside it, what models reach that count.

The default text comes with Python (`reference_text`); data sets of the hub by `data.source`: wikitext-2, ptb, any other
with a column of text, or a local folder in the same format.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.data import hub
from lightning_modules.data.loaders import Batch, BatchDataset
from lightning_modules.data.text import TextData
from lightning_modules.data.vocabulary import BEGIN, END, PADDING, UNKNOWN, Vocabulary
from lightning_modules.tasks.language_modelling.ngrams import Ids, ngram_perplexities
from lightning_modules.tasks.language_modelling.paragraphs import TOKENIZERS, data_set_paragraphs, reference_paragraphs
from lightning_modules.tasks.language_modelling.reference_text import Paragraphs

REFERENCE = "pydoc"


class LanguageModellingData(TextData):
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

    name = "language modelling"
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
        super().__init__(source, batch_size, seed)
        self.sequence_length = require_positive_int(self.name, "segment_length", segment_length)
        self.vocabulary_size, self.min_count = vocabulary_size, min_count
        tokenizer = tokenizer or ("words" if source == REFERENCE else "blanks")
        require_choice(self.name, "tokenizer", tokenizer, TOKENIZERS)
        self._where = (text_column or hub.text_column(source), tokenizer, config, revision, cache_dir)

    def read(self) -> None:
        """Read the text, and number its tokens."""
        paragraphs, facts = (
            reference_paragraphs() if self.source == REFERENCE else data_set_paragraphs(self.source, *self._where)
        )
        self._facts |= facts
        self._number(paragraphs)

    def dataset(self, split: str) -> BatchDataset:
        """Return the segments of "train", "val" or "test"; a batch is the same segment of all streams."""
        return TokenStreams(self.ids[split], self.batch_size, self.sequence_length)

    def baselines(self) -> dict[str, float]:
        """Return the test perplexities of a unigram and of an interpolated bigram model; see `ngrams`."""
        return ngram_perplexities(self.ids["train"], self.ids["val"], self.ids["test"], len(self.vocabulary))

    def _number(self, paragraphs: dict[str, Paragraphs]) -> None:
        """Build the vocabulary, from the training text alone, and what the model must know."""
        self.vocabulary = Vocabulary.build(paragraphs["train"], self.vocabulary_size, self.min_count)
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
        self.sha256 = hub.content_sha256([split, texts] for split, texts in paragraphs.items())

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
