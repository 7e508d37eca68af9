"""How a cell compares with the reference: over the same seeds, by effect size and by a test for pairs.

Cliff's delta of values a over values b is the share of pairs (a_i, b_j) with a_i > b_j less the share with a_i < b_j:
1 if every a is larger, -1 if every b is, 0 if neither tends to be (N. Cliff, Psychological Bulletin 114, 1993).
Wilcoxon's signed-rank test asks whether the differences between the values of the same seed are symmetric about zero.
It is computed exactly, over all signs; with n seeds its p-value cannot be below 2 / 2**n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from scipy.stats import PermutationMethod, wilcoxon

# Pairs up to which all signs are tried; beyond, scipy's own choice is as good.
_ALL_SIGNS = 13


@dataclass(frozen=True)
class Comparison:
    """A cell against the reference over the seeds that both have.

    `differences` by seed: cell minus reference, in units of the metric. `delta`: Cliff's delta, 1 if the cell is better
    in every pair, -1 if the reference is. `p_value` of the two-sided signed-rank test; None with fewer than two seeds.
    """

    differences: Mapping[int, float]
    delta: float
    p_value: float | None
    lower_is_better: bool

    @property
    def mean(self) -> float:
        """Mean of the differences."""
        return fmean(self.differences.values())

    @property
    def advantage(self) -> float:
        """By how much the cell is better than the reference, on average; negative if it is worse."""
        return -self.mean if self.lower_is_better else self.mean

    @property
    def seeds_ahead(self) -> int:
        """Number of seeds with which the cell is better than the reference."""
        return sum((difference < 0) if self.lower_is_better else (difference > 0) for difference in self._values)

    @property
    def seeds_behind(self) -> int:
        """Number of seeds with which the cell is worse than the reference."""
        return sum((difference > 0) if self.lower_is_better else (difference < 0) for difference in self._values)

    @property
    def _values(self) -> Sequence[float]:
        return list(self.differences.values())


def compare(
    cell: Mapping[int, float], reference: Mapping[int, float], *, lower_is_better: bool = False
) -> Comparison | None:
    """Compare values by seed over the seeds that both have; None if there are none."""
    seeds = [seed for seed in cell if seed in reference]
    if not seeds:
        return None
    own, others = [cell[seed] for seed in seeds], [reference[seed] for seed in seeds]
    delta = cliffs_delta(own, others)
    differences = {seed: cell[seed] - reference[seed] for seed in seeds}
    return Comparison(
        differences, -delta if lower_is_better else delta, signed_rank_p(list(differences.values())), lower_is_better
    )


def cliffs_delta(values: Sequence[float], others: Sequence[float]) -> float:
    """Return Cliff's delta of `values` over `others`, from -1 to 1."""
    signs = np.sign(np.subtract.outer(np.asarray(values, float), np.asarray(others, float)))
    return float(signs.mean())


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """Return the p-value of Wilcoxon's two-sided signed-rank test; None for fewer than two differences."""
    n = len(differences)
    if n < 2:
        return None
    if not any(differences):
        return 1.0
    # Over all signs it is exact with ties and zeros too, which scipy's table is not.
    method = PermutationMethod(n_resamples=2**n) if n <= _ALL_SIGNS else "auto"
    return float(wilcoxon(differences, zero_method="pratt", method=method).pvalue)


def smallest_p(n: int) -> float:
    """Return the smallest p-value that the signed-rank test can have with n pairs: all of one sign."""
    return 2.0 ** (1 - n)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean, and the standard deviation of a sample (n - 1); None of fewer than two values."""
    return fmean(values), stdev(values) if len(values) > 1 else None
