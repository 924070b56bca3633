"""Sums of products, roots of sums of squares, neighbouring channels and channels in blocks, against plain loops."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.arrays.products import EQUATIONS, einsum
from tensorproof_reference.images.shuffling import pixel_shuffle, pixel_unshuffle
from tensorproof_reference.normalizations.local_response_normalization import local_response_normalization
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.l2_pooling import l2_pool1d, l2_pool2d, l2_pool3d
from tensorproof_reference.windows.pooling import average_pool1d, average_pool3d

SMALL = [name for name in EQUATIONS if name.split("_")[0] in ("plain", "axis", "unit", "rank")]


@pytest.mark.parametrize("name", SMALL)
def test_einsum_is_a_sum_over_all_values_of_its_letters(name: str) -> None:
    equation, shapes = EQUATIONS[name]
    given, _, result = equation.partition("->")
    parts = given.split(",")
    arrays = [Stream(1)(name)(str(place)).normal(shape) for place, shape in enumerate(shapes)]
    lengths = {
        letter: length for part, shape in zip(parts, shapes, strict=True) for letter, length in zip(part, shape, strict=True)
    }
    expected = np.zeros([lengths[letter] for letter in result])
    for values in itertools.product(*(range(length) for length in lengths.values())):
        at = dict(zip(lengths, values, strict=True))
        factors = (array[tuple(at[letter] for letter in part)] for part, array in zip(parts, arrays, strict=True))
        expected[tuple(at[letter] for letter in result)] += math.prod(factors)
    assert_allclose(einsum(arrays, equation=equation), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("ij,jk", "equation: expected letters, commas and an arrow"),
        ("i...,jk->ik", "equation: expected letters, commas and an arrow"),
        ("ij->ij", "equation: expected letters of 2 arrays"),
        ("ij,jk->iik", "equation: expected a result of letters of the arrays, each once"),
        ("ij,jk->il", "equation: expected a result of letters of the arrays, each once"),
        ("ij,j->i", "equation: expected 2 letters for an array of shape"),
        ("ij,ik->jk", "arrays: expected axes i of one length"),
    ],
)
def test_equations_that_do_not_fit_are_told(equation: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        einsum([np.ones((2, 3)), np.ones((3, 4))], equation=equation)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("order", ["CRD", "DCR"])
def test_shuffled_pixels_are_where_the_formula_says(factor: int, order: str) -> None:
    channels = 2
    x = np.arange(3.0 * channels * factor**2 * 4 * 5).reshape(3, channels * factor**2, 4, 5)
    y = pixel_shuffle(x, factor=factor, order=order)
    assert y.shape == (3, channels, 4 * factor, 5 * factor)
    for c, h, w, i, j in itertools.product(range(channels), range(4), range(5), range(factor), range(factor)):
        k = (c * factor + i) * factor + j if order == "CRD" else (i * factor + j) * channels + c
        assert_array_equal(y[:, c, h * factor + i, w * factor + j], x[:, k, h, w])
    assert_array_equal(pixel_unshuffle(y, factor=factor, order=order), x)


def test_what_cannot_be_shuffled_is_told() -> None:
    with pytest.raises(ValueError, match="x: expected a multiple of 4 channels"):
        pixel_shuffle(np.ones((2, 6, 3, 3)), factor=2)
    with pytest.raises(ValueError, match="x: expected height and width that are multiples of 2"):
        pixel_unshuffle(np.ones((2, 6, 3, 4)), factor=2)
    with pytest.raises(ValueError, match="order: expected one of 'CRD', 'DCR'"):
        pixel_shuffle(np.ones((2, 4, 3, 3)), factor=2, order="RCD")


def test_the_root_of_the_sum_of_squares_is_that_of_the_mean_times_the_window() -> None:
    draw = Stream(2)("l2")
    keywords: dict[str, Any] = {"padding": "same", "count_padding": True}
    row = draw("row").normal((2, 3, 7))
    mean = average_pool1d(np.square(row), window=(3,), stride=(2,), **keywords)
    assert_allclose(l2_pool1d(row, window=(3,), stride=(2,), padding="same"), np.sqrt(3 * mean), rtol=1e-13)
    volume = draw("volume").normal((2, 3, 5, 4, 6))
    mean = average_pool3d(np.square(volume), window=(2, 3, 2), **keywords)
    assert_allclose(l2_pool3d(volume, window=(2, 3, 2), padding="same"), np.sqrt(12 * mean), rtol=1e-13)


def test_windows_over_the_end_have_what_is_there() -> None:
    x = np.array([[[[3.0, 4.0, 12.0]]]])
    assert_array_equal(l2_pool2d(x, window=(1, 2), ceil_mode=True), [[[[5.0, 12.0]]]])
    assert_array_equal(l2_pool2d(x, window=(1, 3)), [[[[13.0]]]])


@pytest.mark.parametrize("even_window", ["one_more_before", "one_more_after"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_neighbouring_channels_are_those_of_the_window(size: int, even_window: str) -> None:
    x = Stream(3)("channels").normal((2, 6, 3))
    fewer, more = (size - 1) // 2, size // 2
    before, after = (more, fewer) if even_window == "one_more_before" else (fewer, more)
    keywords: dict[str, Any] = {"alpha": 0.5, "beta": 0.6, "bias": 1.5, "even_window": even_window}
    y = local_response_normalization(x, size=size, **keywords)
    for channel in range(6):
        around = x[:, max(channel - before, 0) : channel + after + 1]
        expected = x[:, channel] / (1.5 + 0.5 * np.sum(around**2, axis=1) / size) ** 0.6
        assert_allclose(y[:, channel], expected, rtol=1e-13)
