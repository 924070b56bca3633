"""From samples to statements: medians with exact intervals, quantiles, and the comparison of two contenders.

Times on shared machines have no normal distribution, so nothing here assumes one. The interval of a median is that of the sign
test: between two order statistics, with a coverage that the binomial distribution gives exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

CONFIDENCE = 0.95
SAME = math.log(1.02)
"""Contenders within 2 % of each other are the same."""
FEW_LAUNCHES = 3
UNRELIABLE = math.log(1.03)
"""With fewer than three launches no difference under 3 % is claimed: so much lies between launches of the same code."""
QUANTILES = tuple(np.linspace(0.0, 1.0, 21))
KEPT = 200


@dataclass(frozen=True)
class Interval:
    """A median and its interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """How long a contender takes for each unit of the reference's time: above 1 it is slower."""

    ratio: float
    low: float
    high: float
    rounds: int
    launch_ratios: tuple[float, ...]
    verdict: str


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The median, and the narrowest interval of order statistics that covers the true one with at least ``confidence``.

    The k-th smallest and the k-th largest of n values enclose the median with probability 1 - 2·P(Binomial(n, ½) < k). Fewer
    than six values give no interval at 95 %: it is infinite. Source: Conover, Practical Nonparametric Statistics, §3.2.

    >>> median_interval([1, 2, 3, 4, 5, 6, 7])
    Interval(median=4.0, low=1.0, high=7.0)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = len(ordered)
    if not count:
        raise ValueError("values: expected at least one")
    # Loaded here, and not scipy.stats: every command starts with this file, and the latter takes half a second.
    below = scipy.special.bdtr(np.arange(count, dtype=np.float64), count, 0.5)
    # The k-th order statistic needs P(< k) ≤ α/2: k counts the values of P(≤ k - 1) that are small enough.
    rank = int(np.searchsorted(below, (1.0 - confidence) / 2.0, side="right"))
    if rank < 1:
        return Interval(float(np.median(ordered)), -math.inf, math.inf)
    return Interval(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[count - rank]))


def quantiles(values: Sequence[float]) -> list[float]:
    """21 quantiles, from the minimum in steps of 5 % to the maximum."""
    return [float(value) for value in np.quantile(np.asarray(values, dtype=np.float64), QUANTILES)]


def thinned(values: Sequence[float]) -> list[float]:
    """At most 200 of the values, evenly spaced in time."""
    step = max(1, math.ceil(len(values) / KEPT))
    return [float(value) for value in values[::step]]


def compare(ratios_by_launch: Sequence[Sequence[float]], resolution: float = 0.0) -> Comparison:
    """The verdict on paired ratios (contender's time over the reference's in the same round), by launch.

    The estimate is the median over all rounds. The interval is that of the sign test, at least as wide as two
    standard errors of the launches' medians on either side. ``resolution`` is the logarithm of the ratio that
    contenders that are the same reached in this run. Verdicts: ``faster`` and ``slower`` if the interval lies beyond 2 % (or
    the resolution, or 3 % with fewer than three launches), ``same`` if it lies within 2 %, ``not_resolved`` otherwise.

    Raises:
        ValueError: there is no ratio, or one is not positive.
    """
    logs = [np.log(np.asarray(ratios, dtype=np.float64)) for ratios in ratios_by_launch if len(ratios)]
    pooled = np.concatenate(logs) if logs else np.zeros(0)
    if not len(pooled) or not np.all(np.isfinite(pooled)):
        raise ValueError("ratios_by_launch: expected at least one ratio, each positive")
    interval = median_interval(list(pooled))
    medians = [float(np.median(of_launch)) for of_launch in logs]
    low, high = _widened(interval, medians)
    return Comparison(
        ratio=math.exp(interval.median),
        low=math.exp(low) if math.isfinite(low) else 0.0,
        high=math.exp(high) if math.isfinite(high) else math.inf,
        rounds=len(pooled),
        launch_ratios=tuple(math.exp(median) for median in medians),
        verdict=_verdict(low, high, len(medians), resolution),
    )


def _widened(interval: Interval, medians: Sequence[float]) -> tuple[float, float]:
    """The interval, at least as wide as two standard errors of the mean of the launches' medians on either side."""
    if len(medians) < 2:
        return interval.low, interval.high
    reach = 2.0 * float(np.std(medians, ddof=1)) / math.sqrt(len(medians))
    return min(interval.low, interval.median - reach), max(interval.high, interval.median + reach)


def _verdict(low: float, high: float, launches: int, resolution: float) -> str:
    margin = max(SAME, resolution, 0.0 if launches >= FEW_LAUNCHES else UNRELIABLE)
    if high < -margin:
        return "faster"
    if low > margin:
        return "slower"
    if low >= -SAME and high <= SAME:
        return "same"
    return "not_resolved"


def balanced_order(count: int, index: int) -> list[int]:
    """The order of ``count`` contenders in round ``index``: each is in each place, and after each other, equally often.

    For two this is ABBA. Source: Williams (1949), designs balanced for the residual effects of treatments.

    >>> [balanced_order(2, index) for index in range(3)]
    [[0, 1], [1, 0], [0, 1]]
    >>> [balanced_order(4, index) for index in range(2)]
    [[0, 1, 3, 2], [1, 2, 0, 3]]
    """
    first = [0] + [(place + 1) // 2 if place % 2 else count - place // 2 for place in range(1, count)]
    row = [(item + index) % count for item in first]
    # With an odd number every other square is read backwards; with an even one that does no harm.
    return row[::-1] if count % 2 and (index // count) % 2 else row
