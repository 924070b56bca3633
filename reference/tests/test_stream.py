"""Random numbers: the same bytes for ever, independent of each other, distributed as they should be."""

import hashlib

import numpy as np
import pytest
from scipy import stats

from tensorproof_reference.stream import FEW, Stream


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype("<f8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda s: s.uniform((1000,), -2.0, 3.0), "5283c6d22369329a"),
        (lambda s: s.normal((1000,), 1.0, 3.0), "e394c053b8dc818c"),
        (lambda s: s.integers((1000,), -7, 9), "fbab0c1096b594d6"),
        (lambda s: s.permutation(1000), "6b12f00923935d4b"),
        (lambda s: s.distinct((10, 10)), "11892c141840a5a0"),
        (lambda s: s.grid((10, 10)), "2b7520daf821ef86"),
    ],
)
def test_bytes_are_fixed_for_ever(draw, expected):
    """If this fails, the inputs of every sample have changed: verdicts of old records would speak of other numbers."""
    assert digest(draw(Stream(3)("a")("b"))) == expected


def test_streams_of_other_names_and_seeds_are_unrelated():
    draws = [Stream(seed)(name).uniform((4000,)) for seed in (0, 1) for name in ("a", "b")]
    correlations = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_a_child_does_not_depend_on_what_was_drawn_before():
    first, second = Stream(0), Stream(0)
    first.raw(5)
    assert np.array_equal(first("child").raw(5), second("child").raw(5))


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1])
def test_few_normal_numbers_are_the_first_of_many(count):
    many = Stream(3)("a").normal((4 * FEW,), 1.0, 3.0)
    assert np.array_equal(Stream(3)("a").normal((count,), 1.0, 3.0), many[:count])


def test_normal_has_moments_and_shape_of_a_normal():
    draw = Stream(0)("normal").normal((100_000,), 2.0, 3.0)
    assert abs(draw.mean() - 2.0) < 5 * 3 / np.sqrt(1e5)
    assert abs(draw.std() - 3.0) < 5 * 3 / np.sqrt(2e5)
    assert stats.kstest((draw - 2) / 3, "norm").statistic < 0.01  # the twelve-fold sum itself is 0.002 away


def test_uniform_and_integers_are_uniform_over_their_range():
    uniform = Stream(0)("uniform").uniform((100_000,), -1.0, 3.0)
    assert uniform.min() >= -1.0
    assert uniform.max() < 3.0
    assert stats.kstest((uniform + 1) / 4, "uniform").statistic * np.sqrt(1e5) < 2.9
    counts = np.bincount(Stream(0)("integers").integers((60_000,), 0, 6), minlength=6)
    assert stats.chisquare(counts).pvalue > 1e-6


def test_distinct_has_no_ties():
    assert len(np.unique(Stream(0)("x").distinct((16, 16)))) == 256


@pytest.mark.parametrize("seed", [-1])
def test_bad_seed_names_the_argument(seed):
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        Stream(seed)


def test_bad_range_names_the_argument():
    with pytest.raises(ValueError, match="high must exceed low=3, got 3"):
        Stream(0).integers((2,), 3, 3)
