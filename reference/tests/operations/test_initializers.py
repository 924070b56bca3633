"""Initialisers, shuffling and random augmentation: distributions against mpmath, draws against theirs, errors."""

import math

import mpmath
import numpy as np
import pytest

from tensorproof_reference import distributions
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.initializers._draws import fans
from tensorproof_reference.stream import Stream

OPERATIONS = all_operations()
CONTINUOUS = {name: operation for name, operation in OPERATIONS.items() if operation.distribution}
MATRIX = np.zeros((250, 400))
KERNEL = np.zeros((64, 40, 5, 8))


def density_of(distribution, x):
    """The density by a central difference of the distribution function, in float64."""
    step = 1e-6 * math.sqrt(distribution.variance)
    above, below = distribution.cdf(np.asarray([x + step, x - step]))
    return (above - below) / (2 * step)


@pytest.mark.parametrize(
    ("distribution", "density", "bounds"),
    [
        (distributions.uniform_distribution(-1.0, 3.0), lambda x: mpmath.mpf(1) / 4, (-1, 3)),
        (distributions.normal_distribution(1.0, 2.0), lambda x: mpmath.npdf(x, 1, 2), (-mpmath.inf, mpmath.inf)),
        (
            distributions.truncated_normal_distribution(1.0, 0.5),
            lambda x: mpmath.npdf(x, 1, 0.5) / (mpmath.ncdf(2) - mpmath.ncdf(-2)),
            (0, 2),
        ),
        (
            distributions.sphere_distribution(5, 2.0),
            # The density of a coordinate of a point on the unit sphere in n dimensions is proportional to (1 - x²)^((n-3)/2).
            lambda x: (1 - (x / 2) ** 2) * mpmath.mpf(3) / 8,
            (-2, 2),
        ),
    ],
    ids=["uniform", "normal", "truncated_normal", "sphere"],
)
def test_moments_and_distribution_functions_are_those_of_the_density(distribution, density, bounds):
    mean = mpmath.quad(lambda x: x * density(x), bounds)
    variance = mpmath.quad(lambda x: (x - mean) ** 2 * density(x), bounds)
    fourth = mpmath.quad(lambda x: (x - mean) ** 4 * density(x), bounds)
    assert distribution.mean == pytest.approx(float(mean), abs=1e-12)
    assert distribution.variance == pytest.approx(float(variance), rel=1e-12)
    assert distribution.kurtosis == pytest.approx(float(fourth / variance**2), rel=1e-12)
    assert (distribution.low, distribution.high) == tuple(float(bound) for bound in bounds)
    for deviations in (-1.3, -0.4, 0.0, 0.7, 1.6):
        x = distribution.mean + deviations * math.sqrt(distribution.variance)
        share = mpmath.quad(density, [bounds[0], x])
        assert float(distribution.cdf(np.asarray(x))) == pytest.approx(float(share), rel=1e-10)
        assert density_of(distribution, x) == pytest.approx(float(density(x)), rel=1e-6)


def test_the_correction_for_truncation_is_the_one_that_frameworks_use():
    assert math.sqrt(distributions.CUT_VARIANCE) == pytest.approx(0.87962566103423978, rel=1e-15)


def test_fans_of_a_matrix_and_a_kernel():
    assert fans(MATRIX) == (400, 250)
    assert fans(KERNEL) == (1600, 2560)


@pytest.mark.parametrize(
    ("name", "keywords", "variance"),
    [
        ("glorot_uniform", {}, 2 / 4160),
        ("glorot_normal", {"gain": 3.0}, 9 * 2 / 4160),
        ("he_uniform", {}, 2 / 1600),
        ("he_normal", {"negative_slope": 0.5}, 2 / 1.25 / 1600),
        ("he_normal", {"distribution": "truncated_normal"}, 2 / 1600),
        ("he_uniform", {"negative_slope": 5**0.5}, 1 / 3 / 1600),
        ("lecun_uniform", {}, 1 / 1600),
        ("lecun_normal", {"distribution": "truncated_normal"}, 1 / 1600),
        ("truncated_normal", {"deviation": 2.0}, 4 * distributions.CUT_VARIANCE),
        ("uniform", {"low": 1.0, "high": 4.0}, 0.75),
        ("orthogonal", {"gain": 2.0}, 4 / 1600),
        ("random_rotation", {}, 75.0),
        ("random_shift", {}, 0.01 / 3),
    ],
)
def test_variances(name, keywords, variance):
    distribution = CONTINUOUS[name].distribution
    assert distribution(KERNEL, **keywords).variance == pytest.approx(variance, rel=1e-14)
    drawn = CONTINUOUS[name].function(KERNEL, **keywords)
    assert float(np.mean((drawn - distribution(KERNEL, **keywords).mean) ** 2)) == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_draws_follow_the_distribution_and_the_seed(name):
    operation = CONTINUOUS[name]
    distribution = operation.distribution(MATRIX, seed=3)
    drawn = operation.function(MATRIX, seed=3)
    shares = distribution.cdf(np.sort(drawn, axis=None))
    # Each tenth of the probability has a tenth of the numbers, within five deviations of chance.
    counts = np.histogram(shares, bins=10, range=(0.0, 1.0))[0]
    assert np.all(np.abs(counts - drawn.size / 10) <= 5 * math.sqrt(drawn.size * 0.09))
    assert distribution.low <= np.min(drawn)
    assert np.max(drawn) <= distribution.high
    assert np.array_equal(drawn, operation.function(MATRIX, seed=3))
    assert not np.array_equal(drawn, operation.function(MATRIX, seed=4))
    assert not np.any(operation.function(MATRIX + 7.0, seed=3) != drawn), "values of like do not matter"


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (7, 7), (6, 5, 3, 2), (40, 3, 2, 2), (1, 4), (4, 1)])
def test_orthogonal_matrices_are(shape):
    matrix = OPERATIONS["orthogonal"].function(np.zeros(shape), gain=1.5, seed=2).reshape(shape[0], -1)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, 2.25 * np.eye(len(matrix)), atol=1e-14)


def test_signs_of_orthogonal_matrices_are_even():
    diagonals = [np.diagonal(OPERATIONS["orthogonal"].function(np.zeros((20, 20)), seed=seed)) for seed in range(100)]
    assert abs(np.sum(np.sign(diagonals))) <= 5 * math.sqrt(2000)


def test_shuffling_moves_whole_rows_to_every_place_as_often():
    x = np.arange(12.0).reshape(6, 2)
    places = np.zeros((6, 6))
    for seed in range(1200):
        y = OPERATIONS["shuffle"].function(x, seed=seed)
        assert np.array_equal(y[:, 1], y[:, 0] + 1)
        places[np.arange(6), (y[:, 0] / 2).astype(int)] += 1
    assert np.all(np.sum(places, axis=0) == 1200)
    assert np.all(np.abs(places - 200) <= 5 * math.sqrt(1200 * 5 / 36))


def test_flips_mirror_whole_images_left_to_right():
    x = Stream(0)("images").normal((50, 2, 3, 4))
    flip = OPERATIONS["random_flip"].function
    y = flip(x, seed=1)
    kinds = [(np.array_equal(a, b), np.array_equal(a, b[:, :, ::-1])) for a, b in zip(y, x, strict=True)]
    assert {(True, False), (False, True)} == set(kinds)
    assert np.array_equal(flip(x, probability=0.0), x)
    assert np.array_equal(flip(x, probability=1.0), x[..., ::-1])


VECTOR = np.zeros(3)
WRONG = [
    ("uniform", VECTOR, {"low": 1.0, "high": 1.0}, "high"),
    ("normal", VECTOR, {"deviation": 0.0}, "deviation"),
    ("truncated_normal", VECTOR, {"deviation": -1.0}, "deviation"),
    ("glorot_uniform", VECTOR, {}, "like"),
    ("glorot_uniform", MATRIX, {"gain": 0.0}, "gain"),
    ("glorot_normal", MATRIX, {"distribution": "cauchy"}, "distribution"),
    ("glorot_normal", MATRIX, {"gain": -1.0}, "gain"),
    ("he_uniform", VECTOR, {}, "like"),
    ("he_normal", MATRIX, {"distribution": "cauchy"}, "distribution"),
    ("lecun_uniform", VECTOR, {}, "like"),
    ("lecun_normal", MATRIX, {"distribution": "cauchy"}, "distribution"),
    ("orthogonal", VECTOR, {}, "like"),
    ("orthogonal", MATRIX, {"gain": 0.0}, "gain"),
    ("shuffle", np.asarray(1.0), {}, "x"),
    ("random_flip", MATRIX, {}, "x"),
    ("random_flip", KERNEL, {"probability": 1.5}, "probability"),
    ("random_rotation", VECTOR, {"degrees": 0.0}, "degrees"),
    ("random_shift", VECTOR, {"fraction": 0.0}, "fraction"),
    *((name, KERNEL, {"seed": -1}, "seed") for name in (*CONTINUOUS, "shuffle", "random_flip")),
]


@pytest.mark.parametrize(("name", "x", "keywords", "argument"), WRONG)
def test_errors_name_the_argument(name, x, keywords, argument):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        OPERATIONS[name].function(x, **keywords)
