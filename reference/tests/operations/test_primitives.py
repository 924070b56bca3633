"""Primitives against another library's arithmetic of 400 digits, and against the standard's words on special values."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from tensorproof_reference import registry
from tensorproof_reference.catalogue import all_operations, known_operations, of_profile, specification_version
from tensorproof_reference.operation import EXTENDED, Operation
from tensorproof_reference.registry import basic_operations, extended_operations

OPERATIONS = extended_operations()
POINTS = (
    *(-700.0, -104.0, -31.25, -9.5, -2.5, -1.0, -0.75, -1e-3, -1e-9),
    *(1e-150, 1e-20, 1e-9, 1e-3, 0.5, 1.0, 1.5, 3.14159, 88.7, 1e4, 1e13),
)
ONE: dict[str, Callable[[Any], Any]] = {
    "negative": lambda x: -x,
    "abs": abs,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": lambda x: mpmath.log(1 + x),
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
}
"""Functions of one number that have a derivative."""
ABOVE = {"log": 0.0, "sqrt": 0.0, "rsqrt": 0.0, "log1p": -1.0}
"""Where their domains begin, which exclude that point."""
TWO: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: mpmath.power(a, b),
}


@pytest.fixture(autouse=True)
def _four_hundred_digits():
    with mpmath.workdps(400), np.errstate(all="ignore"):
        yield


def close(found: float, exact: Any) -> bool:
    """Whether a float is within four units in the last place of a number, or both are beyond the range."""
    wanted = float(exact)
    if not math.isfinite(wanted) or abs(wanted) < 1e-300:
        return found == wanted or abs(found - wanted) < 1e-300
    return bool(abs(mpmath.mpf(found) - exact) <= 4 * 2.0**-53 * abs(exact))


@pytest.mark.parametrize("name", ONE)
def test_values_and_derivatives_are_those_of_four_hundred_digits(name):
    operation = OPERATIONS[name]
    assert operation.vjp is not None
    points = [x for x in POINTS if x > ABOVE.get(name, -math.inf)]
    x = np.array(points)
    values, slopes = operation.function(x), operation.vjp(np.ones_like(x), x)["x"]
    for point, value, slope in zip(points, values, slopes, strict=True):
        exact = mpmath.mpf(point)
        assert close(value, ONE[name](exact)), (point, value)
        derivative = mpmath.diff(ONE[name], exact, h=exact * mpmath.mpf(2) ** -100)
        exact_slope = float(derivative)
        assert slope == exact_slope or abs(slope - exact_slope) <= 1e-14 * abs(exact_slope) + 1e-300, (point, slope)


@pytest.mark.parametrize("name", TWO)
def test_values_and_derivatives_of_pairs_are_those_of_four_hundred_digits(name):
    operation = OPERATIONS[name]
    assert operation.vjp is not None
    pairs = [(a, b) for a in (0.25, 1.0, 2.5, 1e-9, 300.0) for b in (-3.0, -0.75, 1e-3, 0.5, 2.0, 7.25)]
    a, b = np.array(pairs).T
    values, slopes = operation.function(a, b), operation.vjp(np.ones_like(a), a, b)
    for place, (left, right) in enumerate(pairs):
        assert close(values[place], TWO[name](mpmath.mpf(left), mpmath.mpf(right))), (left, right)
        for argument, order in (("a", (1, 0)), ("b", (0, 1))):
            derivative = float(mpmath.diff(TWO[name], (mpmath.mpf(left), mpmath.mpf(right)), order))
            assert abs(slopes[argument][place] - derivative) <= 1e-13 * abs(derivative) + 1e-300, (argument, left, right)


@pytest.mark.parametrize(("name", "expected"), [("floor", [-3, -3, -1, 0, 0, 2]), ("round", [-2, -3, 0, 0, 0, 2])])
def test_roundings_are_those_of_the_standard(name, expected):
    x = np.array([-2.5, -2.75, -0.5, 0.0, 0.5, 2.5])
    assert OPERATIONS[name].function(x).tolist() == expected


def test_the_sign_of_nan_is_nan():
    assert np.isnan(OPERATIONS["sign"].function(np.array([np.nan]))).all()


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_are_halved_or_go_to_the_first(name):
    vjp: Any = OPERATIONS[name].vjp
    a = b = np.array([2.0])
    assert vjp(np.array([6.0]), a, b) == {"a": 3.0, "b": 3.0}
    assert vjp(np.array([6.0]), a, b, ties="first") == {"a": 6.0, "b": 0.0}
    with pytest.raises(ValueError, match="ties: expected one of 'halves', 'first', got 'both'"):
        OPERATIONS[name].function(a, b, ties="both")


def test_what_is_broadcast_has_the_sum_of_its_gradients():
    vjp: Any = OPERATIONS["multiply"].vjp
    found = vjp(np.ones((2, 3)), np.arange(3.0), np.array([[2.0], [5.0]]))
    assert found["a"].tolist() == [7.0, 7.0, 7.0]
    assert found["b"].tolist() == [[3.0], [3.0]]


def test_nan_that_is_not_taken_leaves_no_trace():
    vjp: Any = OPERATIONS["where"].vjp
    condition, bad = np.array([True, False]), np.array([np.nan, np.inf])
    found = vjp(np.ones(2), condition, np.array([1.0, np.nan]), bad)
    assert found["a"].tolist() == [1.0, 0.0]
    assert found["b"].tolist() == [0.0, 1.0]


def test_the_profiles_are_apart():
    assert not OPERATIONS.keys() & all_operations().keys()
    assert list(known_operations()) == [*all_operations(), *OPERATIONS]
    assert {item.profile for item in all_operations().values()} == {"core"}
    assert list(of_profile(known_operations(), EXTENDED)) == list(OPERATIONS)
    assert of_profile(known_operations(), "all") == dict(known_operations())


def test_versions_are_those_of_the_profile():
    assert specification_version().startswith(f"{len(all_operations())}.")
    assert specification_version(EXTENDED).startswith(f"{len(OPERATIONS)}.")
    assert specification_version("all").startswith(f"{len(known_operations())}.")
    assert specification_version("from_outside") == specification_version()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "tanh exists already"),
        ({"function": lambda x: x, "profile": "core"}, "profile: expected 'extended', got 'core'"),
        ({"function": lambda x: x, "profile": EXTENDED, "family": "fast"}, "family: expected one of"),
    ],
)
def test_a_malformed_record_is_noticed(monkeypatch, changes, expected):
    tanh = basic_operations()["tanh"]
    made = Operation(**{**{name: getattr(tanh, name) for name in ("function", "vjp", "samples", "family")}, **changes})
    monkeypatch.setattr("tensorproof_reference.primitives.comparisons.OPERATIONS", (made,))
    registry.extended_operations.cache_clear()
    try:
        with pytest.raises(ValueError, match=expected):
            registry.extended_operations()
    finally:
        registry.extended_operations.cache_clear()
