"""Transposed convolution over any number of axes of positions: what ``conv2d_transpose`` and its kin of other ranks share."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_numbers, require_rank
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._channels import over_channels
from tensorproof_reference.operations._window_samples import FLAT, magnitudes, of_axes, special, with_nan_in_each_lane
from tensorproof_reference.operations._windows import Geometry, Numbers, Padding, Pair, Pairs
from tensorproof_reference.operations._workloads import added_bias, ordinary, products, shaped, weights
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def transposed_convolution(
    axes: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Array:
    """The adjoint of ``convolution`` in its input, as ``conv2d_transpose`` says."""
    place = _place(axes, x, weight, bias, stride, padding, output_padding, dilation, groups)
    full = _windows.correlate_adjoint(x, weight, place.stride, place.dilation, groups, place.full, bias)
    return _windows.crop(full, place.padding, place.outputs)


def transposed_convolution_vjp(
    axes: int,
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Gradients:
    """The vector-Jacobian product of ``transposed_convolution``."""
    place = _place(axes, x, weight, bias, stride, padding, output_padding, dilation, groups)
    padded = _windows.pad(dy, place.padding)
    kernel = _windows.positions(weight)
    return {
        "x": _windows.correlate(padded, weight, place.stride, place.dilation, groups),
        "weight": _windows.weight_gradient(x, padded, kernel, place.stride, place.dilation, groups),
        "bias": None if bias is None else np.sum(dy, axis=over_channels(dy)),
    }


class _Place(NamedTuple):
    """Where the output lies in the full one, the positions of output padding included."""

    stride: Numbers
    dilation: Numbers
    padding: Pairs
    full: Numbers
    outputs: Numbers


def _place(
    axes: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> _Place:
    """The geometry, once all arguments are known to fit."""
    require_rank(x, "x", axes + 2)
    require_rank(weight, "weight", axes + 2)
    _windows.require_convolution(x, weight, bias, groups, filters=weight.shape[1] * groups, channels=weight.shape[0])
    stride = require_numbers(stride, "stride", 1, axes)
    dilation = require_numbers(dilation, "dilation", 1, axes)
    extra, none = require_numbers(output_padding, "output_padding", 0, axes), (0,) * axes
    less = all(added < step for added, step in zip(extra, stride, strict=True))
    require(less, "output_padding", f"less than the stride {stride}", output_padding)
    require(padding != "same" or extra == none, "output_padding", f"{none} with 'same' padding", output_padding)
    explicit = ((0, 0),) * axes if padding in ("valid", "same") else _windows.require_pairs(padding, axes, "valid", "same")

    def axis(index: int) -> tuple[Pair, int]:
        reach = _windows.extent(weight.shape[index + 2], dilation[index])
        painted = (x.shape[index + 2] - 1) * stride[index] + reach
        if padding != "same":
            return explicit[index], painted + extra[index]
        total = max(reach - stride[index], 0)
        return (total // 2, total - total // 2), painted + max(stride[index] - reach, 0)

    cropped, full = zip(*(axis(index) for index in range(axes)), strict=True)
    outputs = tuple(length - sum(sides) for length, sides in zip(full, cropped, strict=True))
    require(min(x.shape[2:]) > 0, "x", "no empty axis of positions", f"shape {x.shape}")
    require(min(outputs) > 0, "padding", f"less than the full output {full} in total", padding)
    return _Place(stride, dilation, cropped, full, outputs)


def transposed_convolution_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Every way to paint a kernel, different on each axis; kernels smaller and larger than the stride; output padding."""
    of = of_axes(axes)
    images, kernels = (2, 4, *of(5, 4, 3)), (4, 6, *of(3, 2, 2))

    def inputs(
        name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, groups: int = 1, *, scale: float = 1.0
    ) -> dict[str, Array]:
        draw = stream(name)
        deviation = (weight[0] // groups * math.prod(weight[2:])) ** -0.5
        return {
            "x": draw("x").normal(x) * scale,
            "weight": draw("weight").normal(weight, deviation=deviation),
            "bias": draw("bias").normal((weight[1] * groups,)) * scale,
        }

    def sample(name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, **keywords: Any) -> Sample:
        return Sample(name=name, inputs=inputs(name, x, weight, keywords.get("groups", 1)), keywords=keywords)

    one, ones, twos = of(1, 1, 1), of((1, 1), (1, 1), (1, 1)), of(2, 2, 2)
    apart, extra = of(2, 3, 4), of(1, 2, 3)
    yield sample("plain")
    yield Sample(name="optional_no_bias", inputs={**inputs("optional_no_bias"), "bias": None})
    yield sample("size_large", (4, 8, *of(8, 9, 4)), (8, 16, *of(4, 4, 4)), stride=twos, padding=ones)
    yield sample("size_many_channels", (2, 32, *of(4, 5, 3)), (32, 16, *of(3, 3, 2)))
    yield sample("width_seventeen", (1, 9, *(2, 3, 17)[-axes:]), (9, 17, *(2, 2, 3)[-axes:]))
    yield Sample(name="strided_transposed", inputs=inputs("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=inputs("strided_sliced"), memory="sliced")

    yield sample("geometry_stride", stride=apart)
    yield sample("geometry_dilation", dilation=apart)
    yield sample("geometry_groups", weight=(4, 3, *of(3, 2, 2)), groups=2)
    both = {"stride": of(3, 2, 2), "dilation": of(2, 3, 4)}
    yield sample("geometry_stride_dilation", (2, 2, *of(4, 5, 3)), (2, 3, *of(3, 2, 2)), **both)
    both = {"stride": of(2, 4, 2), "dilation": of(4, 6, 4)}
    yield sample("geometry_stride_divides_dilation", (2, 2, *of(3, 4, 3)), (2, 3, *of(3, 2, 2)), **both)
    everything: dict[str, Any] = {
        "stride": of(3, 2, 3),
        "dilation": of(2, 3, 2),
        "groups": 3,
        "output_padding": of(2, 1, 1),
        "padding": of((1, 2), (2, 0), (0, 1)),
    }
    yield sample("geometry_everything", (2, 6, *of(4, 5, 3)), (6, 3, *of(2, 3, 2)), **everything)
    yield sample("geometry_depthwise", weight=(4, 1, *of(3, 2, 2)), groups=4)
    both = {"stride": of(1, 2, 2), "dilation": of(2, 1, 2)}
    yield sample("geometry_depthwise_multiplier", weight=(4, 2, *of(3, 2, 2)), groups=4, **both)
    yield sample("geometry_kernel_one", weight=(4, 6, *one))
    yield sample("geometry_kernel_smaller_than_stride", weight=(4, 6, *of(2, 1, 1)), stride=of(3, 2, 4))
    yield sample("geometry_kernel_larger_than_input", weight=(4, 6, *of(7, 6, 4)))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_stride", padding="same", stride=of(2, 1, 2))
    yield sample("padding_same_even_kernel", weight=(4, 6, *of(4, 2, 2)), padding="same")
    yield sample("padding_same_even_kernel_stride", weight=(4, 6, *of(4, 5, 3)), padding="same", stride=twos)
    yield sample("padding_same_odd_total", weight=(4, 6, *of(5, 4, 3)), padding="same", stride=apart)
    yield sample("padding_same_dilation", padding="same", dilation=apart)
    yield sample("padding_same_stride_groups", weight=(4, 3, *of(5, 4, 3)), padding="same", stride=of(3, 2, 2), groups=2)
    small = (4, 6, *of(2, 1, 1))
    yield sample("padding_same_kernel_smaller_than_stride", weight=small, padding="same", stride=of(3, 2, 4))
    yield sample("padding_per_axis", padding=of((2, 2), (1, 1), (0, 0)), stride=apart)
    yield sample("padding_asymmetric", padding=of((2, 0), (0, 1), (1, 0)), stride=of(2, 1, 1))
    yield sample("padding_wider_than_kernel", padding=of((3, 3), (2, 2), (1, 1)), stride=apart)
    yield sample("padding_output", stride=apart, output_padding=extra)
    yield sample("padding_output_and_crop", stride=apart, output_padding=extra, padding=ones)
    half, cropped = (4, 3, *of(3, 2, 2)), of((1, 1), (0, 0), (0, 1))
    yield sample("padding_output_groups", weight=half, groups=2, stride=apart, output_padding=one, padding=cropped)
    cropped = of((2, 2), (1, 1), (1, 0))
    yield sample("padding_output_dilation", stride=apart, dilation=of(3, 2, 2), output_padding=extra, padding=cropped)
    yield sample("padding_first_four_by_four", (2, 5, *one), (5, 6, *of(4, 4, 4)))
    yield sample("padding_doubling_four_by_four", (2, 5, *of(4, 3, 2)), (5, 3, *of(4, 4, 4)), stride=twos, padding=ones)

    yield sample("unit_batch", (1, *images[1:]), kernels, stride=twos)
    yield sample("unit_channels", (2, 1, *of(5, 4, 3)), (1, 1, *of(3, 2, 2)))
    yield sample(FLAT[axes], (2, 4, *of(1, 4, 3)), (4, 6, *of(1, 3, 2)), stride=of(1, 2, 1))
    everywhere = inputs("unit_everything", (1, 1, *one), (1, 1, *one))
    yield Sample(name="unit_everything", inputs={**everywhere, "bias": None})
    each: list[dict[str, Any]] = [
        {"stride": apart},
        {"padding": "same"},
        {"dilation": apart},
        {"stride": apart, "output_padding": of(1, 0, 1)},
    ]
    yield from with_each(Sample(name="unit_everything", inputs=inputs("unit_everything_with", (1, 1, *one), (1, 1, *one))), each)
    yield sample("unit_image_groups", (2, 4, *one), (4, 1, *one), groups=4)
    empty = inputs("empty_batch", (0, *images[1:]))
    yield Sample(name="empty_batch", inputs=empty, exact_zero=("d_weight", "d_bias"))

    yield special(inputs, "nan_inside", {(0, 1, *of(2, 2, 1)): np.nan})
    yield special(inputs, "nan_corners", {(0, 0, *of(0, 0, 0)): np.nan, (1, 3, *of(4, 3, 2)): np.nan})
    cropped = of((1, 1), (0, 0), (0, 1))
    # Where nothing that it paints is cropped: there, a gradient of the weight has 0 · NaN or no term, as one computes it.
    uncropped = special(inputs, "nan_stride", {(0, 2, *of(1, 3, 1)): np.nan}, padding=cropped, stride=apart)
    yield replace(uncropped, version=2 if axes == 3 else 1)
    lanes = inputs("nan_each_lane", (2, 9, *of(8, 9, 2)), (9, 5, *one))
    yield Sample(name="nan_each_lane", inputs={**lanes, "x": with_nan_in_each_lane(lanes["x"], axes)})
    yield special(inputs, "infinity_positive", {(0, 1, *of(2, 2, 1)): np.inf})
    yield special(inputs, "infinity_both_signs", {(0, 1, *of(2, 2, 1)): np.inf, (0, 2, *of(3, 3, 2)): -np.inf})
    yield from magnitudes(inputs, "256", "1e4", "1e_minus_4", "1e20")


SIZES: Mapping[int, Mapping[str, tuple[tuple[int, ...], int]]] = {
    1: {"S": ((1, 8, 36), 4), "M": ((2, 128, 64), 64), "L": ((64, 128, 64), 64)},
    2: {"S": ((1, 8, 6, 6), 4), "M": ((2, 128, 8, 8), 64), "L": ((64, 128, 8, 8), 64)},
    3: {"S": ((1, 4, 4, 4, 4), 4), "M": ((2, 32, 8, 8, 8), 16), "L": ((8, 64, 8, 8, 8), 32)},
}
"""Inputs and the number of filters, 4 positions along each axis, of what is timed, by the number of axes.

Of two, M and L are the third layer of a DCGAN's generator.
"""


def transposed_convolution_workload(axes: int, stream: Stream, size: str) -> Sample:
    """Inputs through filters of 4 positions along each axis with bias, stride 2 and padding 1, to twice their size."""
    images, filters = SIZES[axes][size]
    kernels = (images[1], filters, *(4,) * axes)
    inputs = {
        "x": ordinary(stream("x"), images),
        "weight": weights(stream("weight"), kernels, fan_in=2**axes * images[1]),
        "bias": stream("bias").uniform((filters,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs, keywords={"stride": (2,) * axes, "padding": ((1, 1),) * axes})


def transposed_convolution_work(
    axes: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Work:
    """A product and a sum for each position that a tap paints and that is not cropped; back twice that, as of ``convolution``."""
    place = _place(axes, shaped(x), shaped(weight), None, stride, padding, output_padding, dilation, groups)
    kernel, size = _windows.positions(weight), _windows.positions(x)
    painting = Geometry(kernel, place.stride, place.dilation, place.padding, size, (0,) * axes)
    taps = x.shape[0] * math.prod(weight.shape[:2]) * _windows.taps_inside(place.outputs, painting)
    return products(taps) + added_bias(x.shape[0] * weight.shape[1] * groups * math.prod(place.outputs), bias)
