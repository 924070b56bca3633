"""Activations against another library's arithmetic of 400 digits, kinks and errors by the pages' words."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from tensorproof_reference.registry import extended_operations

OPERATIONS = extended_operations()
POINTS = (-700.0, -31.25, -9.5, -3.25, -2.0, -0.75, -1e-3, -1e-9, 1e-20, 1e-9, 1e-3, 0.5, 1.5, 3.14159, 6.5, 88.7, 1e4, 1e13)
ALPHA, SCALE = mpmath.mpf("1.6732632423543772848170429916717"), mpmath.mpf("1.0507009873554804934193349852946")


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def clipped(x: Any, low: Any, high: Any) -> Any:
    return max(low, min(x, high))


EXACT: dict[str, Callable[..., Any]] = {
    "elu": lambda x, alpha=1: x if x > 0 else alpha * mpmath.expm1(x),
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * mpmath.expm1(x)),
    "celu": lambda x, alpha=1: x if x > 0 else alpha * mpmath.expm1(x / alpha),
    "mish": lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "relu6": lambda x: clipped(x, 0, 6),
    "clip": lambda x: clipped(x, -0.5, 2),
    "hard_sigmoid": lambda x, slope="sixth": clipped(x / 6 + 0.5, 0, 1) if slope == "sixth" else clipped(x / 5 + 0.5, 0, 1),
    "hard_swish": lambda x: x * clipped(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x, low=-1, high=1: clipped(x, low, high),
    "threshold": lambda x, threshold=1, value=0: x if x > threshold else mpmath.mpf(value),
}
KEYWORDS: dict[str, tuple[dict[str, Any], ...]] = {
    "elu": ({}, {"alpha": 0.5}, {"alpha": 2.0}),
    "celu": ({}, {"alpha": 0.5}, {"alpha": 2.0}),
    "hard_sigmoid": ({}, {"slope": "fifth"}),
    "hard_tanh": ({}, {"low": -0.5, "high": 2.0}),
    "threshold": ({}, {"threshold": -0.5, "value": -7.0}),
}
CASES = [(name, keywords) for name in EXACT for keywords in KEYWORDS.get(name, ({},))]


@pytest.fixture(autouse=True)
def _four_hundred_digits():
    # The derivative comes from a difference at 2^-100 of the point, and e^-700 has to survive beside 1.
    with mpmath.workdps(400), np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("name", "keywords"), CASES)
def test_values_and_derivatives_are_those_of_four_hundred_digits(name, keywords):
    operation = OPERATIONS[name]
    assert operation.vjp is not None
    x = np.array(POINTS)
    values, slopes = operation.function(x, **keywords), operation.vjp(np.ones_like(x), x, **keywords)["x"]

    def exact(point: Any) -> Any:
        return EXACT[name](point, **keywords)

    for point, value, slope in zip(POINTS, values, slopes, strict=True):
        wanted = exact(mpmath.mpf(point))
        # The textbook formula loses what e^x - 1 cancels and what is small beside 1: an absolute error.
        assert abs(value - float(wanted)) <= 4e-16 * max(1.0, abs(float(wanted))), (point, value)
        derivative = float(mpmath.diff(exact, mpmath.mpf(point), h=mpmath.mpf(point) * mpmath.mpf(2) ** -100))
        assert abs(slope - derivative) <= 1e-15 * max(1.0, abs(derivative)), (point, slope, derivative)


@pytest.mark.parametrize(("name", "product"), [("glu", lambda a, b: a * sigmoid(b)), ("swiglu", lambda a, b: a * sigmoid(a) * b)])
def test_gated_units_are_those_of_four_hundred_digits(name, product):
    vjp: Any = OPERATIONS[name].vjp
    pairs = [(a, b) for a in (-9.5, -1.0, 1e-3, 2.5) for b in (-7.25, -0.5, 1e-3, 3.0, 40.0)]
    x = np.array(pairs)
    values, slopes = OPERATIONS[name].function(x), vjp(np.ones((len(pairs), 1)), x)["x"]
    for place, (a, b) in enumerate(pairs):
        exact = (mpmath.mpf(a), mpmath.mpf(b))
        assert values[place, 0] == pytest.approx(float(product(*exact)), rel=1e-14)
        for argument, order in enumerate(((1, 0), (0, 1))):
            derivative = float(mpmath.diff(product, exact, order))
            assert slopes[place, argument] == pytest.approx(derivative, rel=1e-12, abs=1e-15)


def test_gated_units_split_the_axis_that_they_are_told():
    x = np.arange(12.0).reshape(4, 3)
    assert OPERATIONS["glu"].function(x, axis=0).shape == (2, 3)
    with pytest.raises(ValueError, match="expected an even length along axis -1, got 3"):
        OPERATIONS["swiglu"].function(x)


def test_slopes_of_prelu_are_those_of_channels():
    x = np.array([[[-1.0, 2.0], [-3.0, -4.0]]])
    found = OPERATIONS["prelu"].function(x, np.array([0.5, 2.0]))
    assert found.tolist() == [[[-0.5, 2.0], [-6.0, -8.0]]]
    vjp: Any = OPERATIONS["prelu"].vjp
    assert vjp(np.ones_like(x), x, np.array([0.5, 2.0]))["slope"].tolist() == [-1.0, -7.0]
    assert vjp(np.ones_like(x), x, np.array([0.5]))["slope"].tolist() == [-8.0]
    with pytest.raises(ValueError, match=r"slope: expected shape \(1,\) or \(2,\), got \(3,\)"):
        OPERATIONS["prelu"].function(x, np.ones(3))


@pytest.mark.parametrize(
    ("name", "keywords", "expected"),
    [
        ("celu", {"alpha": 0.0}, "alpha: expected a number above 0, got 0.0"),
        ("hard_sigmoid", {"slope": "half"}, "slope: expected one of 'sixth', 'fifth', got 'half'"),
        ("hard_tanh", {"low": 1.0, "high": 1.0}, "low, high: expected the first below the second, got 1.0, 1.0"),
    ],
)
def test_arguments_out_of_range_are_told(name, keywords, expected):
    with pytest.raises(ValueError, match=expected):
        OPERATIONS[name].function(np.zeros(3), **keywords)


def test_nan_passes_through_all():
    nan = np.array([math.nan])
    assert all(np.isnan(OPERATIONS[name].function(nan)).all() for name in EXACT)
