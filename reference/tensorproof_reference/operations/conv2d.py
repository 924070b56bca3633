"""Two-dimensional convolution: see ``conv2d``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_rank
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._windows import Geometry, Padding, Pair
from tensorproof_reference.operations._workloads import added_bias, ordinary, products, shaped, weights
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    r"""Cross-correlation of images with kernels, which are not flipped.

    .. math:: y_{nopq} = b_o + \sum_{c,i,j} w_{ocij}\, x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}

    where :math:`s` is the stride, :math:`d` the dilation, and ``x`` is zero outside. With ``groups`` > 1 the channels and the
    filters fall into as many equal runs, and the filters of a run see the channels of that run only.

    ``padding`` is ``"valid"`` (none), ``"same"``, or ``((top, bottom), (left, right))``. ``"same"`` gives ceil(size/stride)
    outputs: the total max((outputs - 1)·stride + dilation·(kernel - 1) + 1 - size, 0) is split in halves, the odd one at the end.

    Shapes: ``x`` (N, C, H, W); ``weight`` (O, C/groups, kH, kW); ``bias`` (O,) or ``None``; the result (N, O, outH, outW) with
    out = floor((size + padding - dilation·(kernel - 1) - 1)/stride) + 1. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, or the dilated kernel
    is larger than the padded input.
    Source: Goodfellow, Bengio & Courville (2016), eq. 9.6; Dumoulin & Visin (2016), "A guide to convolution arithmetic for
    deep learning"; the texts, 000 §3.2.1.
    """
    place = _place(x, weight, bias, stride, padding, dilation, groups)
    y = _windows.correlate(_windows.pad(x, place.padding), weight, place.stride, place.dilation, groups)
    return y if bias is None else y + bias[:, None, None]


def vjp(
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Gradients:
    r""":math:`dx_{nchw} = \sum dy_{nopq} w_{ocij}` over the terms of y that hold it; so for
    :math:`dw_{ocij} = \sum_{n,p,q} dy_{nopq} x_{n,c,\ldots}`; and :math:`db_o = \sum_{n,p,q} dy_{nopq}`."""
    place = _place(x, weight, bias, stride, padding, dilation, groups)
    padded = _windows.pad(x, place.padding)
    size = (padded.shape[2], padded.shape[3])
    dx = _windows.correlate_adjoint(dy, weight, place.stride, place.dilation, groups, size)
    return {
        "x": _windows.crop(dx, place.padding, (x.shape[2], x.shape[3])),
        "weight": _windows.weight_gradient(dy, padded, place.kernel, place.stride, place.dilation, groups),
        "bias": None if bias is None else np.sum(dy, axis=(0, 2, 3)),
    }


def _place(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Geometry:
    """The geometry, once all arguments are known to fit."""
    require_rank(x, "x", 4)
    require_rank(weight, "weight", 4)
    _windows.require_convolution(x, weight, bias, groups, filters=weight.shape[0], channels=weight.shape[1] * groups)
    return _windows.geometry((x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3]), stride, padding, dilation)


def samples(stream: Stream) -> Iterator[Sample]:
    """Every way to lay a kernel over an image, different on each axis, and special values in images only."""
    images, kernels = (2, 4, 7, 6), (6, 4, 3, 2)

    def inputs(
        name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, *, scale: float = 1.0
    ) -> dict[str, Array]:
        draw = stream(name)
        deviation = (weight[1] * weight[2] * weight[3]) ** -0.5
        return {
            "x": draw("x").normal(x) * scale,
            "weight": draw("weight").normal(weight, deviation=deviation),
            "bias": draw("bias").normal(weight[:1]) * scale,
        }

    def sample(name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, **keywords: Any) -> Sample:
        return Sample(name=name, inputs=inputs(name, x, weight), keywords=keywords)

    yield sample("plain")
    yield Sample(name="optional_no_bias", inputs={**inputs("optional_no_bias"), "bias": None})
    yield sample("size_large", (4, 8, 16, 15), (16, 8, 3, 3), padding="same")
    yield sample("size_many_channels", (2, 32, 9, 8), (16, 32, 3, 3), padding=((1, 1), (1, 1)))
    yield sample("width_seventeen", (1, 17, 5, 33), (9, 17, 2, 3))
    yield Sample(name="strided_transposed", inputs=inputs("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=inputs("strided_sliced"), memory="sliced")

    yield sample("geometry_stride", stride=(2, 3))
    yield sample("geometry_dilation", dilation=(2, 3))
    yield sample("geometry_groups", weight=(6, 2, 3, 2), groups=2)
    yield sample("geometry_stride_dilation", (2, 2, 11, 12), (3, 2, 3, 2), stride=(3, 2), dilation=(2, 3))
    yield sample("geometry_stride_divides_dilation", (2, 2, 11, 14), (3, 2, 3, 2), stride=(2, 4), dilation=(4, 6))
    yield sample(
        "geometry_everything", (2, 6, 9, 11), (9, 2, 2, 3), stride=(3, 2), dilation=(2, 3), groups=3, padding=((1, 2), (3, 0))
    )
    yield sample("geometry_depthwise", weight=(4, 1, 3, 2), groups=4)
    yield sample("geometry_depthwise_multiplier", weight=(8, 1, 3, 2), groups=4, stride=(1, 2), dilation=(2, 1))
    yield sample("geometry_depthwise_stride_same", weight=(4, 1, 3, 4), groups=4, stride=(2, 2), padding="same")
    yield sample("geometry_kernel_one", weight=(6, 4, 1, 1))
    yield sample("geometry_kernel_smaller_than_stride", weight=(6, 4, 2, 1), stride=(3, 2))
    yield sample("geometry_kernel_of_input_size", weight=(6, 4, 7, 6))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_stride", padding="same", stride=(2, 3))
    yield sample("padding_same_even_kernel", weight=(6, 4, 4, 2), padding="same")
    yield sample("padding_same_even_kernel_stride", weight=(6, 4, 4, 5), padding="same", stride=(2, 2))
    yield sample("padding_same_dilation", padding="same", dilation=(2, 3))
    yield sample("padding_same_stride_groups", weight=(6, 2, 5, 4), padding="same", stride=(3, 2), groups=2)
    yield sample("padding_same_kernel_smaller_than_stride", weight=(6, 4, 2, 1), padding="same", stride=(3, 2))
    yield sample("padding_per_axis", padding=((2, 2), (1, 1)), stride=(2, 1))
    yield sample("padding_asymmetric", padding=((2, 0), (1, 3)), stride=(2, 1))
    yield sample("padding_wider_than_kernel", padding=((4, 4), (3, 3)), stride=(1, 2))
    yield sample("padding_halving_four_by_four", (2, 3, 8, 10), (5, 3, 4, 4), stride=(2, 2), padding=((1, 1), (1, 1)))

    yield sample("unit_batch", (1, 4, 7, 6), kernels, padding="same")
    yield sample("unit_channels", (2, 1, 7, 6), (1, 1, 3, 2))
    yield sample("unit_height", (2, 4, 1, 6), (6, 4, 1, 3), stride=(1, 2))
    yield sample("unit_output", (2, 5, 4, 4), (1, 5, 4, 4))
    everywhere = inputs("unit_everything", (1, 1, 1, 1), (1, 1, 1, 1))
    yield Sample(name="unit_everything", inputs={**everywhere, "bias": None})
    each: list[dict[str, Any]] = [{"stride": (2, 3)}, {"padding": "same"}, {"padding": ((1, 0), (0, 2))}, {"dilation": (2, 3)}]
    yield from with_each(Sample(name="unit_everything", inputs=inputs("unit_everything_with", (1, 1, 1, 1), (1, 1, 1, 1))), each)
    yield sample("unit_image_groups", (2, 4, 1, 1), (4, 1, 1, 1), groups=4)
    empty = inputs("empty_batch", (0, *images[1:]))
    yield Sample(name="empty_batch", inputs=empty, exact_zero=("d_weight", "d_bias"))

    def special(name: str, values: dict[tuple[int, ...], float], **keywords: Any) -> Sample:
        arrays = inputs(name)
        for index, value in values.items():
            arrays["x"][index] = value
        return Sample(name=name, inputs=arrays, keywords=keywords)

    yield special("nan_inside", {(0, 1, 3, 2): np.nan})
    yield special("nan_corners", {(0, 0, 0, 0): np.nan, (1, 3, 6, 5): np.nan})
    yield special("nan_padding", {(0, 2, 0, 3): np.nan}, padding=((1, 1), (2, 2)), stride=(2, 1))
    lanes = inputs("nan_each_lane", (2, 9, 8, 9), (5, 9, 1, 1))
    for lane in range(8):
        lanes["x"][0, lane, lane, (lane + 1) % 9] = np.nan
    yield Sample(name="nan_each_lane", inputs=lanes)
    yield special("infinity_positive", {(0, 1, 3, 2): np.inf})
    yield special("infinity_both_signs", {(0, 1, 3, 2): np.inf, (0, 2, 4, 3): -np.inf})

    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="magnitude_256", inputs=inputs("magnitude_256", scale=256.0))
    yield Sample(name="magnitude_1e4", inputs=inputs("magnitude_1e4", scale=1e4), dtypes=wide)
    yield Sample(name="magnitude_1e_minus_4", inputs=inputs("magnitude_1e_minus_4", scale=1e-4), dtypes=wide)
    yield Sample(name="magnitude_1e20", inputs=inputs("magnitude_1e20", scale=1e20), dtypes=wide)


SIZES = {"S": ((1, 8, 12, 12), 8), "M": ((8, 32, 32, 32), 64), "L": ((32, 32, 32, 32), 64)}
"""Images and the number of filters, 3×3 each, of what is timed."""


def workload(stream: Stream, size: str) -> Sample:
    """Images through 3×3 filters with bias, to images of their own size."""
    images, filters = SIZES[size]
    kernels = (filters, images[1], 3, 3)
    inputs = {
        "x": ordinary(stream("x"), images),
        "weight": weights(stream("weight"), kernels, fan_in=math.prod(kernels[1:])),
        "bias": stream("bias").uniform((filters,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs, keywords={"padding": "same"})


def work(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Work:
    """A product and a sum for each result and tap that lies on the image (what meets padding is none); back twice that."""
    place = _place(shaped(x), shaped(weight), None, stride, padding, dilation, groups)
    taps = x.shape[0] * math.prod(weight.shape[:2]) * _windows.taps_inside((x.shape[2], x.shape[3]), place)
    return products(taps) + added_bias(x.shape[0] * weight.shape[0] * math.prod(place.outputs), bias)


OPERATION = Operation(
    function=conv2d,
    vjp=vjp,
    samples=samples,
    family="window",
    differentiable=("x", "weight", "bias"),
    axes={"x": "n c h w", "weight": "o i h w", "bias": "o", "y": "n o h w"},
    documents=("000 §3.2.1", "001 §3.4", "003 §3.2.1", "004 §3.4"),
    workload=workload,
    work=work,
)
