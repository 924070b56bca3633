"""Moves of numbers against formulas for where each number comes from, place by place; gradients as adjoints."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorproof_reference import trees
from tensorproof_reference.arrays import places, shapes
from tensorproof_reference.stream import Stream

OPERATIONS = {operation.name: operation for operation in (*shapes.OPERATIONS, *places.OPERATIONS)}
NOWHERE = None


def reflected(place: int, length: int) -> int:
    while not 0 <= place < length:
        place = -place if place < 0 else 2 * (length - 1) - place
    return place


def padded(place: int, length: int, before: int, mode: str) -> int | None:
    """Where a number of the padded axis comes from."""
    place -= before
    if mode == "constant":
        return place if 0 <= place < length else NOWHERE
    if mode == "edge":
        return min(max(place, 0), length - 1)
    return place % length if mode == "wrap" else reflected(place, length)


def expected_by(x: Any, shape: tuple[int, ...], source: Callable[[tuple[int, ...]], Any], fill: float = 0.0) -> Any:
    """The array of that shape whose numbers come from where ``source`` says."""
    y = np.full(shape, fill)
    for place in itertools.product(*map(range, shape)):
        index = source(place)
        if index is not None and None not in index:
            y[place] = x[tuple(index)]
    return y


X = Stream(0)("moves").normal((3, 5))


def found(name: str, x: Any = X, **keywords: Any) -> Any:
    return OPERATIONS[name].function(x, **keywords)


@pytest.mark.parametrize("shape", [(5, 3), (15,), (3, 1, 5), (1, 15)])
def test_reshaping_keeps_the_order_of_the_numbers(shape):
    assert np.array_equal(found("reshape", shape=shape).flat, list(X.flat))
    assert found("reshape", shape=shape).shape == shape


def test_axes_are_permuted_one_by_one():
    x = Stream(0)("permuted").normal((2, 3, 4))
    assert np.array_equal(found("permute", x, axes=(2, 0, 1)), expected_by(x, (4, 2, 3), lambda p: (p[1], p[2], p[0])))


def test_axes_of_length_one_come_and_go():
    assert found("expand_dims", axis=-1).shape == (3, 5, 1)
    assert found("expand_dims", axis=-3).shape == (1, 3, 5)
    assert found("squeeze", X.reshape(1, 3, 1, 5), axis=2).shape == (1, 3, 5)
    with pytest.raises(ValueError, match="size not equal to one"):
        found("squeeze", axis=0)


@pytest.mark.parametrize(("shape", "rows"), [((4, 3, 5), 3), ((3, 5), 3), ((2, 3, 5), 1)])
def test_broadcasting_repeats_from_the_front(shape, rows):
    x = X[:rows]
    assert np.array_equal(found("broadcast_to", x, shape=shape), expected_by(x, shape, lambda p: (p[-2] % rows, p[-1])))


def test_tiles_lie_side_by_side():
    assert np.array_equal(found("tile", repeats=(2, 3)), expected_by(X, (6, 15), lambda p: (p[0] % 3, p[1] % 5)))
    with pytest.raises(ValueError, match=r"repeats: expected 2 numbers, got \(2,\)"):
        found("tile", repeats=(2,))


def test_joining_and_splitting_are_inverse():
    parts = found("split_by_sizes", sizes=(1, 0, 4), axis=1)
    assert [part.shape for part in parts] == [(3, 1), (3, 0), (3, 4)]
    assert np.array_equal(found("concatenate", parts, axis=1), X)
    assert np.array_equal(found("stack", [X, 2.0 * X], axis=1)[:, 1], 2.0 * X)
    with pytest.raises(ValueError, match=r"sizes: expected three that add up to 5, got \(1, 1, 1\)"):
        found("split_by_sizes", sizes=(1, 1, 1), axis=1)


@pytest.mark.parametrize("shift", [0, 2, -2, 5, 13, -8])
def test_rolling_goes_around(shift):
    assert np.array_equal(found("roll", shift=shift, axis=1), expected_by(X, (3, 5), lambda p: (p[0], (p[1] - shift) % 5)))


def test_flipping_counts_from_the_end():
    assert np.array_equal(found("flip", axis=(0, -1)), expected_by(X, (3, 5), lambda p: (2 - p[0], 4 - p[1])))


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(1, 4, 1), (None, None, -1), (-2, 0, -3), (-20, 20, 2), (3, 1, 1), (4, None, -2)]
)
def test_slices_are_those_of_lists(start, stop, step):
    columns = list(range(5))[slice(start, stop, step)]
    y = found("strided_slice", start=(0, start), stop=(3, stop), step=(1, step))
    assert np.array_equal(y, expected_by(X, (3, len(columns)), lambda p: (p[0], columns[p[1]])))


@pytest.mark.parametrize("mode", places.MODES)
@pytest.mark.parametrize("widths", [((0, 0), (2, 3)), ((1, 2), (0, 4)), ((2, 2), (4, 4)), ((0, 0), (0, 0))])
def test_padding_takes_numbers_from_where_the_mode_says(mode, widths):
    (top, bottom), (left, right) = widths
    y = found("pad", widths=widths, mode=mode, value=0.5)

    def source(place: tuple[int, ...]) -> Any:
        return padded(place[0], 3, top, mode), padded(place[1], 5, left, mode)

    assert np.array_equal(y, expected_by(X, (3 + top + bottom, 5 + left + right), source, fill=0.5))


def test_widths_below_zero_crop():
    assert np.array_equal(found("pad", widths=((-1, 0), (-1, -2))), X[1:, 1:3])
    assert np.array_equal(found("pad", widths=((-1, 1), (2, -3)))[:2, 2:], X[1:, :2])
    assert found("pad", widths=((-2, -2), (0, 0))).shape == (0, 5)


@pytest.mark.parametrize("diagonal", [-6, -1, 0, 2, 7])
@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (7, 4)])
def test_triangles_are_on_their_side_of_the_diagonal(shape, diagonal):
    x = Stream(0)("triangles").normal(shape)
    below = expected_by(x, shape, lambda p: p if p[1] - p[0] <= diagonal else None)
    above = expected_by(x, shape, lambda p: p if p[1] - p[0] >= diagonal else None)
    assert np.array_equal(found("tril", x, diagonal=diagonal), below)
    assert np.array_equal(found("triu", x, diagonal=diagonal), above)


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_are_the_adjoints_of_the_moves(name):
    """<dy, f(x)> = <vjp(dy), x>, which is exact for multiples of a quarter, as sums of them are."""
    operation = OPERATIONS[name]
    assert operation.vjp is not None
    stream = Stream(0)("adjoint")(name)
    for sample in operation.samples(Stream(0)(name)):
        if sample.keywords.get("value"):
            continue
        inputs = trees.replace_leaves(dict(sample.inputs), lambda path, leaf: stream(path).grid(leaf.shape))
        outputs = trees.by_name(operation.outputs, operation.function(**inputs, **sample.keywords))
        cotangents = tuple(stream(key).grid(np.shape(y)) for key, y in outputs.items())
        gradients = operation.vjp(cotangents if len(cotangents) > 1 else cotangents[0], **inputs, **sample.keywords)
        forward = sum(float(np.sum(y * dy)) for y, dy in zip(outputs.values(), cotangents, strict=True))
        leaves = zip(trees.leaves(gradients), trees.leaves(inputs), strict=True)
        assert forward == math.fsum(float(np.sum(g * x)) for (_, g), (_, x) in leaves), sample.name


def test_what_is_not_taken_leaves_no_trace_in_the_gradient():
    vjp: Any = OPERATIONS["tril"].vjp
    assert vjp(np.array([[1.0, np.nan], [2.0, 3.0]]), np.ones((2, 2)))["x"].tolist() == [[1.0, 0.0], [2.0, 3.0]]
