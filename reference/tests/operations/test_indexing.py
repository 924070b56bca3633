"""Indexing and sorting against loops over lists, place by place; and what frameworks leave open."""

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest

from tensorproof_reference.arrays import indexing, sorting
from tensorproof_reference.stream import Stream

OPERATIONS = {operation.name: operation for operation in (*indexing.OPERATIONS, *sorting.OPERATIONS)}
X = Stream(0)("indexed").normal((4, 5, 3))
INF, NAN = math.inf, math.nan


def found(name: str, *arrays: Any, **keywords: Any) -> Any:
    return OPERATIONS[name].function(*arrays, **keywords)


def pulled(name: str, *arrays: Any, **keywords: Any) -> Any:
    vjp = OPERATIONS[name].vjp
    assert vjp is not None
    return vjp(*arrays, **keywords)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
def test_slices_are_those_that_are_asked_for(axis, shape):
    indices = Stream(0)("indices").integers(shape, -3, 3)
    y = found("take", X, indices, axis=axis)
    front = axis % 3
    assert y.shape == X.shape[:front] + shape + X.shape[front + 1 :]
    for place in itertools.product(*map(range, y.shape)):
        index = int(indices[place[front : front + len(shape)]])
        whole = [*place[:front], index, *place[front + len(shape) :]]
        assert y[place] == X[tuple(whole)]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_numbers_are_those_that_are_asked_for(axis):
    shape = [4, 5, 3]
    shape[axis] = 6
    indices = Stream(0)("along").integers(tuple(shape), -3, 3)
    y = found("take_along_axis", X, indices, axis=axis)
    for place in itertools.product(*map(range, shape)):
        whole = list(place)
        whole[axis] = int(indices[place])
        assert y[place] == X[tuple(whole)]


def test_indices_beyond_an_end_are_as_the_convention_has_them():
    x, beyond = np.array([1.0, 2.0, 3.0]), np.array([0, 3, 2])
    with pytest.raises(ValueError, match=r"indices: expected -3 to 2, got \[3\]"):
        found("take", x, beyond)
    with pytest.raises(ValueError, match=r"indices: expected 0 or more, got \[-1\]"):
        found("take", x, np.array([-1]), negative="error")
    assert found("take", x, beyond, out_of_range="clip").tolist() == [1.0, 3.0, 3.0]
    np.testing.assert_array_equal(found("take", x, beyond, out_of_range="nan"), [1.0, NAN, 3.0])
    np.testing.assert_array_equal(found("take_along_axis", x, beyond, out_of_range="nan"), [1.0, NAN, 3.0])
    for name in ("take", "take_along_axis"):
        assert pulled(name, np.ones(3), x, beyond, out_of_range="nan")["x"].tolist() == [1.0, 0.0, 1.0]
        assert pulled(name, np.ones(3), x, beyond, out_of_range="clip")["x"].tolist() == [1.0, 0.0, 2.0]
    with pytest.raises(ValueError, match="out_of_range: expected one of"):
        found("take", x, beyond, out_of_range="wrap")


def test_repeated_indices_add_up_their_gradients():
    assert pulled("take", np.array([1.0, 2.0, 4.0]), np.zeros(3), np.array([1, 1, -2]))["x"].tolist() == [0.0, 7.0, 0.0]
    dy = np.array([[1.0, 2.0], [4.0, 8.0]])
    assert pulled("take_along_axis", dy, np.zeros((2, 2)), np.array([[0, 0], [1, 0]]))["x"].tolist() == [[3.0, 0.0], [8.0, 4.0]]


def test_slices_are_added_to_rows_or_replace_them():
    x, updates = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[10.0, 20.0], [30.0, 40.0]])
    assert found("scatter_add", x, np.array([2, 2]), updates).tolist() == [[1.0, 2.0], [3.0, 4.0], [45.0, 66.0]]
    assert found("scatter_set", x, np.array([2, 0]), updates).tolist() == [[30.0, 40.0], [3.0, 4.0], [10.0, 20.0]]
    assert found("scatter_add", x, np.array([3, 0]), updates, out_of_range="ignored")[0].tolist() == [31.0, 42.0]
    dy = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    both = pulled("scatter_set", dy, x, np.array([2, 3]), updates, out_of_range="ignored")
    assert both["x"].tolist() == [[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]
    assert both["updates"].tolist() == [[5.0, 6.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match=r"indices: expected 0 to 2, got \[-1\]"):
        found("scatter_add", x, np.array([-1, 0]), updates)
    with pytest.raises(ValueError, match=r"updates: expected shape \(2, 2\), got \(1, 2\)"):
        found("scatter_set", x, np.array([1, 0]), updates[:1])


def compared(a: tuple[int, float], b: tuple[int, float]) -> int:
    """The order of two places with their numbers, of which NaN is the largest: by comparison, in words."""
    if math.isnan(a[1]) or math.isnan(b[1]):
        return int(math.isnan(a[1])) - int(math.isnan(b[1]))
    return (a[1] > b[1]) - (a[1] < b[1])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_sorting_is_stable_in_both_directions_and_has_nan_as_the_largest(axis, descending):
    x = Stream(0)("sorted").grid((7, 9))
    x[::3, 2] = NAN
    x[1, ::4] = NAN
    x[2, 3], x[5, 5], x[4, 1] = INF, -INF, -0.0
    rows = np.moveaxis(x, axis, -1)
    order = np.moveaxis(found("argsort", x, axis=axis, descending=descending), axis, -1)
    values = np.moveaxis(found("sort", x, axis=axis, descending=descending), axis, -1)
    for row, places, sorted_row in zip(rows, order, values, strict=True):
        sign = -1 if descending else 1
        expected = sorted(enumerate(row.tolist()), key=functools.cmp_to_key(lambda a, b: sign * compared(a, b)))  # noqa: B023
        assert places.tolist() == [place for place, _ in expected]
        np.testing.assert_array_equal(sorted_row, [number for _, number in expected])


def test_the_gradient_of_sorting_goes_back():
    dy = np.array([1.0, 2.0, 4.0, 8.0])
    assert pulled("sort", dy, np.array([3.0, 1.0, 2.0, 1.0]))["x"].tolist() == [8.0, 1.0, 4.0, 2.0]
    assert pulled("top_k", dy[:2], np.array([3.0, 1.0, NAN, 1.0]), k=2)["x"].tolist() == [2.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_the_largest_k_are_the_end_of_the_order(k):
    x = Stream(0)("largest").distinct((4, 6))
    values, places = found("top_k", x, k=k)
    assert values.tolist() == [sorted(row, reverse=True)[:k] for row in x.tolist()]
    assert [[row[place] for place in chosen] for row, chosen in zip(x, places, strict=True)] == values.tolist()
    assert found("top_k", x, k=min(k, 4), axis=0)[0].tolist() == np.sort(x, axis=0)[::-1][:k].tolist()
    with pytest.raises(ValueError, match="k: expected 0 to 6, got 7"):
        found("top_k", x, k=7)
