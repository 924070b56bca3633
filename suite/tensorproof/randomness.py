"""Random operations judged as distributions: never by value, always from fixed seeds."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tensorproof.execution import Answers
from tensorproof.expectation import Expectation

LIMIT = 5.0
"""The largest z-score of a count or correlation: a right backend exceeds it once in 1.7 million."""

LIMIT_OF_MANY = 7.0
"""The largest z-score among 50,000 correlations: a right backend exceeds it once in 8 million masks."""


def _z_of_count(count: int, total: int, probability: float) -> float:
    return (count - total * probability) / math.sqrt(total * probability * (1 - probability))


def _correlation_z(mask: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """z-scores of the correlations of a 0/1 mask with itself 1, 2, … elements on, as far as half of it (through one FFT)."""
    centred = (mask.ravel() - (1 - rate)) / math.sqrt(rate * (1 - rate))
    count = centred.size
    spectrum = np.fft.rfft(centred, 2 * count)
    products = np.fft.irfft(spectrum * np.conj(spectrum), 2 * count)[1 : count // 2 + 1]
    return np.asarray(products / np.sqrt(count - np.arange(1, count // 2 + 1)))


def random_findings(expectation: Expectation, draw: Callable[[int], Answers]) -> Iterator[tuple[bool, str]]:
    """Judge dropout in training: ``draw(seed)`` gives output and gradient; yields (good, statement) pairs.

    Each output is 0 or x/(1-p) within ten roundings; the gradient has the same mask; the number of zeros, the lag-1 and the row
    correlation are within five deviations of chance; another seed gives another mask, the same seed the same.
    """
    keywords, (path,) = expectation.sample.keywords, expectation.arguments.primal_paths
    rate = float(keywords.get("rate", 0.5))
    seed = int(keywords.get("seed", 0))
    x = expectation.arguments.leaves[path]
    answers, again, other = draw(seed), draw(seed), draw(seed + 1)
    y = answers.outputs["y"].value
    if y.shape != x.shape:
        yield False, f"shape {y.shape}, not {x.shape}"
        return
    kept = y != 0
    scaled = x / (1 - rate)
    close = np.abs(y - scaled) <= 10 * 2.0**-23 * np.abs(scaled)
    yield bool(np.all(close | ~kept)), "each output is 0 or x/(1-p)"
    gradient = answers.gradients[path]
    cotangent = expectation.cotangents["y"]
    expected = np.where(kept, cotangent / (1 - rate), 0.0)
    given = np.zeros_like(expected) if gradient is None else gradient.value
    yield bool(np.all(np.abs(given - expected) <= 10 * 2.0**-23 * np.abs(expected))), "the gradient has the output's mask"
    count = int(np.sum(~kept))
    z = _z_of_count(count, y.size, rate)
    yield abs(z) <= LIMIT, f"{count} zeros among {y.size} at p = {rate}: z = {z:.1f} (limit {LIMIT:.0f})"
    correlations = _correlation_z(kept.astype(np.float64), rate)
    for name, lag in (("lag-1", 1), ("row", y.shape[-1])):
        z = float(correlations[lag - 1])
        yield abs(z) <= LIMIT, f"{name} correlation: z = {z:.1f} (limit {LIMIT:.0f})"
    lag = int(np.argmax(np.abs(correlations))) + 1
    z = float(correlations[lag - 1])
    yield abs(z) <= LIMIT_OF_MANY, f"largest correlation, {lag} elements on: z = {z:.1f} (limit {LIMIT_OF_MANY:.0f})"
    per_row = np.sum(~kept, axis=-1)
    spread = float(np.sum((per_row - y.shape[-1] * rate) ** 2) / (y.shape[-1] * rate * (1 - rate)))
    z = (spread - per_row.size) / math.sqrt(2 * per_row.size)
    yield abs(z) <= LIMIT, f"zeros per row vary as chance would: z = {z:.1f} (limit {LIMIT:.0f})"
    yield bool(np.array_equal(y, again.outputs["y"].value)), "the same seed repeats"
    yield not np.array_equal(kept, other.outputs["y"].value != 0), "another seed gives another mask"
