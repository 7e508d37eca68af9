"""Effect size and paired test against their definitions."""

from __future__ import annotations

from itertools import product

import pytest
from scipy.stats import rankdata, wilcoxon

from studies.tasks.statistics import cliffs_delta, compare, mean_and_deviation, signed_rank_p, smallest_p


def by_all_signs(differences: list[float]) -> float:
    """The two-sided signed-rank test from its definition: how often random signs give as extreme a rank sum.

    Zeros take part in the ranking and are then dropped (Pratt).
    """
    ranks = rankdata([abs(d) for d in differences])
    kept = [(rank, d) for rank, d in zip(ranks, differences, strict=True) if d != 0]
    total = sum(rank for rank, _ in kept)
    found = abs(2 * sum(rank for rank, d in kept if d > 0) - total)
    sums = [
        abs(2 * sum(r for (r, _), sign in zip(kept, signs, strict=True) if sign) - total)
        for signs in product((0, 1), repeat=len(kept))
    ]
    return sum(value >= found - 1e-9 for value in sums) / len(sums)


@pytest.mark.parametrize(
    "differences",
    [[0.1, 0.2, 0.3], [0.1, -0.2, 0.3], [0.1, 0.1, 0.1], [0.1, 0.0, 0.1], [-1.0, -2.0, 3.0, -4.0, -5.0], [0.0, 2.0]],
)
def test_signed_rank_test_is_exact_with_ties_and_zeros(differences: list[float]) -> None:
    assert signed_rank_p(differences) == pytest.approx(by_all_signs(differences))


def test_signed_rank_test_agrees_with_the_table_where_there_is_one() -> None:
    differences = [0.3, -0.1, 0.5, 0.7, 0.9, -0.2, 1.1, 1.3]
    assert signed_rank_p(differences) == pytest.approx(wilcoxon(differences, method="exact").pvalue)


def test_too_few_or_equal_values() -> None:
    assert signed_rank_p([0.5]) is None
    assert signed_rank_p([0.0, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize("n", [2, 3, 5])
def test_no_p_value_is_below_the_smallest(n: int) -> None:
    assert signed_rank_p([1.0 + k for k in range(n)]) == pytest.approx(smallest_p(n)) == pytest.approx(2 / 2**n)


def test_cliffs_delta() -> None:
    assert cliffs_delta([3, 4], [1, 2]) == 1
    assert cliffs_delta([1, 2], [3, 4]) == -1
    assert cliffs_delta([1, 2], [1, 2]) == 0
    assert cliffs_delta([1, 3], [2, 2, 0]) == pytest.approx((4 - 2) / 6)


def test_comparison_pairs_the_seeds_that_both_have() -> None:
    comparison = compare({0: 0.5, 1: 0.7, 2: 0.9}, {2: 0.8, 1: 0.8, 5: 0.1})
    assert comparison is not None
    assert comparison.differences == pytest.approx({1: -0.1, 2: 0.1})
    assert comparison.advantage == pytest.approx(0)
    assert (comparison.seeds_ahead, comparison.seeds_behind) == (1, 1)
    assert compare({0: 1.0}, {1: 1.0}) is None


def test_lower_can_be_better() -> None:
    comparison = compare({0: 10.0, 1: 11.0}, {0: 20.0, 1: 21.0}, lower_is_better=True)
    assert comparison is not None
    assert comparison.mean == -10
    assert comparison.advantage == 10
    assert comparison.delta == 1
    assert (comparison.seeds_ahead, comparison.seeds_behind) == (2, 0)


def test_deviation_is_that_of_a_sample() -> None:
    assert mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert mean_and_deviation([1.0]) == (1.0, None)
