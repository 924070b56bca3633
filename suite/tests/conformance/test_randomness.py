"""The statistics by which random operations are judged: right draws pass, and each statement fails where it should."""

import numpy as np
import pytest

from tensorproof.conformance.randomness import (
    LIMIT,
    _correlation_z,
    _cycles,
    distribution_findings,
    layer_findings,
    orthogonality_findings,
    permutation_findings,
)
from tensorproof_reference.distributions import normal_distribution, uniform_distribution
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.stream import Stream

PRECISION = precision_of("float32")
SHAPE = (250, 400)


def wrong(findings):
    return [text for good, text in findings if not good]


def uniform(seed, *path):
    return Stream(seed)("/".join(map(str, path))).uniform(SHAPE)


@pytest.mark.parametrize("seed", range(20))
def test_right_draws_pass(seed):
    draws = (uniform(seed), uniform(seed + 1))
    assert not wrong(distribution_findings(draws, uniform_distribution(0.0, 1.0), PRECISION))
    permutations = [Stream(seed + k)("permutation").permutation(100_000) for k in (0, 1)]
    assert not wrong(permutation_findings(*permutations))


def test_scores_are_spread_as_a_normal_variable():
    z, _ = _correlation_z(*(np.sqrt(12.0) * (uniform(seed) - 0.5) for seed in (0, 1)))
    assert abs(np.mean(z)) < 0.02
    assert np.std(z) == pytest.approx(1.0, abs=0.02)


def test_correlations_are_those_of_the_definition():
    first, second = Stream(0)("first").normal((8, 5)), Stream(0)("second").normal((8, 5))
    a, b = first.ravel(), second.ravel()
    expected = [
        [np.sum(one[: 40 - lag] * other[lag:]) / np.sqrt(40 - lag) for lag in range(21)] for one, other in ((a, b), (b, a))
    ]
    np.testing.assert_allclose(_correlation_z(first, second), expected, rtol=1e-10)


def test_cycles_are_counted():
    assert _cycles(np.asarray([0, 2, 1, 4, 5, 3])) == 3
    assert _cycles(np.asarray([1, 2, 3, 0])) == 1


LATER = np.roll(uniform(0).ravel(), 3).reshape(SHAPE)


@pytest.mark.parametrize(
    ("draws", "statement"),
    [
        ((uniform(0) * 1.0001, uniform(1)), "values from"),
        ((uniform(0) * 0.99, uniform(1)), "mean"),
        ((0.5 + (uniform(0) - 0.5) * 0.98, uniform(1)), "variance"),
        ((uniform(0) ** 1.03, uniform(1)), "Kolmogorov"),
        ((np.floor(uniform(0) * 2.0**16) * 2.0**-16, uniform(1)), "different values"),
        ((np.repeat(uniform(0).ravel()[::2], 2).reshape(SHAPE), uniform(1)), "lag-1 correlation"),
        ((np.tile(uniform(0)[:125], (2, 1)), uniform(1)), "largest correlation"),
        ((np.tile(uniform(0)[:, :200], (1, 2)), uniform(1)), "largest correlation of the transpose"),
        ((np.where(uniform(0, "a") < 0.05, np.roll(uniform(0), 1, 0), uniform(0)), uniform(1)), "row correlation"),
        ((uniform(0) - np.mean(uniform(0), axis=0) + 0.5, uniform(1)), "sums of columns"),
        ((uniform(0) - np.mean(uniform(0), axis=1, keepdims=True) + 0.5, uniform(1)), "sums of rows"),
        ((uniform(0), 1.0 - uniform(0)), "correlation with the next seed"),
        ((uniform(0), LATER), "largest correlation with the next seed, 3 elements on"),
        ((LATER, uniform(0)), "largest correlation with the next seed, 3 elements on"),
    ],
)
def test_what_is_wrong_is_said(draws, statement):
    found = wrong(distribution_findings(draws, uniform_distribution(0.0, 1.0), PRECISION))
    assert any(statement in text for text in found)


def test_a_draw_of_another_shape_of_distribution_with_the_same_moments_is_noticed():
    draws = tuple((uniform(seed) - 0.5) * np.sqrt(12.0) for seed in (0, 1))
    (text,) = wrong(distribution_findings(draws, normal_distribution(0.0, 1.0), PRECISION))[:1]
    assert text.startswith("variance") or "Kolmogorov" in text


def test_orthogonality_is_measured_in_bars():
    q = np.linalg.qr(Stream(0)("matrix").normal((400, 250)))[0]
    q = q * (Stream(0)("signs").integers((250,), 0, 2) * 2 - 1)
    assert not wrong(orthogonality_findings(q.astype(np.float32).astype(np.float64), 1.0, PRECISION))
    assert wrong(orthogonality_findings(q, 1.0 + 1e-5, PRECISION))
    assert wrong(orthogonality_findings(q.astype(np.float16).astype(np.float64), 1.0, PRECISION))


def test_layers_are_judged_by_the_words_of_the_plugin():
    draws = [0.2 * (uniform(seed) - 0.5) for seed in (0, 1)]
    text = "uniform(low=-1/sqrt(hidden), high=1/sqrt(hidden))"
    assert not wrong(layer_findings(*draws, text, PRECISION, hidden=100))
    assert wrong(layer_findings(*draws, text, PRECISION, hidden=95))
    assert wrong(layer_findings(*draws, "glorot_uniform()", PRECISION))


def test_the_limit_is_rarely_exceeded_by_chance():
    z, _ = _correlation_z(*(np.sqrt(12.0) * (uniform(seed) - 0.5) for seed in (5, 6)))
    assert np.max(np.abs(z)) < LIMIT + 1
