"""What initialisers share: fans, draws, arguments and samples."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import scipy

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.distributions import (
    CUT,
    CUT_VARIANCE,
    Distribution,
    normal_distribution,
    truncated_normal_distribution,
    uniform_distribution,
)
from tensorproof_reference.operation import Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

AXES = {"like": "o i ...", "y": "o i ..."}
"""Outputs, inputs, and for convolutions the axes of the kernel."""

DISTRIBUTIONS = ("normal", "truncated_normal")


def require_seed(seed: int) -> None:
    """Raise ``ValueError`` if the seed is negative."""
    require(seed >= 0, "seed", "an integer that is not negative", seed)


def fans(like: Array) -> tuple[int, int]:
    """How many numbers an output is summed from, and how many an input is added to (fan-in, fan-out).

    Raises:
        ValueError: ``like`` has fewer than two axes.
    """
    require(like.ndim >= 2, "like", "an array with at least 2 axes", f"shape {like.shape}")
    outputs, inputs, *kernel = like.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _unit(like: Array, seed: int, name: str) -> Array:
    """Uniform over (0, 1): the middles of 2^32 cells, so that quantiles are finite."""
    return Stream(seed)(name).uniform(like.shape) + 2.0**-33


def draw_uniform(like: Array, low: float, high: float, seed: int, name: str) -> Array:
    """Uniform between ``low`` and ``high``."""
    require_seed(seed)
    return (low + (high - low) * _unit(like, seed, name)).astype(like.dtype)


def draw_normal(like: Array, mean: float, deviation: float, seed: int, name: str) -> Array:
    """Normal, by inversion of its distribution function."""
    require_seed(seed)
    return np.asarray(mean + deviation * scipy.special.ndtri(_unit(like, seed, name))).astype(like.dtype)


def draw_truncated_normal(like: Array, mean: float, deviation: float, seed: int, name: str) -> Array:
    """Normal and cut at two deviations from the mean, by inversion; ``deviation`` is that before truncation."""
    require_seed(seed)
    below, above = scipy.special.ndtr(-CUT), scipy.special.ndtr(CUT)
    quantiles = scipy.special.ndtri(below + (above - below) * _unit(like, seed, name))
    return np.asarray(mean + deviation * np.clip(quantiles, -CUT, CUT)).astype(like.dtype)


def draw_of_variance(like: Array, variance: float, distribution: str, seed: int, name: str) -> Array:
    """A draw around zero with this variance: uniform, normal, or truncated normal, whose variance is that after truncation."""
    if distribution == "uniform":
        bound = math.sqrt(3.0 * variance)
        return draw_uniform(like, -bound, bound, seed, name)
    require_choice(distribution, "distribution", DISTRIBUTIONS)
    if distribution == "normal":
        return draw_normal(like, 0.0, math.sqrt(variance), seed, name)
    return draw_truncated_normal(like, 0.0, math.sqrt(variance / CUT_VARIANCE), seed, name)


def distribution_of_variance(variance: float, distribution: str) -> Distribution:
    """What ``draw_of_variance`` draws from."""
    if distribution == "uniform":
        bound = math.sqrt(3.0 * variance)
        return uniform_distribution(-bound, bound)
    if distribution == "normal":
        return normal_distribution(0.0, math.sqrt(variance))
    return truncated_normal_distribution(0.0, math.sqrt(variance / CUT_VARIANCE))


def draw_samples(*others: tuple[str, Mapping[str, Any]], kernel: bool = True) -> Iterator[Sample]:
    """A matrix of 100,000 elements with the defaults and with each of the ``others``, another seed, and a kernel.

    No two axes are of one length, so that fan-in, fan-out and the size of the kernel are told apart.
    """

    def sample(name: str, shape: tuple[int, ...], keywords: Mapping[str, Any]) -> Sample:
        return Sample(name=f"statistics_{name}", inputs={"like": np.zeros(shape)}, keywords=keywords, gradient=False)

    matrix = (250, 400)
    yield sample("matrix", matrix, {"seed": 1})
    yield sample("another_seed", (400, 250), {"seed": 1234567})
    for name, keywords in others:
        yield sample(name, matrix, {"seed": 2, **keywords})
    if kernel:
        yield sample("kernel", (64, 40, 5, 8), {"seed": 3})
