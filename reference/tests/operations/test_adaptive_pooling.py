"""Adaptive and global pooling against plain loops over windows."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.adaptive import (
    adaptive_average_pool,
    adaptive_max_pool,
    global_average_pool,
    global_max_pool,
)

SHAPES = [((7, 6), (3, 4)), ((7, 6), (10, 13)), ((5, 7, 4), (2, 3, 3)), ((17,), (5,)), ((4, 4), (1, 4))]


def windows(size: tuple[int, ...], output: tuple[int, ...]) -> Any:
    """The place of each window in the output, and the positions that it holds."""
    for place in itertools.product(*(range(number) for number in output)):
        yield (
            place,
            tuple(
                slice(math.floor(index * length / number), math.ceil((index + 1) * length / number))
                for index, length, number in zip(place, size, output, strict=True)
            ),
        )


@pytest.mark.parametrize(("size", "output"), SHAPES, ids=str)
def test_pooling_is_what_each_window_holds(size: tuple[int, ...], output: tuple[int, ...]) -> None:
    x = Stream(3)("adaptive").normal((2, 3, *size))
    largest, mean = adaptive_max_pool(x, output=output), adaptive_average_pool(x, output=output)
    every = (slice(None), slice(None))
    for place, held in windows(size, output):
        part = x[(*every, *held)].reshape(2, 3, -1)
        assert_array_equal(largest[(*every, *place)], part.max(axis=-1))
        assert_allclose(mean[(*every, *place)], part.mean(axis=-1), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(("size", "output"), SHAPES, ids=str)
def test_the_gradient_of_the_average_is_its_adjoint(size: tuple[int, ...], output: tuple[int, ...]) -> None:
    vjp = extended_operations()["adaptive_average_pool"].vjp
    assert vjp is not None
    draw = Stream(4)("adjoint")
    x, other = draw("x").normal((2, 3, *size)), draw("other").normal((2, 3, *size))
    dy = draw("dy").normal((2, 3, *output))
    dx = vjp(dy, x, output=output)["x"]
    assert_allclose(np.sum(adaptive_average_pool(other, output=output) * dy), np.sum(other * dx), rtol=1e-12)


def test_global_pooling_keeps_the_axes_of_positions() -> None:
    x = Stream(5)("global").normal((2, 3, 4, 5))
    assert_allclose(global_average_pool(x), x.mean(axis=(2, 3), keepdims=True), rtol=1e-14)
    assert_array_equal(global_max_pool(x), x.max(axis=(2, 3), keepdims=True))


def test_the_gradient_of_a_maximum_goes_to_the_first() -> None:
    vjp = extended_operations()["adaptive_max_pool"].vjp
    assert vjp is not None
    x = np.array([1.0, 3.0, 3.0, 0.0, np.nan, np.nan]).reshape(1, 1, 6)
    gradient = vjp(np.array([10.0, 100.0, 1000.0]).reshape(1, 1, 3), x, output=(3,))["x"]
    assert_array_equal(gradient, [[[0.0, 10.0, 100.0, 0.0, 1000.0, 0.0]]])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: adaptive_max_pool(np.ones((2, 3, 4)), output=(1, 2)), "output: expected a tuple of one integer of at least 1"),
        (lambda: adaptive_average_pool(np.ones((2, 3, 4, 5)), output=(0, 2)), "output: expected two integers of at least 1"),
        (lambda: global_average_pool(np.ones((2, 3))), "x: expected one to three axes of positions"),
        (lambda: global_max_pool(np.ones((2, 3, 0))), "x: expected no empty axis of positions"),
    ],
)
def test_arguments_that_do_not_fit_are_told(call: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        call()
