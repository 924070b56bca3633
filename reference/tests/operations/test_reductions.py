"""Reductions against exact arithmetic of each group of numbers, gathered by loops; and what frameworks leave open."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from tensorproof_reference.reductions._reduction import EVERY_SET, ONE_OR_ALL, apart, together
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream

OPERATIONS = extended_operations()


def variance_of(numbers: Sequence[Fraction], correction: int = 0) -> Fraction:
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((x - mean) ** 2 for x in numbers), Fraction(0)) / (len(numbers) - correction)


def log_of_sum(numbers: Sequence[Fraction]) -> Any:
    return mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x.numerator) / x.denominator) for x in numbers))


def root(x: Fraction) -> Any:
    return mpmath.sqrt(mpmath.mpf(x.numerator) / x.denominator)


EXACT: dict[str, Callable[[Sequence[Fraction]], Any]] = {
    "reduce_sum": lambda numbers: sum(numbers, Fraction(0)),
    "reduce_mean": statistics.mean,
    "reduce_prod": math.prod,
    "reduce_max": max,
    "reduce_min": min,
    "variance": variance_of,
    "standard_deviation": lambda numbers: root(variance_of(numbers)),
    "norm": lambda numbers: root(sum((x * x for x in numbers), Fraction(0))),
    "logsumexp": log_of_sum,
}
"""Of one group of numbers, in exact arithmetic or 50 digits."""


@pytest.fixture(autouse=True)
def _fifty_digits():
    with mpmath.workdps(50), np.errstate(all="ignore"):
        yield


def grouped(x: Any, axis: Any) -> dict[tuple[int, ...], list[Any]]:
    """The numbers of each result by its place, in order, gathered one by one."""
    reduced = {place % x.ndim for place in ((axis,) if isinstance(axis, int) else range(x.ndim) if axis is None else axis)}
    found: dict[tuple[int, ...], list[Any]] = {}
    for index in itertools.product(*map(range, x.shape)):
        found.setdefault(tuple(0 if axis in reduced else place for axis, place in enumerate(index)), []).append(x[index])
    return found


@pytest.mark.parametrize("axis", EVERY_SET, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_every_set_of_axes_gives_the_exact_result_of_each_group(name, axis):
    x = Stream(0)("reductions").normal((3, 5, 4))
    groups = grouped(x, axis)
    y = OPERATIONS[name].function(x, axis=axis, keepdims=True)
    assert y.size == len(groups)
    for place, numbers in groups.items():
        exact = float(EXACT[name]([Fraction(float(number)) for number in numbers]))
        assert math.isclose(y[place], exact, rel_tol=1e-13, abs_tol=1e-15), place
    left = OPERATIONS[name].function(x, axis=axis)
    assert np.array_equal(left.reshape(-1), y.reshape(-1))
    assert np.ndim(left) == 3 - len({place % 3 for place in np.atleast_1d(range(3) if axis is None else axis).astype(int)})


@pytest.mark.parametrize("axis", EVERY_SET, ids=str)
@pytest.mark.parametrize(("name", "function"), [("any", any), ("all", all)])
def test_truths_are_those_of_each_group(name, function, axis):
    x = Stream(0)("truths").integers((3, 5, 4), 0, 2) == 1
    y = OPERATIONS[name].function(x, axis=axis, keepdims=True)
    assert {place: bool(y[place]) for place in np.ndindex(y.shape)} == {k: function(v) for k, v in grouped(x, axis).items()}


@pytest.mark.parametrize("axis", ONE_OR_ALL, ids=str)
@pytest.mark.parametrize(("name", "function"), [("argmax", max), ("argmin", min)])
def test_positions_are_those_of_the_first(name, function, axis):
    x = Stream(0)("positions").grid((3, 5, 4))
    y = OPERATIONS[name].function(x, axis=axis, keepdims=True)
    assert {place: int(y[place]) for place in np.ndindex(y.shape)} == {
        place: numbers.index(function(numbers)) for place, numbers in grouped(x, axis).items()
    }


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_sums_are_sums_of_what_came_before(axis):
    x = Stream(0)("running").normal((3, 5, 4))
    y = OPERATIONS["cumulative_sum"].function(x, axis=axis)
    for index in itertools.product(*map(range, x.shape)):
        before = [slice(place, place + 1) for place in index]
        before[axis] = slice(0, index[axis] + 1)
        assert math.isclose(y[index], math.fsum(x[tuple(before)].reshape(-1)), rel_tol=1e-13, abs_tol=1e-15)


def test_the_correction_is_subtracted_from_the_number():
    x = Stream(0)("corrected").normal((7,))
    exact = variance_of([Fraction(float(number)) for number in x], 1)
    assert math.isclose(OPERATIONS["variance"].function(x, correction=1), float(exact), rel_tol=1e-14)
    assert math.isclose(OPERATIONS["standard_deviation"].function(x, correction=1), float(root(exact)), rel_tol=1e-14)
    assert np.isnan(OPERATIONS["variance"].function(np.ones(1), correction=1))
    with pytest.raises(ValueError, match="correction: expected 0 or more, got -1"):
        OPERATIONS["variance"].function(x, correction=-1)


def test_the_gradient_of_a_product_needs_no_quotient():
    vjp: Any = OPERATIONS["reduce_prod"].vjp
    assert vjp(np.array(2.0), np.array([3.0, 0.0, 5.0]))["x"].tolist() == [0.0, 30.0, 0.0]
    assert vjp(np.array(2.0), np.array([3.0, 0.0, 0.0]))["x"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("name", "best"), [("reduce_max", 4.0), ("reduce_min", -4.0)])
def test_ties_are_shared_or_go_to_the_first(name, best):
    vjp: Any = OPERATIONS[name].vjp
    x = np.array([[1.0, best], [best, best]])
    assert vjp(np.array(6.0), x)["x"].tolist() == [[0.0, 2.0], [2.0, 2.0]]
    assert vjp(np.array(6.0), x, ties="first")["x"].tolist() == [[0.0, 6.0], [0.0, 0.0]]
    assert vjp(np.array([6.0, 8.0]), x, axis=0, ties="first")["x"].tolist() == [[0.0, 8.0], [6.0, 0.0]]


def test_the_largest_of_nothing_is_an_error_or_the_identity():
    nothing = np.zeros((2, 0))
    with pytest.raises(ValueError, match=r"x: expected numbers along the axes, got 'shape \(2, 0\)'"):
        OPERATIONS["reduce_max"].function(nothing, axis=1)
    assert OPERATIONS["reduce_max"].function(nothing, axis=1, empty="identity").tolist() == [-math.inf, -math.inf]
    assert OPERATIONS["reduce_min"].function(nothing, empty="identity") == math.inf
    with pytest.raises(ValueError, match="empty: expected one of 'error', 'identity', got 'zero'"):
        OPERATIONS["reduce_max"].function(nothing, empty="zero")


def test_nan_is_taken_or_ignored_by_positions():
    x = np.array([2.0, math.nan, 3.0, 1.0])
    assert OPERATIONS["argmax"].function(x) == OPERATIONS["argmin"].function(x) == 1
    assert OPERATIONS["argmax"].function(x, nan="ignored") == 2
    assert OPERATIONS["argmin"].function(x, nan="ignored") == 3


@pytest.mark.parametrize("name", [*EXACT, "any", "all"])
@pytest.mark.parametrize("axis", [3, (0, 0), (1, -2), (-4,)], ids=str)
def test_an_axis_that_is_none_or_comes_twice_is_refused(name, axis):
    with pytest.raises(ValueError, match=r"axis|axes"):
        OPERATIONS[name].function(np.ones((2, 3, 4)) > (0 if name in ("any", "all") else 5), axis=axis)


@pytest.mark.parametrize("axis", EVERY_SET, ids=str)
def test_what_is_brought_together_comes_apart_again(axis):
    x = np.arange(60.0).reshape(3, 5, 4)
    rows = together(x, axis)
    assert [sorted(row) for row in rows.reshape(-1, rows.shape[-1])] == [sorted(group) for group in grouped(x, axis).values()]
    assert np.array_equal(apart(rows, x, axis), x)
