"""Texts with a sentiment: generated sentences in which order matters, or real reviews of the hub.

The default needs no network: a grammar of negation and intensifiers (`grammar`), synthetic. Real data by
`data.source`: rotten_tomatoes, sst2, imdb, any other data set with a column of text and a column `label` of 0 and 1, or
a local folder in the same format. What a set lacks is made from what it has, and said: without a labelled test split
(sst2) the validation split is the test set; without a validation split a tenth of the training split is held out.
"""

from __future__ import annotations

from itertools import chain
from typing import cast

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.data import hub
from lightning_modules.data.loaders import BatchDataset, EpochBatches
from lightning_modules.data.text import BucketedBatches, TextData, TokenSequences
from lightning_modules.data.vocabulary import UNKNOWN, Vocabulary
from lightning_modules.tasks.sentiment.bag_of_words import bag_of_words_accuracies
from lightning_modules.tasks.sentiment.grammar import generated
from lightning_modules.tasks.sentiment.reviews import LABELS, Labelled, Texts, read_reviews

GRAMMAR = "grammar"


class SentimentData(TextData):
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

    name = "sentiment"
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
        super().__init__(source, batch_size, seed)
        self.max_length = require_positive_int("sentiment", "max_length", max_length)
        self.vocabulary_size, self.min_count = vocabulary_size, min_count
        self.data_kind = "synthetic" if source == GRAMMAR else "real"
        self._sizes = (train_size, evaluation_size)
        self._where = (text_column or hub.text_column(source), config, revision, cache_dir)

    def read(self) -> None:
        """Read or generate the texts, clean them, and number their words."""
        if self.source == GRAMMAR:
            splits: Texts = {**generated(*self._sizes)}
        else:
            splits, facts = read_reviews(self.source, *self._where)
            self._facts |= facts
        self._number({name: self._cleaned(name, texts) for name, texts in splits.items()})

    def dataset(self, split: str) -> BatchDataset:
        """Return the texts of "train", "val" or "test" as ids (batch, time), with labels (batch,)."""
        return self._datasets[split]

    def batches(self, dataset: BatchDataset, order: str) -> EpochBatches:
        """Return batches of texts of similar length."""
        return BucketedBatches(cast(TokenSequences, dataset).lengths, self.batch_size, order, self.seed)

    def baselines(self) -> dict[str, float]:
        """Return the test accuracies of logistic regression on counts of words, and of words and neighbouring pairs."""
        return bag_of_words_accuracies(self._encoded["train"], self._encoded["test"])

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

    def _number(self, splits: Texts) -> None:
        """Build the vocabulary, from the training texts alone, and what the model must know."""
        if len({label for _, label in splits["train"]}) < len(LABELS):
            raise InvalidInput(
                f"sentiment: every training text of {self.source} has label {splits['train'][0][1]}, so there is "
                "nothing to tell apart; give texts of both, 0 and 1."
            )
        words = (tokens for tokens, _ in splits["train"])
        self.vocabulary = Vocabulary.build(words, self.vocabulary_size, self.min_count)
        encode = self.vocabulary.encode
        self._encoded = {
            name: ([encode(tokens) for tokens, _ in texts], [label for _, label in texts])
            for name, texts in splits.items()
        }
        self._datasets = {name: TokenSequences(*encoded) for name, encoded in self._encoded.items()}
        self._facts["vocabulary"] = len(self.vocabulary)
        for name, (sequences, _) in self._encoded.items():
            if unknown := sum(number == UNKNOWN for number in chain(*sequences)):
                self._facts[f"{name} tokens unknown"] = f"{unknown / sum(map(len, sequences)):.2%}"
        self.input_size = len(self.vocabulary)
        self.sequence_length = max(map(len, self._encoded["train"][0]))
        self.sha256 = hub.content_sha256(
            [name, list(tokens), label] for name in splits for tokens, label in splits[name]
        )
