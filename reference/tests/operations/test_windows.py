"""Convolution and pooling against plain loops and scipy, their adjoints, special values, and what they refuse."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate2d

from tensorproof_reference.operations import _windows, average_pool2d, conv2d, conv2d_transpose, max_pool2d
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.dilated import dilated_average_pool2d, dilated_max_pool2d

GEOMETRIES: list[dict[str, Any]] = [
    {},
    {"stride": (2, 3)},
    {"dilation": (3, 2)},
    {"groups": 2},
    {"padding": "same"},
    {"padding": "same", "stride": (3, 2)},
    {"padding": ((2, 0), (1, 3)), "stride": (3, 2), "dilation": (2, 3), "groups": 2},
    {"padding": ((0, 1), (0, 0)), "stride": (2, 4), "dilation": (4, 2)},
    {"stride": (5, 4)},
]


def convolution_inputs(groups: int = 1) -> tuple[Any, Any, Any]:
    """x (2, 4, 11, 9), weight (6, 4/groups, 3, 2) and bias (6,)."""
    draw = Stream(5)("test_windows")
    return draw("x").normal((2, 4, 11, 9)), draw("weight").normal((6, 4 // groups, 3, 2)), draw("bias").normal((6,))


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """As TensorFlow's documentation of SAME states it."""
    total = max(window - stride, 0) if size % stride == 0 else max(window - size % stride, 0)
    return total // 2, total - total // 2


def padded_input(x: Any, padding: Any, window: tuple[int, int], stride: tuple[int, int], value: float = 0.0) -> Any:
    if padding == "valid":
        padding = ((0, 0), (0, 0))
    if padding == "same":
        padding = tuple(same_padding(x.shape[axis + 2], window[axis], stride[axis]) for axis in (0, 1))
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def dilated(kernel: Any, dilation: tuple[int, int]) -> Any:
    rows, columns = ((size - 1) * step + 1 for size, step in zip(kernel.shape, dilation, strict=True))
    spread = np.zeros((rows, columns))
    spread[:: dilation[0], :: dilation[1]] = kernel
    return spread


@pytest.mark.parametrize("keywords", GEOMETRIES, ids=str)
def test_convolution_is_what_scipy_correlates(keywords: dict[str, Any]) -> None:
    groups, dilation, stride = keywords.get("groups", 1), keywords.get("dilation", (1, 1)), keywords.get("stride", (1, 1))
    x, weight, bias = convolution_inputs(groups)
    window = dilated(weight[0, 0], dilation).shape
    padded = padded_input(x, keywords.get("padding", "valid"), window, stride)
    y = conv2d.conv2d(x, weight, bias, **keywords)
    for image, filter_ in itertools.product(range(2), range(6)):
        first = filter_ // (6 // groups) * (4 // groups)
        planes = [
            correlate2d(padded[image, first + channel], dilated(weight[filter_, channel], dilation), mode="valid")
            for channel in range(4 // groups)
        ]
        expected = np.sum(planes, axis=0)[:: stride[0], :: stride[1]] + bias[filter_]
        assert_allclose(y[image, filter_], expected, rtol=0, atol=1e-12)


def painted(x: Any, weight: Any, stride: tuple[int, int], dilation: tuple[int, int], groups: int, extra: tuple[int, int]) -> Any:
    """The full transposed convolution, painted tap by tap."""
    batch, channels, rows, columns = x.shape
    filters = weight.shape[1]
    height, width = dilated(weight[0, 0], dilation).shape
    size = (rows - 1) * stride[0] + height + extra[0], (columns - 1) * stride[1] + width + extra[1]
    full = np.zeros((batch, filters * groups, *size))
    for channel, filter_ in itertools.product(range(channels), range(filters)):
        target = full[:, channel // (channels // groups) * filters + filter_]
        for row, column in itertools.product(range(rows), range(columns)):
            top, left = row * stride[0], column * stride[1]
            stroke = x[:, channel, row, column, None, None] * dilated(weight[channel, filter_], dilation)
            target[:, top : top + height, left : left + width] += stroke
    return full


TRANSPOSED: list[tuple[dict[str, Any], Any]] = [
    ({}, ((0, 0), (0, 0))),
    ({"stride": (2, 3), "output_padding": (1, 2)}, ((0, 0), (0, 0))),
    ({"stride": (2, 3), "output_padding": (1, 2), "padding": ((1, 1), (0, 1))}, ((1, 1), (0, 1))),
    ({"dilation": (3, 2), "groups": 2, "padding": ((2, 0), (1, 3))}, ((2, 0), (1, 3))),
    ({"stride": (2, 4), "dilation": (4, 2), "padding": ((0, 3), (1, 0))}, ((0, 3), (1, 0))),
    ({"stride": (2, 1), "padding": "same"}, ((0, 1), (0, 1))),
    ({"dilation": (3, 2), "padding": "same"}, ((3, 3), (1, 1))),
]


@pytest.mark.parametrize(("keywords", "cropped"), TRANSPOSED, ids=str)
def test_transposed_convolution_is_paint(keywords: dict[str, Any], cropped: Any) -> None:
    groups, dilation, stride = keywords.get("groups", 1), keywords.get("dilation", (1, 1)), keywords.get("stride", (1, 1))
    draw = Stream(5)("paint")
    x, weight = draw("x").normal((2, 4, 4, 5)), draw("weight").normal((4, 6 // groups, 3, 2))
    bias = draw("bias").normal((6,))
    full = painted(x, weight, stride, dilation, groups, keywords.get("output_padding", (0, 0)))
    (top, bottom), (left, right) = cropped
    expected = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right] + bias[:, None, None]
    assert_allclose(conv2d_transpose.conv2d_transpose(x, weight, bias, **keywords), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("keywords", GEOMETRIES, ids=str)
def test_transposed_convolution_is_the_adjoint(keywords: dict[str, Any]) -> None:
    """On inputs that conv2d's windows cover up to the output padding, <conv(a), b> = <a, transpose(b)>."""
    _, weight, _ = convolution_inputs(keywords.get("groups", 1))
    draw, stride = Stream(6)("adjoint"), keywords.get("stride", (1, 1))
    size = (4 * stride[0], 5 * stride[1]) if keywords.get("padding") == "same" else (14, 15)
    a = draw("a").normal((2, 4, *size))
    conv = conv2d.conv2d(a, weight, **keywords)
    b = draw("b").normal(conv.shape)
    extra = (0, 0)
    if keywords.get("padding") != "same":
        short = conv2d_transpose.conv2d_transpose(b, weight, **keywords)
        extra = (size[0] - short.shape[2], size[1] - short.shape[3])
    transposed = conv2d_transpose.conv2d_transpose(b, weight, **keywords, output_padding=extra)
    assert transposed.shape == a.shape
    assert_allclose(np.sum(conv * b), np.sum(a * transposed), rtol=1e-12)


def test_same_padding_of_a_transpose_fills_a_stride_wider_than_the_kernel_with_bias() -> None:
    x, weight, bias = np.ones((1, 1, 2, 2)), np.full((1, 1, 2, 1), 3.0), np.array([0.5])
    y = conv2d_transpose.conv2d_transpose(x, weight, bias, stride=(3, 2), padding="same")
    assert_array_equal(y[0, 0, :, 0], [3.5, 3.5, 0.5, 3.5, 3.5, 0.5])
    assert_array_equal(y[0, 0, 0], [3.5, 0.5, 3.5, 0.5])


def test_many_images_are_convolved_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = convolution_inputs()
    whole = conv2d.conv2d(x, weight, bias)
    monkeypatch.setattr(_windows, "CACHED", 1)
    assert_allclose(conv2d.conv2d(x, weight, bias), whole, rtol=1e-13)


POOLINGS: list[dict[str, Any]] = [
    {},
    {"window": (3, 2), "stride": (2, 3)},
    {"window": (3, 3), "stride": (1, 2), "padding": "same"},
    {"window": (4, 3), "stride": (2, 2), "padding": ((0, 3), (2, 1))},
    {"ceil_mode": True},
    {"window": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 0)), "ceil_mode": True},
    {"window": (2, 2), "stride": (3, 3), "padding": ((1, 1), (0, 1)), "ceil_mode": True},
    {"window": (2, 1), "stride": (3, 2), "padding": "same", "ceil_mode": True},
]


def pooled(x: Any, **keywords: Any) -> list[list[tuple[Any, float]]]:
    """For each window the pixels (NaN outside the input) and the number of them within the padded input."""
    window = keywords.get("window", (2, 2))
    stride = keywords.get("stride", window)
    padded = padded_input(x, keywords.get("padding", "valid"), window, stride, np.nan)
    low = padded_input(np.zeros((1, 1, *x.shape[2:])), keywords.get("padding", "valid"), window, stride, 1.0)[0, 0]
    top, left = int(np.argmin(low.min(axis=1))), int(np.argmin(low.min(axis=0)))
    size, limits = padded.shape[2:], (top + x.shape[2], left + x.shape[3])

    def starts(axis: int) -> list[int]:
        every = range(0, size[axis], stride[axis])
        if keywords.get("ceil_mode"):
            # A window follows if the one before it did not reach the end, and it starts before the padding at the end.
            return [start for start in every if start < limits[axis] and start - stride[axis] + window[axis] < size[axis]]
        return [start for start in every if start + window[axis] <= size[axis]]

    rows = []
    for row in starts(0):
        parts = [padded[:, :, row : row + window[0], column : column + window[1]] for column in starts(1)]
        rows.append([(part, float(part.shape[2] * part.shape[3])) for part in parts])
    return rows


@pytest.mark.parametrize("keywords", POOLINGS, ids=str)
def test_pooling_is_what_each_window_holds(keywords: dict[str, Any]) -> None:
    x = Stream(5)("pooling").normal((2, 3, 8, 7))
    parts = pooled(x, **keywords)

    def table(function: Any) -> Any:
        return np.moveaxis(np.array([[function(*cell) for cell in row] for row in parts]), (0, 1), (2, 3))

    assert_array_equal(max_pool2d.max_pool2d(x, **keywords), table(lambda part, _: np.nanmax(part, axis=(2, 3))))
    assert_allclose(average_pool2d.average_pool2d(x, **keywords), table(lambda part, _: np.nanmean(part, axis=(2, 3))))
    counted = average_pool2d.average_pool2d(x, **keywords, count_padding=True)
    assert_allclose(counted, table(lambda part, count: np.nansum(part, axis=(2, 3)) / count))


def gradient_of_one_window(values: list[list[float]], **keywords: Any) -> Any:
    x = np.array(values).reshape(1, 1, len(values), -1)
    dy = np.full(max_pool2d.max_pool2d(x, **keywords).shape, 1.0)
    return max_pool2d.vjp(dy, x, **keywords)["x"][0, 0]


def test_gradient_of_a_maximum_goes_to_the_first() -> None:
    nan, inf = np.nan, np.inf
    assert_array_equal(gradient_of_one_window([[1, 2], [2, 2]]), [[0, 1], [0, 0]])
    assert_array_equal(gradient_of_one_window([[1, 1], [1, 1]]), [[1, 0], [0, 0]])
    assert_array_equal(gradient_of_one_window([[5, nan], [nan, inf]]), [[0, 1], [0, 0]])
    assert_array_equal(gradient_of_one_window([[-inf, -inf], [-inf, -inf]]), [[1, 0], [0, 0]])
    assert_array_equal(gradient_of_one_window([[1, inf], [inf, 1]]), [[0, 1], [0, 0]])
    assert_array_equal(gradient_of_one_window([[-0.0, 0.0], [-1, -1]]), [[1, 0], [0, 0]])


def test_padding_takes_no_gradient_from_negative_infinity() -> None:
    gradient = gradient_of_one_window([[-np.inf, -np.inf]], window=(1, 2), stride=(1, 2), padding=((0, 0), (1, 1)))
    assert_array_equal(gradient, [[1, 1]])


def test_gradients_of_overlapping_windows_add_up() -> None:
    gradient = gradient_of_one_window([[0, 1, 9, 1, 0]], window=(1, 3), stride=(1, 1))
    assert_array_equal(gradient, [[0, 0, 3, 0, 0]])
    dy = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 1, 3)
    average = average_pool2d.vjp(dy, np.zeros((1, 1, 1, 5)), window=(1, 3), stride=(1, 1))["x"]
    assert_allclose(average[0, 0, 0] * 3, [1, 11, 111, 110, 100])


def test_maximum_is_nan_where_the_window_holds_nan() -> None:
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    assert_array_equal(np.isnan(max_pool2d.max_pool2d(x))[0, 0], [[False, True], [False, False]])
    x[0, 0, 0, 2] = np.inf
    assert np.isnan(max_pool2d.max_pool2d(x)[0, 0, 0, 1])


def test_nan_reaches_only_the_windows_that_hold_it() -> None:
    x, weight, bias = convolution_inputs()
    x[0, 2, 5, 4] = np.nan
    y = conv2d.conv2d(x, weight, bias, padding=((1, 1), (1, 1)), stride=(2, 1))
    expected = np.zeros((2, 11 // 2 + 1, 10), dtype=bool)
    expected[0, 2:4, 4:6] = True
    assert_array_equal(np.isnan(y), np.broadcast_to(expected[:, None], y.shape))
    gradients = conv2d.vjp(np.ones_like(y), x, weight, bias, padding=((1, 1), (1, 1)), stride=(2, 1))
    assert np.isfinite(gradients["x"]).all()
    tainted = np.isnan(gradients["weight"]).any(axis=(0, 3))
    assert_array_equal(tainted, [[False] * 3, [False] * 3, [True, False, True], [False] * 3])


X, WEIGHT = np.zeros((2, 4, 5, 6)), np.zeros((6, 4, 3, 2))
REFUSED_BY_BOTH: list[tuple[str, dict[str, Any]]] = [
    ("x", {"x": np.zeros((4, 5, 6))}),
    ("weight", {"weight": np.zeros((4, 3, 2))}),
    ("weight", {"weight": np.zeros((6, 4, 0, 2))}),
    ("bias", {"bias": np.zeros((5,))}),
    ("bias", {"bias": np.zeros((1, 6))}),
    ("stride", {"stride": (0, 1)}),
    ("stride", {"stride": 2}),
    ("dilation", {"dilation": (1, -1)}),
    ("padding", {"padding": "full"}),
    ("padding", {"padding": (1, 1)}),
    ("padding", {"padding": ((1, -1), (0, 0))}),
    ("groups", {"groups": 0}),
    ("groups", {"groups": 3}),
]
REFUSED_BY_CONVOLUTION: list[tuple[str, dict[str, Any]]] = [
    ("weight", {"weight": np.zeros((6, 3, 3, 2))}),
    ("weight", {"weight": np.zeros((6, 4, 6, 2))}),
    ("weight", {"dilation": (1, 6)}),
]
REFUSED_BY_TRANSPOSE: list[tuple[str, dict[str, Any]]] = [
    ("weight", {"weight": np.zeros((3, 6, 3, 2))}),
    ("x", {"x": np.zeros((2, 4, 0, 6))}),
    ("output_padding", {"output_padding": (1, 0)}),
    ("output_padding", {"output_padding": (0, -1)}),
    ("output_padding", {"output_padding": (1, 0), "stride": (2, 2), "padding": "same"}),
    ("padding", {"padding": ((4, 3), (0, 0))}),
]
REFUSED_BY_POOLING: list[tuple[str, dict[str, Any]]] = [
    ("x", {"x": np.zeros((4, 5, 6))}),
    ("window", {"window": (0, 1)}),
    ("window", {"window": (6, 1)}),
    ("stride", {"stride": (1, 0)}),
    ("padding", {"padding": "full"}),
    ("padding", {"padding": ((0, 2), (0, 0))}),
    ("ceil_mode", {"ceil_mode": 1}),
]


@pytest.mark.parametrize(("argument", "changes"), REFUSED_BY_BOTH + REFUSED_BY_CONVOLUTION)
def test_convolution_refuses(argument: str, changes: dict[str, Any]) -> None:
    arguments = {"x": X, "weight": WEIGHT, "bias": np.zeros((6,)), **changes}
    with pytest.raises(ValueError, match=f"^{argument}: "):
        conv2d.conv2d(**arguments)
    with pytest.raises(ValueError, match=f"^{argument}: "):
        conv2d.vjp(np.zeros((1,)), **arguments)


@pytest.mark.parametrize(("argument", "changes"), REFUSED_BY_BOTH + REFUSED_BY_TRANSPOSE)
def test_transposed_convolution_refuses(argument: str, changes: dict[str, Any]) -> None:
    weight = np.swapaxes(WEIGHT, 0, 1)
    arguments = {"x": X, "weight": weight, "bias": np.zeros((6,)), **changes}
    with pytest.raises(ValueError, match=f"^{argument}: "):
        conv2d_transpose.conv2d_transpose(**arguments)
    with pytest.raises(ValueError, match=f"^{argument}: "):
        conv2d_transpose.vjp(np.zeros((1,)), **arguments)


@pytest.mark.parametrize(("argument", "changes"), REFUSED_BY_POOLING)
def test_pooling_refuses(argument: str, changes: dict[str, Any]) -> None:
    arguments = {"x": X, **changes}
    for function in (max_pool2d.max_pool2d, average_pool2d.average_pool2d):
        with pytest.raises(ValueError, match=f"^{argument}: "):
            function(**arguments)


def test_average_pooling_refuses_a_count_that_is_no_truth_value() -> None:
    with pytest.raises(ValueError, match=r"^count_padding: "):
        average_pool2d.average_pool2d(X, count_padding="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "keywords",
    [
        {"window": (2, 3), "dilation": (3, 2), "stride": (2, 1)},
        {"window": (3, 2), "dilation": (2, 3), "padding": ((2, 1), (0, 2))},
        {"window": (3, 3), "dilation": (2, 2), "padding": "same"},
        {"window": (2, 2), "dilation": (2, 1), "stride": (3, 2), "padding": ((1, 0), (0, 1)), "ceil_mode": True},
    ],
)
def test_pooling_with_gaps_is_pooling_of_what_lies_at_the_taps(keywords: dict[str, Any]) -> None:
    x = Stream(5)("dilated").normal((2, 3, 9, 8))
    place = _windows.pooling_geometry(
        x,
        keywords["dilation"],
        keywords["window"],
        keywords.get("stride", (1, 1)),
        keywords.get("padding", "valid"),
        keywords.get("ceil_mode", False),
    )
    (top, _), (left, _) = place.padding
    for p, q in np.ndindex(*place.outputs):
        rows = p * place.stride[0] - top + np.arange(place.kernel[0]) * place.dilation[0]
        columns = q * place.stride[1] - left + np.arange(place.kernel[1]) * place.dilation[1]
        rows, columns = rows[(rows >= 0) & (rows < 9)], columns[(columns >= 0) & (columns < 8)]
        held = x[:, :, rows][:, :, :, columns]
        assert_array_equal(dilated_max_pool2d(x, **keywords)[:, :, p, q], np.max(held, axis=(2, 3)))
        assert_allclose(dilated_average_pool2d(x, **keywords)[:, :, p, q], np.mean(held, axis=(2, 3)))


@pytest.mark.parametrize("function", [dilated_max_pool2d, dilated_average_pool2d])
@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("dilation", {"dilation": (0, 1)}),
        ("dilation", {"dilation": 2}),
        ("window", {"dilation": (9, 9)}),
        ("padding", {"padding": ((3, 0), (0, 0))}),
    ],
)
def test_pooling_with_gaps_refuses(function: Any, argument: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(np.ones((1, 1, 6, 6)), **changes)
