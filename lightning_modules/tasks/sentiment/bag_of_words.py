"""What a classifier reaches that does not read, but counts: the yardstick beside every sentiment result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

Ids = Sequence[int]
Labelled = tuple[Sequence[Ids], Sequence[int]]  # token ids and label of every text


def bag_of_words_accuracies(train: Labelled, test: Labelled) -> dict[str, float]:
    """Return the test accuracies of logistic regression on counts of tokens, and of tokens and neighbouring pairs.

    Regularised as scikit-learn does by default (C = 1), not tuned.
    """
    return {
        "test_accuracy_bag_of_words": _accuracy(list, train, test),
        "test_accuracy_bag_of_pairs": _accuracy(_words_and_pairs, train, test),
    }


def _accuracy(features: Callable[[Ids], Sequence[object]], train: Labelled, test: Labelled) -> float:
    model = make_pipeline(CountVectorizer(analyzer=features), LogisticRegression(max_iter=1000))
    model.fit(*train)
    return float(model.score(*test))


def _words_and_pairs(ids: Ids) -> Sequence[object]:
    # As text, because the vectorizer sorts its features, and numbers do not compare with pairs.
    words = [str(number) for number in ids]
    return words + [f"{first} {second}" for first, second in pairwise(words)]
