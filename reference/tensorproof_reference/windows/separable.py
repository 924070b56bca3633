"""Separable convolution of images: depthwise, then pointwise."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._convolution import SIZES, convolution, convolution_vjp, convolution_work
from tensorproof_reference.operations._window_samples import magnitudes, special, with_nan_in_each_lane
from tensorproof_reference.operations._windows import Geometry, Padding, Pair
from tensorproof_reference.operations._workloads import ordinary, shaped, weights
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ONES = (1, 1)
POINTWISE: dict[str, Any] = {"stride": ONES, "padding": "valid", "dilation": ONES, "groups": 1}
"""The keywords of the second convolution."""


def separable_conv2d(
    x: Array,
    depthwise: Array,
    pointwise: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
) -> Array:
    r"""Each channel by kernels of its own, then a product of the results over the channels.

    .. math:: z_{n,\,cM+m,\,pq} = \sum_{i,j} u_{cmij}\, x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}},
              \qquad y_{nopq} = b_o + \sum_k v_{ok}\, z_{nkpq}

    with u ``depthwise``, M kernels for each channel, and v ``pointwise``. Stride :math:`s`, dilation :math:`d` and ``padding``
    are those of z, as in ``conv2d``; ``"same_lower"`` is ``"same"`` with the odd one at the beginning.

    Shapes: ``x`` (N, C, H, W); ``depthwise`` (C, M, kH, kW); ``pointwise`` (O, C·M, 1, 1); ``bias`` (O,) or ``None``; the result
    (N, O, outH, outW) with out as in ``conv2d``. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, of all results, and no others.
    Raises: ``ValueError`` if a rank, shape, stride, padding or dilation does not fit, or the dilated kernel is larger than the
    padded input.
    Source: Chollet (2017), section 1; Howard et al. (2017), section 3.1; the text of ``tf.nn.separable_conv2d``.
    """
    first = _of_each_channel(x, _place(x, depthwise, pointwise, bias, stride, padding, dilation))
    return convolution(2, convolution(2, x, _kernels(depthwise), **first), pointwise, bias, **POINTWISE)


def _kernels(depthwise: Array) -> Array:
    """The kernels of all channels one after the other, as a convolution in groups of one channel has them."""
    return np.reshape(depthwise, (-1, 1, *depthwise.shape[2:]))


def _place(
    x: Array, depthwise: Array, pointwise: Array, bias: Array | None, stride: Pair, padding: Padding, dilation: Pair
) -> Geometry:
    """The geometry of the first convolution, once all arguments are known to fit."""
    require_rank(x, "x", 4)
    require_rank(depthwise, "depthwise", 4)
    require(depthwise.shape[0] == x.shape[1], "depthwise", f"kernels for {x.shape[1]} channels", f"shape {depthwise.shape}")
    require(min(depthwise.shape) > 0, "depthwise", "no empty axis", f"shape {depthwise.shape}")
    require_rank(pointwise, "pointwise", 4)
    require_shape(pointwise, "pointwise", (pointwise.shape[0], math.prod(depthwise.shape[:2]), 1, 1))
    require(pointwise.shape[0] > 0, "pointwise", "no empty axis", f"shape {pointwise.shape}")
    if bias is not None:
        require_shape(bias, "bias", pointwise.shape[:1])
    return _windows.geometry(_windows.positions(x), _windows.positions(depthwise), stride, padding, dilation, "depthwise")


def _of_each_channel(x: Array, place: Geometry) -> dict[str, Any]:
    """The keywords of the first convolution."""
    return {"stride": place.stride, "padding": place.padding, "dilation": place.dilation, "groups": x.shape[1]}


def _vjp(
    dy: Array,
    x: Array,
    depthwise: Array,
    pointwise: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
) -> Gradients:
    """That of the second convolution, and through its input that of the first."""
    first = _of_each_channel(x, _place(x, depthwise, pointwise, bias, stride, padding, dilation))
    kernels = _kernels(depthwise)
    after = convolution_vjp(2, dy, convolution(2, x, kernels, **first), pointwise, bias, **POINTWISE)
    before = convolution_vjp(2, after["x"], x, kernels, **first)
    return {
        "x": before["x"],
        "depthwise": np.reshape(before["weight"], depthwise.shape),
        "pointwise": after["weight"],
        "bias": after["bias"],
    }


def _work(
    x: Array,
    depthwise: Array,
    pointwise: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
) -> Work:
    """That of both convolutions."""
    place = _place(shaped(x), shaped(depthwise), shaped(pointwise), None, stride, padding, dilation)
    kernels = np.broadcast_to(0.0, (pointwise.shape[1], 1, *depthwise.shape[2:]))
    between = np.broadcast_to(0.0, (x.shape[0], pointwise.shape[1], *place.outputs))
    first = convolution_work(2, x, kernels, **_of_each_channel(x, place))
    return first + convolution_work(2, between, pointwise, bias, **POINTWISE)


IMAGES, KERNELS, FILTERS = (2, 4, 7, 6), (4, 2, 3, 2), 5
"""The shapes of ordinary images and of kernels for each channel, and the number of results."""
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, dict[str, Any]]] = {
    "plain": (IMAGES, KERNELS, FILTERS, {}),
    "size_large": ((4, 8, 16, 15), (8, 1, 3, 3), 16, {"padding": "same"}),
    "size_many_channels": ((2, 32, 9, 8), (32, 1, 3, 3), 33, {}),
    "width_seventeen": ((1, 17, 5, 33), (17, 1, 2, 3), 9, {}),
    "geometry_no_multiplier": (IMAGES, (4, 1, 3, 2), FILTERS, {}),
    "geometry_multiplier_three": (IMAGES, (4, 3, 2, 3), FILTERS, {}),
    "geometry_stride": (IMAGES, KERNELS, FILTERS, {"stride": (2, 2)}),
    "geometry_stride_per_axis": (IMAGES, KERNELS, FILTERS, {"stride": (2, 3)}),
    "geometry_dilation": (IMAGES, KERNELS, FILTERS, {"dilation": (2, 2)}),
    "geometry_dilation_per_axis": (IMAGES, KERNELS, FILTERS, {"dilation": (2, 3)}),
    "geometry_stride_dilation": ((2, 4, 11, 12), KERNELS, FILTERS, {"stride": (2, 2), "dilation": (3, 2)}),
    "geometry_kernel_one": (IMAGES, (4, 2, 1, 1), FILTERS, {}),
    "geometry_kernel_smaller_than_stride": (IMAGES, (4, 2, 2, 1), FILTERS, {"stride": (3, 3)}),
    "geometry_kernel_of_input_size": (IMAGES, (4, 2, 7, 6), FILTERS, {}),
    "padding_same": (IMAGES, KERNELS, FILTERS, {"padding": "same"}),
    "padding_same_even_kernel": (IMAGES, (4, 2, 4, 2), FILTERS, {"padding": "same"}),
    "padding_same_stride": (IMAGES, (4, 2, 4, 3), FILTERS, {"padding": "same", "stride": (2, 2)}),
    "padding_same_dilation": (IMAGES, KERNELS, FILTERS, {"padding": "same", "dilation": (2, 3)}),
    "padding_per_axis": (IMAGES, KERNELS, FILTERS, {"padding": ((2, 2), (1, 1))}),
    "padding_asymmetric": (IMAGES, KERNELS, FILTERS, {"padding": ((2, 0), (1, 3)), "stride": (2, 2)}),
    "unit_batch": ((1, *IMAGES[1:]), KERNELS, FILTERS, {"padding": "same"}),
    "unit_channels": ((2, 1, 7, 6), (1, 2, 3, 2), FILTERS, {}),
    "unit_channels_no_multiplier": ((2, 1, 7, 6), (1, 1, 3, 2), FILTERS, {}),
    "unit_result": (IMAGES, KERNELS, 1, {}),
    "unit_height": ((2, 4, 1, 6), (4, 2, 1, 3), FILTERS, {}),
    "unit_everything": ((1, 1, 1, 1), (1, 1, 1, 1), 1, {}),
}
"""The shapes of images and of kernels, the number of results, and the keywords, by sample."""
LOWER: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "padding_same_lower": ((4, 2, 4, 2), {}),
    "padding_same_lower_stride": ((4, 2, 4, 3), {"stride": (2, 2)}),
    "padding_same_lower_dilation": ((4, 2, 2, 4), {"dilation": (3, 1)}),
}
"""The shapes of kernels, and keywords, of padding with the odd one at the beginning; optional, since few frameworks have it."""


def _samples(stream: Stream) -> Iterator[Sample]:
    """Every way to lay kernels over images, one and several for each channel, and special values in images only."""

    def inputs(
        name: str,
        x: tuple[int, ...] = IMAGES,
        kernels: tuple[int, ...] = KERNELS,
        filters: int = FILTERS,
        *,
        scale: float = 1.0,
    ) -> dict[str, Array]:
        draw, between = stream(name), kernels[0] * kernels[1]
        return {
            "x": draw("x").normal(x) * scale,
            "depthwise": draw("depthwise").normal(kernels, deviation=math.prod(kernels[2:]) ** -0.5),
            "pointwise": draw("pointwise").normal((filters, between, 1, 1), deviation=between**-0.5),
            "bias": draw("bias").normal((filters,)) * scale,
        }

    for name, (x, kernels, filters, keywords) in CASES.items():
        yield Sample(name=name, inputs=inputs(name, x, kernels, filters), keywords=keywords)
    for name, (kernels, keywords) in LOWER.items():
        given = {"padding": "same_lower", **keywords}
        yield Sample(name=name, inputs=inputs(name, IMAGES, kernels), keywords=given, required=False)
    yield Sample(name="optional_no_bias", inputs={**inputs("optional_no_bias"), "bias": None})
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=inputs(f"strided_{memory}"), memory=memory)
    zero = ("d_depthwise", "d_pointwise", "d_bias")
    yield Sample(name="empty_batch", inputs=inputs("empty_batch", (0, *IMAGES[1:])), exact_zero=zero)
    yield special(inputs, "nan_inside", {(0, 1, 3, 2): np.nan})
    yield special(inputs, "nan_corners", {(0, 0, 0, 0): np.nan, (1, 3, 6, 5): np.nan})
    yield special(inputs, "nan_padding", {(0, 2, 0, 3): np.nan}, padding="same")
    lanes = inputs("nan_each_lane", (2, 9, 8, 9), (9, 1, 1, 1))
    yield Sample(name="nan_each_lane", inputs={**lanes, "x": with_nan_in_each_lane(lanes["x"], 2)})
    yield special(inputs, "infinity_positive", {(0, 1, 3, 2): np.inf})
    yield special(inputs, "infinity_both_signs", {(0, 1, 3, 2): np.inf, (0, 2, 4, 3): -np.inf})
    yield from magnitudes(inputs, "256", "1e4", "1e_minus_4", "1e20")


def _workload(stream: Stream, size: str) -> Sample:
    """Images by kernels of 3 × 3 pixels, one for each channel, to images of their own size, with bias."""
    images, filters = SIZES[2][size]
    channels = images[1]
    inputs = {
        "x": ordinary(stream("x"), images),
        "depthwise": weights(stream("depthwise"), (channels, 1, 3, 3), fan_in=9),
        "pointwise": weights(stream("pointwise"), (filters, channels, 1, 1), fan_in=channels),
        "bias": stream("bias").uniform((filters,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs, keywords={"padding": "same"})


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=separable_conv2d,
        vjp=_vjp,
        samples=_samples,
        family="window",
        profile=EXTENDED,
        differentiable=("x", "depthwise", "pointwise", "bias"),
        axes={"x": "n c h w", "depthwise": "c m h w", "pointwise": "o k h w", "bias": "o", "y": "n o h w"},
        workload=_workload,
        work=_work,
    ),
)
