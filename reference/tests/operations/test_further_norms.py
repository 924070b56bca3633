"""Normalizations of profile ``extended`` against another library's arithmetic of 60 digits."""

from typing import Any

import mpmath
import numpy as np
import pytest

from tensorproof_reference.normalizations.group_norm import group_norm
from tensorproof_reference.normalizations.instance_norm import instance_norm
from tensorproof_reference.normalizations.rms_norm import rms_norm
from tensorproof_reference.normalizations.rms_norm import vjp as rms_norm_vjp
from tensorproof_reference.operations.layer_norm import layer_norm
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream

OPERATIONS = extended_operations()
IMAGES = Stream(0)("images").normal((2, 6, 3, 4), 1.5)
SCALE, OFFSET = np.arange(1.0, 7.0), np.arange(6.0) / 4.0


def standardized(numbers: Any, epsilon: float) -> list[Any]:
    """The numbers less their mean, divided by the root of variance and epsilon, in 60 digits."""
    exact = [mpmath.mpf(float(number)) for number in numbers]
    mean = mpmath.fsum(exact) / len(exact)
    variance = mpmath.fsum((number - mean) ** 2 for number in exact) / len(exact)
    return [(number - mean) / mpmath.sqrt(variance + mpmath.mpf(epsilon)) for number in exact]


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm_is_that_of_sixty_digits(groups):
    with mpmath.workdps(60):
        for example, found in zip(IMAGES, group_norm(IMAGES, groups=groups), strict=True):
            for group, normalized in zip(np.split(example, groups), np.split(found, groups), strict=True):
                expected = [float(number) for number in standardized(group.reshape(-1), 1e-5)]
                assert normalized.reshape(-1) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_scale_and_offset_are_those_of_channels():
    plain = group_norm(IMAGES, groups=2)
    found = group_norm(IMAGES, SCALE, OFFSET, groups=2)
    assert np.allclose(found, plain * SCALE[:, None, None] + OFFSET[:, None, None], rtol=1e-15)


def test_instance_norm_is_group_norm_of_single_channels_and_one_group_is_layer_norm():
    assert np.array_equal(instance_norm(IMAGES, SCALE, OFFSET), group_norm(IMAGES, SCALE, OFFSET, groups=6))
    assert np.allclose(group_norm(IMAGES), layer_norm(IMAGES, axes=(1, 2, 3)), rtol=1e-14, atol=1e-15)


def test_rms_norm_is_that_of_sixty_digits():
    x, scale = np.array([0.25, -3.0, 7.5]), np.array([1.0, 2.0, -0.5])
    with mpmath.workdps(60):
        exact = [mpmath.mpf(number) for number in x]
        root = mpmath.sqrt(mpmath.fsum(number**2 for number in exact) / 3 + mpmath.mpf(0.125))
        expected = [float(number / root * mpmath.mpf(factor)) for number, factor in zip(exact, scale, strict=True)]
    assert rms_norm(x, scale, epsilon=0.125) == pytest.approx(expected, rel=1e-15)


def test_the_gradient_of_rms_norm_is_that_of_sixty_digits():
    x = [mpmath.mpf(number) for number in (0.25, -3.0, 7.5)]

    def first(*numbers: Any) -> Any:
        return numbers[0] / mpmath.sqrt(mpmath.fsum(number**2 for number in numbers) / 3 + mpmath.mpf(0.125))

    found = rms_norm_vjp(np.array([1.0, 0.0, 0.0]), np.array([0.25, -3.0, 7.5]), epsilon=0.125)["x"]
    with mpmath.workdps(60):
        expected = [float(mpmath.diff(first, tuple(x), order)) for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: group_norm(IMAGES, groups=4), "groups: expected a divisor of the 6 channels, got 4"),
        (lambda: group_norm(IMAGES, np.ones(5)), r"scale: expected shape \(6,\)"),
        (lambda: group_norm(IMAGES, epsilon=-1.0), "epsilon: expected a number that is not negative"),
        (lambda: group_norm(np.ones(3)), "x: expected an array with at least 2 axes"),
        (lambda: instance_norm(np.ones((2, 3))), "x: expected at least 3 axes"),
        (lambda: instance_norm(np.ones((2, 3, 0))), "x: expected at least one value in each example"),
        (lambda: rms_norm(IMAGES, axes=(1,)), "axes: expected last axes of the 4 of x"),
        (lambda: rms_norm(IMAGES, np.ones(3)), r"scale: expected shape \(4,\)"),
        (lambda: rms_norm(np.ones((2, 0))), "x: expected at least one value along axes"),
        (lambda: rms_norm(IMAGES, epsilon=-1.0), "epsilon: expected a number that is not negative, got -1.0"),
    ],
)
def test_arguments_that_do_not_fit_are_told(call, expected):
    with pytest.raises(ValueError, match=expected):
        call()


# Weights: their norms, and what an iteration leaves.


def test_iterations_of_the_spectral_norm_come_to_the_largest_singular_value():
    weight, vector = Stream(3)("weight").normal((5, 4, 3)), np.full(5, 5**-0.5)
    for _ in range(200):
        y, vector = OPERATIONS["spectral_norm"].function(weight, vector)
    u, singular, _ = np.linalg.svd(weight.reshape(5, 12))
    np.testing.assert_allclose(y, weight / singular[0], rtol=1e-12)
    np.testing.assert_allclose(np.abs(vector), np.abs(u[:, 0]), rtol=1e-9)


def test_the_gradient_of_the_spectral_norm_is_that_with_its_vectors_held():
    weight, vector, dy = Stream(3)("weight").normal((4, 6)), np.full(4, 0.5), Stream(3)("dy").normal((4, 6))
    _, u = OPERATIONS["spectral_norm"].function(weight, vector)
    v = weight.T @ vector / np.linalg.norm(weight.T @ vector)
    vjp = OPERATIONS["spectral_norm"].vjp
    assert vjp is not None
    found = vjp(dy, weight, vector)["weight"]
    for place in np.ndindex(weight.shape):
        step = np.zeros_like(weight)
        step[place] = 1e-6
        values = [np.sum(dy * moved / (u @ moved @ v)) for moved in (weight + step, weight - step)]
        np.testing.assert_allclose(found[place], (values[0] - values[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_the_norm_of_a_normalized_weight_is_its_scale():
    weight, scale = Stream(3)("weight").normal((4, 3, 2)), Stream(3)("scale").uniform((3,), 0.5, 2.0)
    w = OPERATIONS["weight_norm"].function(weight, scale, axis=1)
    np.testing.assert_allclose(np.sqrt(np.sum(w * w, axis=(0, 2))), scale, rtol=1e-14)
    whole = OPERATIONS["weight_norm"].function(weight, np.asarray(2.5), axis=None)
    np.testing.assert_allclose(np.linalg.norm(whole), 2.5, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "arguments", "start"),
    [
        ("weight_norm", (np.zeros(()), np.zeros(())), "direction: "),
        ("weight_norm", (np.ones((2, 3)), np.ones(3)), "scale: "),
        ("spectral_norm", (np.ones(3), np.ones(3)), "weight: "),
        ("spectral_norm", (np.ones((2, 3)), np.ones(3)), "vector: "),
    ],
)
def test_wrong_weights_are_named(name, arguments, start):
    with pytest.raises(ValueError, match=f"^{start}expected"):
        OPERATIONS[name].function(*arguments)
