"""Perplexities of models that count: what a language model must beat on the same tokens.

    unigram   p(w)     = (c(w) + alpha) / (N + alpha V)
    bigram    p(w | v) = (c(v, w) + beta p(w)) / (c(v) + beta)

c counts training tokens, N is their number, V the number of ids. The bigram is interpolated with the unigram, the more
so the rarer its context v (a Dirichlet prior, as MacKay and Peto use it, 1995). alpha, then beta, are those of the
lowest validation perplexity.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

from lightning_modules.data.vocabulary import BEGIN

Counts = np.ndarray[tuple[int], np.dtype[np.float64]]
Ids = np.ndarray[tuple[int], np.dtype[np.int64]]  # (tokens,)
SMALLEST, LARGEST = 1e-3, 1e4  # of alpha and beta


def ngram_perplexities(train: Ids, val: Ids, test: Ids, size: int) -> dict[str, float]:
    """Return the test perplexities of both models; `size` is the number of ids V. The first token follows `BEGIN`."""
    counts = np.bincount(train, minlength=size).astype(float)
    alpha = _best(lambda alpha: _perplexity(_unigram(counts, alpha)[val]))
    unigram = _unigram(counts, alpha)
    beta = _best(lambda beta: _perplexity(_bigram(train, val, unigram, beta)))
    return {
        "test_perplexity_unigram": _perplexity(unigram[test]),
        "test_perplexity_bigram": _perplexity(_bigram(train, test, unigram, beta)),
    }


def _unigram(counts: Counts, alpha: float) -> Counts:
    """Return the probability (ids,) of every id."""
    return np.asarray((counts + alpha) / (counts.sum() + alpha * len(counts)))


def _bigram(train: Ids, tokens: Ids, unigram: Counts, beta: float) -> Counts:
    """Return the probability (tokens,) of every token after the one before it."""
    size = len(unigram)
    pairs, counts = np.unique(_contexts(train) * size + train, return_counts=True)
    wanted = _contexts(tokens) * size + tokens
    place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    joint = np.where(pairs[place] == wanted, counts[place], 0)
    context = np.bincount(_contexts(train), minlength=size)[_contexts(tokens)]
    return np.asarray((joint + beta * unigram[tokens]) / (context + beta))


def _contexts(tokens: Ids) -> Ids:
    """Return the token before every token."""
    return np.concatenate([[BEGIN], tokens[:-1]])


def _perplexity(probabilities: Counts) -> float:
    return float(np.exp(-np.log(probabilities).mean()))


def _best(perplexity: Callable[[float], float]) -> float:
    """Return the positive number at which a function of it is smallest."""
    bounds = (np.log(SMALLEST), np.log(LARGEST))
    found = minimize_scalar(lambda logarithm: perplexity(float(np.exp(logarithm))), bounds=bounds, method="bounded")
    return float(np.exp(found.x))
