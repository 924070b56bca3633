"""The distributions that initial weights and random parameters are drawn from, as the suite judges a draw by."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]

CUT = 2.0
"""Where a truncated normal distribution is cut, in deviations before truncation."""

_CUT_DENSITY = math.exp(-CUT * CUT / 2.0) / math.sqrt(2.0 * math.pi) / math.erf(CUT / math.sqrt(2.0))
CUT_VARIANCE = 1.0 - 2.0 * CUT * _CUT_DENSITY
"""The variance of the standard normal distribution cut at ``CUT`` on both sides: 0.7737."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """A continuous distribution, of each element of a draw."""

    mean: float
    variance: float
    kurtosis: float
    """The fourth central moment over the squared variance: 3 for the normal distribution."""
    cdf: Callable[[Floats], Floats]
    """The cumulative distribution function."""
    low: float = -math.inf
    """The least value that may be drawn."""
    high: float = math.inf
    """The greatest value that may be drawn."""


def uniform_distribution(low: float, high: float) -> Distribution:
    """Uniform between ``low`` and ``high``."""
    width = high - low
    return Distribution(
        mean=(low + high) / 2.0,
        variance=width * width / 12.0,
        kurtosis=1.8,
        cdf=lambda x: np.clip((x - low) / width, 0.0, 1.0),
        low=low,
        high=high,
    )


def normal_distribution(mean: float, deviation: float) -> Distribution:
    """Normal."""
    return Distribution(
        mean=mean,
        variance=deviation * deviation,
        kurtosis=3.0,
        cdf=lambda x: scipy.special.ndtr((x - mean) / deviation),
    )


def truncated_normal_distribution(mean: float, deviation: float) -> Distribution:
    """Normal, cut at two deviations from the mean; ``deviation`` is that before truncation."""
    ndtr = scipy.special.ndtr
    below, inside = float(ndtr(-CUT)), float(ndtr(CUT) - ndtr(-CUT))
    fourth = 3.0 - 2.0 * (CUT**3 + 3.0 * CUT) * _CUT_DENSITY
    return Distribution(
        mean=mean,
        variance=deviation * deviation * CUT_VARIANCE,
        kurtosis=fourth / CUT_VARIANCE**2,
        cdf=lambda x: np.clip((ndtr((x - mean) / deviation) - below) / inside, 0.0, 1.0),
        low=mean - CUT * deviation,
        high=mean + CUT * deviation,
    )


def sphere_distribution(count: int, radius: float) -> Distribution:
    """One coordinate of a point uniform on a sphere in ``count`` dimensions: its square over radius² is Beta(1/2, (n-1)/2)."""

    def cdf(x: Floats) -> Floats:
        share = scipy.special.betainc(0.5, (count - 1) / 2.0, np.clip(np.square(x / radius), 0.0, 1.0))
        return np.asarray(0.5 + 0.5 * np.sign(x) * share)

    kurtosis = 3.0 * count / (count + 2.0)
    return Distribution(mean=0.0, variance=radius * radius / count, kurtosis=kurtosis, cdf=cdf, low=-radius, high=radius)
