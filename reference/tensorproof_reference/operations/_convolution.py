"""Convolution over any number of axes of positions: what ``conv2d`` and its kin of other ranks share."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_rank
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._channels import over_channels
from tensorproof_reference.operations._window_samples import FLAT, magnitudes, of_axes, special, with_nan_in_each_lane
from tensorproof_reference.operations._windows import Geometry, Numbers, Padding
from tensorproof_reference.operations._workloads import added_bias, ordinary, products, shaped, weights
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def convolution(
    axes: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    groups: int,
) -> Array:
    """The cross-correlation over so many axes of positions, as ``conv2d`` says."""
    place = convolution_place(axes, x, weight, bias, stride, padding, dilation, groups)
    return _windows.correlate(_windows.pad(x, place.padding), weight, place.stride, place.dilation, groups, bias)


def convolution_vjp(
    axes: int,
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    groups: int,
) -> Gradients:
    """The vector-Jacobian product of ``convolution``."""
    place = convolution_place(axes, x, weight, bias, stride, padding, dilation, groups)
    padded = _windows.pad(x, place.padding)
    dx = _windows.correlate_adjoint(dy, weight, place.stride, place.dilation, groups, _windows.positions(padded))
    return {
        "x": _windows.crop(dx, place.padding, _windows.positions(x)),
        "weight": _windows.weight_gradient(dy, padded, place.kernel, place.stride, place.dilation, groups),
        "bias": None if bias is None else np.sum(dy, axis=over_channels(dy)),
    }


def convolution_place(
    axes: int, x: Array, weight: Array, bias: Array | None, stride: Numbers, padding: Padding, dilation: Numbers, groups: int
) -> Geometry:
    """The geometry, once all arguments are known to fit."""
    require_rank(x, "x", axes + 2)
    require_rank(weight, "weight", axes + 2)
    _windows.require_convolution(x, weight, bias, groups, filters=weight.shape[0], channels=weight.shape[1] * groups)
    return _windows.geometry(_windows.positions(x), _windows.positions(weight), stride, padding, dilation)


def _drawn(draw: Stream, x: tuple[int, ...], weight: tuple[int, ...], scale: float = 1.0) -> dict[str, Array]:
    """Normal numbers of these shapes, whose results are of the order of ``scale``."""
    return {
        "x": draw("x").normal(x) * scale,
        "weight": draw("weight").normal(weight, deviation=math.prod(weight[1:]) ** -0.5),
        "bias": draw("bias").normal(weight[:1]) * scale,
    }


def convolution_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Every way to lay a kernel over an input, different on each axis, and special values in inputs only."""
    of = of_axes(axes)
    images, kernels = (2, 4, *of(7, 6, 5)), (6, 4, *of(3, 2, 2))

    def inputs(
        name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, *, scale: float = 1.0
    ) -> dict[str, Array]:
        return _drawn(stream(name), x, weight, scale)

    def sample(name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, **keywords: Any) -> Sample:
        return Sample(name=name, inputs=inputs(name, x, weight), keywords=keywords)

    one = of(1, 1, 1)
    yield sample("plain")
    yield Sample(name="optional_no_bias", inputs={**inputs("optional_no_bias"), "bias": None})
    yield sample("size_large", (4, 8, *of(16, 15, 6)), (16, 8, *of(3, 3, 3)), padding="same")
    ones = of((1, 1), (1, 1), (1, 1))
    yield sample("size_many_channels", (2, 32, *of(9, 8, 4)), (16, 32, *of(3, 3, 2)), padding=ones)
    yield sample("width_seventeen", (1, 17, *(3, 5, 33)[-axes:]), (9, 17, *(2, 2, 3)[-axes:]))
    yield Sample(name="strided_transposed", inputs=inputs("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=inputs("strided_sliced"), memory="sliced")

    yield sample("geometry_stride", stride=of(2, 3, 1))
    yield sample("geometry_dilation", dilation=of(2, 3, 1))
    yield sample("geometry_groups", weight=(6, 2, *of(3, 2, 2)), groups=2)
    both = {"stride": of(3, 2, 2), "dilation": of(2, 3, 4)}
    yield sample("geometry_stride_dilation", (2, 2, *of(11, 12, 7)), (3, 2, *of(3, 2, 2)), **both)
    both = {"stride": of(2, 4, 2), "dilation": of(4, 6, 4)}
    yield sample("geometry_stride_divides_dilation", (2, 2, *of(11, 14, 8)), (3, 2, *of(3, 2, 2)), **both)
    everything = {"stride": of(3, 2, 2), "dilation": of(2, 3, 3), "groups": 3, "padding": of((1, 2), (3, 0), (0, 1))}
    yield sample("geometry_everything", (2, 6, *of(9, 11, 8)), (9, 2, *of(2, 3, 2)), **everything)
    yield sample("geometry_depthwise", weight=(4, 1, *of(3, 2, 2)), groups=4)
    both = {"stride": of(1, 2, 2), "dilation": of(2, 1, 2)}
    yield sample("geometry_depthwise_multiplier", weight=(8, 1, *of(3, 2, 2)), groups=4, **both)
    yield sample("geometry_depthwise_stride_same", weight=(4, 1, *of(3, 4, 2)), groups=4, stride=of(2, 2, 2), padding="same")
    yield sample("geometry_kernel_one", weight=(6, 4, *one))
    yield sample("geometry_kernel_smaller_than_stride", weight=(6, 4, *of(2, 1, 1)), stride=of(3, 2, 4))
    yield sample("geometry_kernel_of_input_size", weight=(6, 4, *of(7, 6, 5)))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_stride", padding="same", stride=of(2, 3, 4))
    yield sample("padding_same_even_kernel", weight=(6, 4, *of(4, 2, 2)), padding="same")
    yield sample("padding_same_even_kernel_stride", weight=(6, 4, *of(4, 5, 3)), padding="same", stride=of(2, 2, 2))
    yield sample("padding_same_dilation", padding="same", dilation=of(2, 3, 1))
    yield sample("padding_same_stride_groups", weight=(6, 2, *of(5, 4, 3)), padding="same", stride=of(3, 2, 2), groups=2)
    small = (6, 4, *of(2, 1, 1))
    yield sample("padding_same_kernel_smaller_than_stride", weight=small, padding="same", stride=of(3, 2, 4))
    yield sample("padding_per_axis", padding=of((2, 2), (1, 1), (0, 0)), stride=of(2, 1, 2))
    yield sample("padding_asymmetric", padding=of((2, 0), (1, 3), (0, 1)), stride=of(2, 1, 1))
    yield sample("padding_wider_than_kernel", padding=of((4, 4), (3, 3), (3, 3)), stride=of(1, 2, 2))
    fours = (5, 3, *of(4, 4, 4))
    yield sample("padding_halving_four_by_four", (2, 3, *of(8, 10, 6)), fours, stride=of(2, 2, 2), padding=ones)

    yield sample("unit_batch", (1, *images[1:]), kernels, padding="same")
    yield sample("unit_channels", (2, 1, *of(7, 6, 5)), (1, 1, *of(3, 2, 2)))
    yield sample(FLAT[axes], (2, 4, *of(1, 6, 5)), (6, 4, *of(1, 3, 2)), stride=of(1, 2, 1))
    yield sample("unit_output", (2, 5, *of(4, 4, 4)), (1, 5, *of(4, 4, 4)))
    everywhere = inputs("unit_everything", (1, 1, *one), (1, 1, *one))
    yield Sample(name="unit_everything", inputs={**everywhere, "bias": None})
    apart = of(2, 3, 4)
    each: list[dict[str, Any]] = [
        {"stride": apart},
        {"padding": "same"},
        {"padding": of((1, 0), (0, 2), (1, 1))},
        {"dilation": apart},
    ]
    yield from with_each(Sample(name="unit_everything", inputs=inputs("unit_everything_with", (1, 1, *one), (1, 1, *one))), each)
    yield sample("unit_image_groups", (2, 4, *one), (4, 1, *one), groups=4)
    empty = inputs("empty_batch", (0, *images[1:]))
    yield Sample(name="empty_batch", inputs=empty, exact_zero=("d_weight", "d_bias"))

    yield special(inputs, "nan_inside", {(0, 1, *of(3, 2, 1)): np.nan})
    yield special(inputs, "nan_corners", {(0, 0, *of(0, 0, 0)): np.nan, (1, 3, *of(6, 5, 4)): np.nan})
    padded = {"padding": of((1, 1), (2, 2), (1, 0)), "stride": of(2, 1, 1)}
    yield special(inputs, "nan_padding", {(0, 2, *of(0, 3, 2)): np.nan}, **padded)
    lanes = inputs("nan_each_lane", (2, 9, *of(8, 9, 2)), (5, 9, *one))
    yield Sample(name="nan_each_lane", inputs={**lanes, "x": with_nan_in_each_lane(lanes["x"], axes)})
    yield special(inputs, "infinity_positive", {(0, 1, *of(3, 2, 1)): np.inf})
    yield special(inputs, "infinity_both_signs", {(0, 1, *of(3, 2, 1)): np.inf, (0, 2, *of(4, 3, 2)): -np.inf})
    yield from magnitudes(inputs, "256", "1e4", "1e_minus_4", "1e20")


def convolution_same_lower_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Padding by ``"same_lower"``, of which an odd number is on each axis; optional, since few frameworks have it."""
    of = of_axes(axes)
    cases: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
        "padding_same_lower": ((6, 4, *of(2, 4, 2)), {}),
        "padding_same_lower_stride": ((6, 4, *of(4, 3, 2)), {"stride": of(2, 2, 2)}),
        "padding_same_lower_dilation": ((6, 4, *of(2, 4, 2)), {"dilation": of(3, 1, 3)}),
        "padding_same_lower_groups": ((6, 2, *of(2, 2, 4)), {"groups": 2}),
    }
    for name, (weight, keywords) in cases.items():
        inputs = _drawn(stream(name), (2, 4, *of(7, 6, 5)), weight)
        yield Sample(name=name, inputs=inputs, keywords={"padding": "same_lower", **keywords}, required=False)


SIZES: Mapping[int, Mapping[str, tuple[tuple[int, ...], int]]] = {
    1: {"S": ((1, 8, 144), 8), "M": ((8, 32, 1024), 64), "L": ((32, 32, 1024), 64)},
    2: {"S": ((1, 8, 12, 12), 8), "M": ((8, 32, 32, 32), 64), "L": ((32, 32, 32, 32), 64)},
    3: {"S": ((1, 4, 6, 6, 6), 8), "M": ((4, 16, 16, 16, 16), 32), "L": ((8, 32, 16, 16, 16), 64)},
}
"""Inputs and the number of filters, 3 positions along each axis, of what is timed, by the number of axes."""


def convolution_workload(axes: int, stream: Stream, size: str) -> Sample:
    """Inputs through filters of 3 positions along each axis with bias, to outputs of their own size."""
    images, filters = SIZES[axes][size]
    kernels = (filters, images[1], *(3,) * axes)
    inputs = {
        "x": ordinary(stream("x"), images),
        "weight": weights(stream("weight"), kernels, fan_in=math.prod(kernels[1:])),
        "bias": stream("bias").uniform((filters,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs, keywords={"padding": "same"})


def convolution_work(
    axes: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    groups: int,
) -> Work:
    """A product and a sum for each result and tap that lies on the input (what meets padding is none); back twice that."""
    place = convolution_place(axes, shaped(x), shaped(weight), None, stride, padding, dilation, groups)
    taps = x.shape[0] * math.prod(weight.shape[:2]) * _windows.taps_inside(_windows.positions(x), place)
    return products(taps) + added_bias(x.shape[0] * weight.shape[0] * math.prod(place.outputs), bias)
