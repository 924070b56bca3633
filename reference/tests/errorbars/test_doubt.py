"""Where a branch lies near, bars can be had that hold for both sides of it; where they cannot, that is said."""

import numpy as np
import pytest

from tensorproof_reference.errorbars.array import ErrorBars, precision_of
from tensorproof_reference.errorbars.doubt import Doubtful, Undecided, either_way
from tensorproof_reference.operations.relu import vjp as relu_vjp

SINGLE = precision_of("float32")
NEAR = 0.03
"""Three bars of those below."""


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def barred(values, bar=0.01):
    values = np.asarray(values, np.float64)
    return ErrorBars(values, np.full(values.shape, bar), SINGLE)


def largest_error(function, *arrays, draws=400):
    """By how much a function of these arrays, each off by up to ten bars, is off at most, in bars that hold for both sides."""
    with either_way(14.5):
        found = function(*arrays)
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(draws):
        moved = function(*[item.value + item.bar * rng.uniform(-10, 10, item.shape) for item in arrays])
        worst = max(worst, np.max(np.abs(moved - found.value) / found.bar))
    return worst


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (np.maximum, [barred([1.0, 2.0, -1.0], 0.0001), barred([1.0 + NEAR, 2.0, 5.0])]),
        (np.minimum, [barred([1.0, 2.0, -1.0], 0.0001), barred([1.0 - NEAR, 2.0, 5.0])]),
        (lambda x: np.max(x, axis=1), [ErrorBars(np.array([[1.0, 1.0 - NEAR, 0.0]]), np.array([[1e-4, 0.02, 1e-4]]), SINGLE)]),
        (np.sort, [ErrorBars(np.array([1.0, 1.0 - NEAR, 0.0, 1.0]), np.array([1e-4, 0.02, 1e-4, 0.01]), SINGLE)]),
        (lambda x: np.clip(x, -1.0, 1.0), [barred([1.0 + NEAR, -1.0 - NEAR, 0.5])]),
        (np.exp, [barred([1.0, -5.0], 0.7)]),
        (np.log, [barred([8.0, 1.0], 0.05)]),
        (np.multiply, [barred([0.0, 3.0], 0.1), barred([0.0, -2.0], 0.3)]),
        (np.divide, [barred([1.0, 3.0], 0.1), barred([7.0, -2.0], 0.09)]),
        (np.sign, [barred([NEAR, -NEAR, 0.001])]),
        (np.floor, [barred([2.0 + NEAR, 3.0 - NEAR])]),
        (lambda x: np.where(x > 0.5, x * x, -x), [barred([0.5 + NEAR, 0.5 - NEAR, 0.5])]),
        (lambda x: np.where((x > 0.5) & ~(x > 3.0), x, 7.0), [barred([0.5 + NEAR, 3.0 - NEAR, 1.0])]),
        (lambda x: np.where((x > 0.5) | (x < -3.0), x, 7.0), [barred([0.5 + NEAR, -3.0 - NEAR, 1.0])]),
    ],
    ids=["maximum", "minimum", "max", "sort", "clip", "exp", "log", "multiply", "divide", "sign", "floor", "where", "and", "or"],
)
def test_bars_hold_for_both_sides(function, arrays):
    assert largest_error(function, *arrays) <= 10.0 * (1 + 1e-9)


def test_a_cotangent_that_may_pass_or_not_is_its_own_bar():
    x, dy = barred([NEAR, 1.0, -1.0]), barred([3.0, 3.0, 3.0], 0.0)
    with either_way(10.0):
        bar = relu_vjp(dy, x)["x"].bar
    assert bar.tolist() == [3.0, 0.0, 0.0]
    assert not relu_vjp(dy, x)["x"].bar.any()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.argmax(x),
        lambda x: np.argsort(x),
        lambda x: (x > 1.0) * x,
        lambda x: x[x > 1.0],
        lambda x: 1.0 - (x > 1.0),
        lambda x: (x > 1.0) == True,  # noqa: E712
        lambda x: 1.0 if x[0] > 0.99 else 0.0,
        lambda x: np.sum(x > 1.0),
        lambda x: (x > 1.0).any(),
        lambda x: np.where(x > 1.0, 1.0, 0.0),
        lambda x: np.asarray(x > 1.0),
        lambda x: np.copysign(x, x - 1.0),
        lambda x: 1.0 / (x - 1.005),
        lambda x: np.where(x > 1.0, np.nan, x),
        lambda x: np.where(x > 1.0, x, np.inf),
        lambda x: np.log(x - 0.96),
        lambda x: np.exp(x * 709.0),
    ],
    ids=[
        "argmax",
        "argsort",
        "product",
        "index",
        "difference",
        "equal",
        "if",
        "sum",
        "any",
        "plain",
        "array",
        "copysign",
        "divide",
        "nan",
        "infinite",
        "logarithm",
        "exponential",
    ],
)
def test_what_cannot_be_followed_is_undecided_where_a_branch_lies_near(function):
    near = barred([1.0, 1.0 - NEAR, 0.0])
    with either_way(10.0):
        with pytest.raises(Undecided):
            function(near)
        function(barred([1.5, 0.5, 0.0]))
    function(near)


def test_only_what_lies_near_is_in_doubt_and_only_where_it_is_asked():
    x = barred([1.0 + NEAR, 2.0, 0.0])
    assert isinstance(x > 1.0, np.ndarray)
    with either_way(10.0):
        found = x > 1.0
        assert isinstance(found, Doubtful)
        assert found.doubt.tolist() == [True, False, False]
        assert isinstance(x > 1.5, np.ndarray)
    with either_way(2.0):
        assert isinstance(x > 1.0, np.ndarray)
