"""Statements about times: exact intervals, balanced orders, and verdicts that claim no more than was measured."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom

from tensorproof.timing.results.statistics import balanced_order, compare, median_interval, quantiles, thinned

INFINITE = (-math.inf, math.inf)


@pytest.mark.parametrize("count", [6, 7, 9, 12, 25, 31, 101], ids=str)
def test_the_interval_is_the_narrowest_of_order_statistics_that_covers_the_median(count):
    found = median_interval(range(count))
    rank = int(found.low) + 1
    assert found.high == count - rank
    # The rank-th smallest lies above the median if fewer than rank values lie below it.
    missed = 2.0 * sum(binom.pmf(below, count, 0.5) for below in range(rank))
    assert missed <= 0.05 + 1e-12
    assert missed + 2.0 * binom.pmf(rank, count, 0.5) > 0.05


def test_the_interval_covers_the_median_as_often_as_it_says_whatever_the_distribution():
    draw = np.random.default_rng(7)
    samples = np.exp(draw.standard_cauchy((2000, 15)).clip(-50, 50))
    found = [median_interval(row) for row in samples]
    covered = np.mean([item.low <= 1.0 <= item.high for item in found])
    exact = 1.0 - 2.0 * binom.cdf(3, 15, 0.5)
    assert abs(covered - exact) < 4.0 * math.sqrt(exact * (1.0 - exact) / 2000)


@pytest.mark.parametrize("count", [1, 2, 5], ids=str)
def test_fewer_than_six_values_give_no_interval(count):
    found = median_interval([3.0] * count)
    assert (found.low, found.high) == INFINITE
    assert found.median == 3.0


def test_no_value_has_no_median():
    with pytest.raises(ValueError, match="at least one"):
        median_interval([])


@pytest.mark.parametrize("count", range(1, 9), ids=str)
def test_orders_are_balanced(count):
    rounds = 2 * count
    orders = [balanced_order(count, index) for index in range(rounds)]
    assert all(sorted(order) == list(range(count)) for order in orders)
    for place in range(count):
        assert set(Counter(order[place] for order in orders).values()) == {2}
    followed = Counter(pair for order in orders for pair in pairwise(order))
    assert len(set(followed.values())) <= 1
    assert len(followed) == count * (count - 1)


def spread(ratio: float, width: float = 0.001, rounds: int = 31) -> list[float]:
    return [ratio * (1.0 + width * (place / (rounds - 1) - 0.5)) for place in range(rounds)]


@pytest.mark.parametrize(
    ("ratio", "launches", "resolution", "verdict"),
    [
        (1.00, 3, 0.0, "same"),
        (1.015, 3, 0.0, "same"),
        (0.985, 3, 0.0, "same"),
        (1.03, 3, 0.0, "slower"),
        (0.97, 3, 0.0, "faster"),
        (1.0200, 3, 0.0, "not_resolved"),
        (1.025, 2, 0.0, "not_resolved"),
        (1.025, 1, 0.0, "not_resolved"),
        (1.05, 1, 0.0, "slower"),
        (1.05, 3, 0.08, "not_resolved"),
        (1.10, 3, 0.08, "slower"),
        (0.90, 3, 0.08, "faster"),
    ],
    ids=lambda value: str(value),
)
def test_a_verdict_claims_no_more_than_was_measured(ratio, launches, resolution, verdict):
    found = compare([spread(ratio)] * launches, resolution)
    assert found.verdict == verdict
    assert found.low <= found.ratio <= found.high
    assert len(found.launch_ratios) == launches
    assert found.rounds == 31 * launches


def test_few_rounds_resolve_nothing():
    found = compare([[2.0], [2.0], [2.0]])
    assert found.verdict == "not_resolved"
    assert (found.low, found.high) == (0.0, math.inf)


def test_launches_that_differ_widen_the_interval():
    agreeing = compare([spread(1.05)] * 3)
    differing = compare([spread(1.00), spread(1.05), spread(1.10)])
    assert agreeing.verdict == "slower"
    assert differing.verdict == "not_resolved"
    assert differing.low < agreeing.low < agreeing.high < differing.high


def test_the_interval_turned_round_is_that_of_the_inverse_ratios():
    ratios = [np.exp(np.random.default_rng(launch).normal(0.03, 0.05, 31)) for launch in range(3)]
    found, turned = compare(ratios), compare([1.0 / of_launch for of_launch in ratios])
    assert found.ratio == pytest.approx(1.0 / turned.ratio)
    assert found.low == pytest.approx(1.0 / turned.high)
    assert found.high == pytest.approx(1.0 / turned.low)


@pytest.mark.parametrize("ratios", [[], [[]], [[1.0, 0.0]], [[1.0, -1.0]], [[math.nan]], [[math.inf]]], ids=str)
@pytest.mark.filterwarnings("ignore:.*encountered in log:RuntimeWarning")
def test_ratios_must_be_positive_numbers(ratios):
    with pytest.raises(ValueError, match="ratios_by_launch"):
        compare(ratios)


def test_a_launch_without_rounds_does_not_count():
    assert compare([spread(1.025), [], []]).verdict == "not_resolved"


def test_false_verdicts_are_rare_where_nothing_differs():
    draw = np.random.default_rng(3)
    verdicts = Counter(compare([np.exp(draw.normal(0.0, 0.05, 11)) for _ in range(3)]).verdict for _ in range(400))
    assert verdicts["faster"] + verdicts["slower"] <= 8


def test_quantiles_and_thinned_samples_keep_the_ends_of_the_range():
    values = list(range(1001))
    assert quantiles(values)[0] == 0
    assert quantiles(values)[10] == 500
    assert quantiles(values)[-1] == 1000
    assert len(quantiles([5.0])) == 21
    assert len(thinned(values)) <= 200
    assert thinned(values[:200]) == values[:200]
