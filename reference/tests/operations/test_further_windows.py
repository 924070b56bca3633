"""Pooling with gaps of every rank, padding whose odd one is at the beginning, and separable convolution, by what they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.operations.conv2d import conv2d
from tensorproof_reference.operations.conv2d_transpose import conv2d_transpose
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.convolution import conv1d, conv3d
from tensorproof_reference.windows.dilated import (
    dilated_average_pool1d,
    dilated_average_pool2d,
    dilated_average_pool3d,
    dilated_max_pool1d,
    dilated_max_pool2d,
    dilated_max_pool3d,
)
from tensorproof_reference.windows.l2_pooling import l2_pool2d
from tensorproof_reference.windows.pooling import average_pool1d, max_pool1d
from tensorproof_reference.windows.separable import separable_conv2d

POOLS = {
    1: (dilated_max_pool1d, dilated_average_pool1d),
    2: (dilated_max_pool2d, dilated_average_pool2d),
    3: (dilated_max_pool3d, dilated_average_pool3d),
}


@pytest.mark.parametrize("axes", [1, 3])
@pytest.mark.parametrize(
    "keywords",
    [
        {"window": (2, 3, 2), "dilation": (3, 2, 2), "stride": (2, 1, 2)},
        {"window": (3, 2, 2), "dilation": (2, 3, 1), "padding": ((2, 1), (0, 2), (0, 1))},
    ],
)
def test_pooling_with_gaps_of_any_rank_is_pooling_of_what_lies_at_the_taps(axes: int, keywords: dict[str, Any]) -> None:
    given = {name: value[:axes] for name, value in keywords.items()}
    x = Stream(5)("gaps").normal((2, 3, *(9, 8, 6)[:axes]))
    maximum, average = (pool(x, **given) for pool in POOLS[axes])
    strides, sides = given.get("stride", (1,) * axes), given.get("padding", ((0, 0),) * axes)
    for place in np.ndindex(*maximum.shape[2:]):
        held = x
        for axis in range(axes):
            taps = place[axis] * strides[axis] - sides[axis][0] + np.arange(given["window"][axis]) * given["dilation"][axis]
            held = np.take(held, taps[(taps >= 0) & (taps < x.shape[axis + 2])], axis=axis + 2)
        over = tuple(range(2, axes + 2))
        assert_array_equal(maximum[(..., *place)], np.max(held, axis=over))
        assert_allclose(average[(..., *place)], np.mean(held, axis=over))


@pytest.mark.parametrize("axes", POOLS)
@pytest.mark.parametrize(("argument", "changes"), [("dilation", {"dilation": 2}), ("window", {"window": (9,) * 4})])
def test_pooling_with_gaps_of_any_rank_refuses(axes: int, argument: str, changes: dict[str, Any]) -> None:
    for pool in POOLS[axes]:
        with pytest.raises(ValueError, match=f"^{argument}: expected"):
            pool(np.ones((1, 1, *(6,) * axes)), **changes)


def test_same_lower_has_the_odd_one_at_the_beginning() -> None:
    x = np.arange(1.0, 7.0).reshape(1, 1, 6)
    assert_array_equal(conv1d(x, np.ones((1, 1, 2)), padding="same_lower")[0, 0], [1, 3, 5, 7, 9, 11])
    assert_array_equal(conv1d(x, np.ones((1, 1, 2)), padding="same")[0, 0], [3, 5, 7, 9, 11, 6])
    assert_array_equal(max_pool1d(x, window=(2,), stride=(1,), padding="same_lower")[0, 0], [1, 2, 3, 4, 5, 6])
    assert_array_equal(average_pool1d(x, window=(2,), stride=(1,), padding="same_lower")[0, 0], [1, 1.5, 2.5, 3.5, 4.5, 5.5])
    assert_array_equal(dilated_max_pool1d(x, window=(2,), dilation=(3,), padding="same_lower")[0, 0], [2, 3, 4, 5, 6, 4])


LOWER: list[tuple[Callable[..., Any], dict[str, Any], Any]] = [
    (conv3d, {"stride": (2, 2, 2)}, ((2, 1), (1, 0), (1, 0))),
    (dilated_average_pool3d, {"window": (4, 3, 2), "stride": (2, 2, 2), "dilation": (1, 1, 1)}, ((2, 1), (1, 0), (1, 0))),
    (l2_pool2d, {"window": (4, 3), "stride": (2, 2)}, ((2, 1), (1, 0))),
]


@pytest.mark.parametrize(("function", "keywords", "pairs"), LOWER)
def test_same_lower_is_explicit_padding(function: Callable[..., Any], keywords: dict[str, Any], pairs: Any) -> None:
    draw = Stream(5)("lower")
    x = draw("x").normal((2, 3, *(7, 6, 5)[: len(pairs)]))
    others = (draw("weight").normal((4, 3, 4, 3, 2)),) if function is conv3d else ()
    assert_array_equal(function(x, *others, padding="same_lower", **keywords), function(x, *others, padding=pairs, **keywords))


def test_a_transposed_convolution_has_no_padding_same_lower() -> None:
    with pytest.raises(ValueError, match=r"^padding: expected 'valid', 'same' or"):
        conv2d_transpose(np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2)), padding="same_lower")


@pytest.mark.parametrize(
    "keywords",
    [{}, {"stride": (2, 3), "padding": "same"}, {"dilation": (2, 1), "padding": ((2, 0), (1, 3))}, {"padding": "same_lower"}],
)
def test_separable_convolution_is_a_convolution_with_the_product_of_its_kernels(keywords: dict[str, Any]) -> None:
    draw = Stream(5)("separable")
    x, depthwise = draw("x").normal((2, 3, 7, 6)), draw("depthwise").normal((3, 2, 2, 3))
    pointwise, bias = draw("pointwise").normal((5, 6, 1, 1)), draw("bias").normal((5,))
    whole = np.einsum("ocm,cmij->ocij", pointwise.reshape(5, 3, 2), depthwise)
    y = separable_conv2d(x, depthwise, pointwise, bias, **keywords)
    assert_allclose(y, conv2d(x, whole, bias, **keywords), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("x", {"x": np.zeros((3, 7, 6))}),
        ("depthwise", {"depthwise": np.zeros((2, 2, 2, 3))}),
        ("depthwise", {"depthwise": np.zeros((3, 2, 0, 3))}),
        ("depthwise", {"depthwise": np.zeros((3, 2, 8, 3))}),
        ("pointwise", {"pointwise": np.zeros((5, 5, 1, 1))}),
        ("pointwise", {"pointwise": np.zeros((5, 6, 1, 2))}),
        ("pointwise", {"pointwise": np.zeros((5, 6))}),
        ("bias", {"bias": np.zeros(6)}),
        ("stride", {"stride": (0, 1)}),
        ("padding", {"padding": "full"}),
        ("dilation", {"dilation": 2}),
    ],
)
def test_separable_convolution_refuses(argument: str, changes: dict[str, Any]) -> None:
    arrays = {"x": np.zeros((2, 3, 7, 6)), "depthwise": np.zeros((3, 2, 2, 3)), "pointwise": np.zeros((5, 6, 1, 1))}
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        separable_conv2d(**{**arrays, "bias": np.zeros(5), **changes})
