"""Convolution and pooling over one and three axes of positions against plain loops, and against those over two."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.operations.average_pool2d import average_pool2d
from tensorproof_reference.operations.conv2d import conv2d
from tensorproof_reference.operations.conv2d_transpose import conv2d_transpose
from tensorproof_reference.operations.max_pool2d import max_pool2d
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.convolution import conv1d, conv3d
from tensorproof_reference.windows.pooling import average_pool1d, average_pool3d, max_pool1d, max_pool3d
from tensorproof_reference.windows.transposed_convolution import conv1d_transpose, conv3d_transpose

Keywords = dict[str, Any]
CONV = {1: conv1d, 3: conv3d}
TRANSPOSED = {1: conv1d_transpose, 3: conv3d_transpose}
MAXIMUM = {1: max_pool1d, 3: max_pool3d}
AVERAGE = {1: average_pool1d, 3: average_pool3d}
SIZES = {1: (9,), 3: (5, 6, 4)}
KERNELS = {1: (3,), 3: (3, 2, 2)}

CONVOLUTIONS: list[tuple[int, Keywords]] = [
    (1, {}),
    (1, {"stride": (2,), "dilation": (3,), "padding": ((2, 1),)}),
    (1, {"groups": 2}),
    (3, {}),
    (3, {"stride": (2, 1, 2), "padding": ((1, 0), (0, 2), (1, 1))}),
    (3, {"dilation": (2, 3, 1), "groups": 2, "padding": ((1, 1), (0, 1), (0, 0))}),
]


def drawn(rank: int, groups: int = 1) -> tuple[Any, Any, Any]:
    """An input of four channels, weight of six filters, and bias."""
    draw = Stream(7)("ranks")
    x, weight = draw("x").normal((2, 4, *SIZES[rank])), draw("weight").normal((6, 4 // groups, *KERNELS[rank]))
    return x, weight, draw("bias").normal((6,))


def filled(keywords: Keywords, rank: int) -> tuple[Any, Any, Any, int]:
    """Stride, dilation, padding and groups, or what they are by default."""
    one = (1,) * rank
    padding = keywords.get("padding", ((0, 0),) * rank)
    return keywords.get("stride", one), keywords.get("dilation", one), padding, keywords.get("groups", 1)


@pytest.mark.parametrize(("rank", "keywords"), CONVOLUTIONS, ids=str)
def test_convolution_is_the_sum_over_taps(rank: int, keywords: Keywords) -> None:
    stride, dilation, padding, groups = filled(keywords, rank)
    x, weight, bias = drawn(rank, groups)
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    y = CONV[rank](x, weight, bias, **keywords)
    for place in itertools.product(*(range(size) for size in y.shape[2:])):
        for filter_ in range(6):
            first = filter_ // (6 // groups) * (4 // groups)
            expected = np.full(2, bias[filter_])
            for channel, *tap in itertools.product(range(4 // groups), *(range(size) for size in KERNELS[rank])):
                at = tuple(p * s + d * t for p, s, d, t in zip(place, stride, dilation, tap, strict=True))
                expected += weight[(filter_, channel, *tap)] * padded[(slice(None), first + channel, *at)]
            assert_allclose(y[(slice(None), filter_, *place)], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rank", "keywords"), CONVOLUTIONS, ids=str)
def test_transposed_convolution_is_the_adjoint(rank: int, keywords: Keywords) -> None:
    """With output padding up to the size of the input, <conv(a), b> = <a, transpose(b)>."""
    x, weight, _ = drawn(rank, keywords.get("groups", 1))
    conv = CONV[rank](x, weight, **keywords)
    b = Stream(8)("b").normal(conv.shape)
    short = TRANSPOSED[rank](b, weight, **keywords)
    extra = tuple(size - less for size, less in zip(x.shape[2:], short.shape[2:], strict=True))
    transposed = TRANSPOSED[rank](b, weight, **keywords, output_padding=extra)
    assert transposed.shape == x.shape
    assert_allclose(np.sum(conv * b), np.sum(x * transposed), rtol=1e-12)


POOLINGS: list[tuple[int, Keywords]] = [
    (1, {}),
    (1, {"window": (3,), "stride": (2,), "padding": ((1, 2),)}),
    (3, {}),
    (3, {"window": (3, 2, 2), "stride": (1, 2, 3), "padding": ((2, 0), (1, 1), (0, 1))}),
]


@pytest.mark.parametrize(("rank", "keywords"), POOLINGS, ids=str)
def test_pooling_is_what_each_window_holds(rank: int, keywords: Keywords) -> None:
    x = Stream(9)("pooling").normal((2, 3, *SIZES[rank]))
    window = keywords.get("window", (2,) * rank)
    stride = keywords.get("stride", window)
    padded = np.pad(x, ((0, 0), (0, 0), *keywords.get("padding", ((0, 0),) * rank)), constant_values=np.nan)
    largest, mean = MAXIMUM[rank](x, **keywords), AVERAGE[rank](x, **keywords)
    for place in itertools.product(*(range(size) for size in largest.shape[2:])):
        reach = (slice(p * s, p * s + k) for p, s, k in zip(place, stride, window, strict=True))
        part = padded[(slice(None), slice(None), *reach)].reshape(2, 3, -1)
        assert_array_equal(largest[(slice(None), slice(None), *place)], np.nanmax(part, axis=-1))
        assert_allclose(mean[(slice(None), slice(None), *place)], np.nanmean(part, axis=-1), rtol=1e-14)


def test_a_sequence_is_an_image_of_one_column_and_an_image_a_volume_of_one_slice() -> None:
    x, weight, bias = drawn(1)
    keywords: Keywords = {"stride": (2,), "padding": ((1, 2),)}
    image: Keywords = {"stride": (2, 1), "padding": ((1, 2), (0, 0))}
    assert_allclose(conv1d(x, weight, bias, **keywords), conv2d(x[..., None], weight[..., None], bias, **image)[..., 0])
    assert_array_equal(max_pool1d(x), max_pool2d(x[..., None], window=(2, 1))[..., 0])
    assert_array_equal(average_pool1d(x, ceil_mode=True), average_pool2d(x[..., None], window=(2, 1), ceil_mode=True)[..., 0])
    y = Stream(10)("y").normal((2, 6, 4, 3))
    kernel = Stream(10)("kernel").normal((6, 2, 3, 2))
    volume = conv3d_transpose(y[:, :, None], kernel[:, :, None], stride=(1, 2, 3), padding="same")
    assert_allclose(volume[:, :, 0], conv2d_transpose(y, kernel, stride=(2, 3), padding="same"))
    assert_array_equal(max_pool3d(y[:, :, None], window=(1, 2, 2), padding="same")[:, :, 0], max_pool2d(y, padding="same"))
    assert_array_equal(average_pool3d(y[:, :, None], window=(1, 2, 2))[:, :, 0], average_pool2d(y))


def test_the_gradient_of_a_maximum_in_three_dimensions_goes_to_the_first() -> None:
    vjp = extended_operations()["max_pool3d"].vjp
    assert vjp is not None
    x = np.zeros((1, 1, 2, 2, 2))
    x[0, 0, 0, 1, 1] = x[0, 0, 1, 0, 0] = 2.0
    expected = np.zeros_like(x)
    expected[0, 0, 0, 1, 1] = 5.0
    assert_array_equal(vjp(np.full((1, 1, 1, 1, 1), 5.0), x)["x"], expected)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: conv1d(np.ones((2, 4, 5, 6)), np.ones((6, 4, 3))), "x: expected an array with 3 axes"),
        (
            lambda: conv1d(np.ones((2, 4, 5)), np.ones((6, 4, 3)), stride=2),
            "stride: expected a tuple of one integer of at least 1",
        ),  # type: ignore[arg-type]
        (
            lambda: conv1d(np.ones((2, 4, 5)), np.ones((6, 4, 3)), padding=(1, 1)),
            r"padding: expected 'valid', 'same', 'same_lower' or",
        ),  # type: ignore[arg-type]
        (
            lambda: conv3d(np.ones((2, 4, 5, 5, 5)), np.ones((6, 4, 3, 3, 3)), dilation=(1, 2)),
            "dilation: expected three integers",
        ),
        (
            lambda: conv3d(np.ones((2, 4, 5, 5, 5)), np.ones((6, 4, 6, 3, 3))),
            r"weight: expected at most the padded size \(5, 5, 5\)",
        ),
        (lambda: max_pool1d(np.ones((2, 4, 5)), padding=((2, 0),)), r"padding: expected less than the window \(2,\)"),
        (lambda: max_pool3d(np.ones((2, 4, 5, 5))), "x: expected an array with 5 axes"),
        (lambda: conv3d_transpose(np.ones((1, 1, 0, 2, 2)), np.ones((1, 1, 2, 2, 2))), "x: expected no empty axis of positions"),
    ],
)
def test_arguments_that_do_not_fit_are_told(call: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        call()
