"""Two-dimensional transposed convolution: see ``conv2d_transpose``."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_pair, require_rank
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._windows import Geometry, Padding, Pair, Pairs
from tensorproof_reference.operations._workloads import added_bias, ordinary, products, shaped, weights
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def conv2d_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    r"""The adjoint of ``conv2d`` with the same weight: each input pixel paints the kernel, scaled, onto the output.

    .. math:: y_{nohw} = b_o + \sum_{c,p,q,i,j} w_{coij}\, x_{ncpq}
              \quad\text{over}\quad s_h p + d_h i = h + \mathrm{top},\; s_w q + d_w j = w + \mathrm{left}

    where :math:`s` is the stride and :math:`d` the dilation. The paint covers full = (size - 1)·stride + dilation·(kernel - 1)
    + 1 rows. ``output_padding`` appends unpainted rows and columns at the end, and then ``padding`` is cropped from the sides: so
    ``output_padding`` uncovers paint that would have been cropped. It tells apart the sizes that ``conv2d`` maps to one.

    ``padding`` is ``"valid"`` (nothing is cropped), ``((top, bottom), (left, right))``, or ``"same"``: the adjoint of
    ``conv2d`` with ``"same"`` padding on an input of size·stride. That crops the total max(dilation·(kernel - 1) + 1 - stride, 0)
    in halves, the odd one at the end, and appends unpainted rows up to size·stride where the stride is the larger.

    Shapes: ``x`` (N, C, H, W); ``weight`` (C, O/groups, kH, kW); ``bias`` (O,) or ``None``; the result (N, O, outH, outW) with
    out = full + output_padding - padding, or size·stride. N may be 0.
    Special values: NaN and infinity reach the pixels that they paint, and no others. An unpainted pixel is the bias.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, if ``output_padding`` is
    not less than the stride or comes with ``"same"`` padding, or if nothing is left of the output.
    Source: Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", ch. 4; the texts, 004 §4.4.
    """
    place = _place(x, weight, bias, stride, padding, output_padding, dilation, groups)
    full = _windows.correlate_adjoint(x, weight, place.stride, place.dilation, groups, place.full)
    y = _windows.crop(full, place.padding, place.outputs)
    return y if bias is None else y + bias[:, None, None]


def vjp(
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Gradients:
    r""":math:`dx` is ``conv2d`` of :math:`dy` with the same weight; :math:`dw_{coij} = \sum_{n,p,q} x_{ncpq}\, dy_{n,o,\ldots}`
    is its weight gradient with image and cotangent exchanged; and :math:`db_o = \sum_{n,h,w} dy_{nohw}`."""
    place = _place(x, weight, bias, stride, padding, output_padding, dilation, groups)
    padded = _windows.pad(dy, place.padding)
    kernel = (weight.shape[2], weight.shape[3])
    return {
        "x": _windows.correlate(padded, weight, place.stride, place.dilation, groups),
        "weight": _windows.weight_gradient(x, padded, kernel, place.stride, place.dilation, groups),
        "bias": None if bias is None else np.sum(dy, axis=(0, 2, 3)),
    }


class _Place(NamedTuple):
    """Where the output lies in the full one, the rows of output padding included."""

    stride: Pair
    dilation: Pair
    padding: Pairs
    full: Pair
    outputs: Pair


def _place(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Padding,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> _Place:
    """The geometry, once all arguments are known to fit."""
    require_rank(x, "x", 4)
    require_rank(weight, "weight", 4)
    _windows.require_convolution(x, weight, bias, groups, filters=weight.shape[1] * groups, channels=weight.shape[0])
    stride = require_pair(stride, "stride", 1)
    dilation = require_pair(dilation, "dilation", 1)
    extra = require_pair(output_padding, "output_padding", 0)
    require(extra[0] < stride[0] and extra[1] < stride[1], "output_padding", f"less than the stride {stride}", output_padding)
    require(padding != "same" or extra == (0, 0), "output_padding", "(0, 0) with 'same' padding", output_padding)
    explicit = ((0, 0), (0, 0)) if padding in ("valid", "same") else _windows.require_pairs(padding)

    def axis(index: int) -> tuple[Pair, int]:
        reach = _windows.extent(weight.shape[index + 2], dilation[index])
        painted = (x.shape[index + 2] - 1) * stride[index] + reach
        if padding != "same":
            return explicit[index], painted + extra[index]
        total = max(reach - stride[index], 0)
        return (total // 2, total - total // 2), painted + max(stride[index] - reach, 0)

    (rows, height), (columns, width) = axis(0), axis(1)
    outputs = (height - sum(rows), width - sum(columns))
    require(min(x.shape[2:]) > 0, "x", "no empty rows or columns", f"shape {x.shape}")
    require(min(outputs) > 0, "padding", f"less than the full output {(height, width)} in total", padding)
    return _Place(stride, dilation, (rows, columns), (height, width), outputs)


def samples(stream: Stream) -> Iterator[Sample]:
    """Every way to paint a kernel, different on each axis; kernels smaller and larger than the stride; output padding."""
    images, kernels = (2, 4, 5, 4), (4, 6, 3, 2)

    def inputs(
        name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, groups: int = 1, *, scale: float = 1.0
    ) -> dict[str, Array]:
        draw = stream(name)
        deviation = (weight[0] // groups * weight[2] * weight[3]) ** -0.5
        return {
            "x": draw("x").normal(x) * scale,
            "weight": draw("weight").normal(weight, deviation=deviation),
            "bias": draw("bias").normal((weight[1] * groups,)) * scale,
        }

    def sample(name: str, x: tuple[int, ...] = images, weight: tuple[int, ...] = kernels, **keywords: Any) -> Sample:
        return Sample(name=name, inputs=inputs(name, x, weight, keywords.get("groups", 1)), keywords=keywords)

    yield sample("plain")
    yield Sample(name="optional_no_bias", inputs={**inputs("optional_no_bias"), "bias": None})
    yield sample("size_large", (4, 8, 8, 9), (8, 16, 4, 4), stride=(2, 2), padding=((1, 1), (1, 1)))
    yield sample("size_many_channels", (2, 32, 4, 5), (32, 16, 3, 3))
    yield sample("width_seventeen", (1, 9, 3, 17), (9, 17, 2, 3))
    yield Sample(name="strided_transposed", inputs=inputs("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=inputs("strided_sliced"), memory="sliced")

    yield sample("geometry_stride", stride=(2, 3))
    yield sample("geometry_dilation", dilation=(2, 3))
    yield sample("geometry_groups", weight=(4, 3, 3, 2), groups=2)
    yield sample("geometry_stride_dilation", (2, 2, 4, 5), (2, 3, 3, 2), stride=(3, 2), dilation=(2, 3))
    yield sample("geometry_stride_divides_dilation", (2, 2, 3, 4), (2, 3, 3, 2), stride=(2, 4), dilation=(4, 6))
    everything: dict[str, Any] = {"stride": (3, 2), "dilation": (2, 3), "groups": 3, "output_padding": (2, 1)}
    yield sample("geometry_everything", (2, 6, 4, 5), (6, 3, 2, 3), padding=((1, 2), (2, 0)), **everything)
    yield sample("geometry_depthwise", weight=(4, 1, 3, 2), groups=4)
    yield sample("geometry_depthwise_multiplier", weight=(4, 2, 3, 2), groups=4, stride=(1, 2), dilation=(2, 1))
    yield sample("geometry_kernel_one", weight=(4, 6, 1, 1))
    yield sample("geometry_kernel_smaller_than_stride", weight=(4, 6, 2, 1), stride=(3, 2))
    yield sample("geometry_kernel_larger_than_input", weight=(4, 6, 7, 6))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_stride", padding="same", stride=(2, 1))
    yield sample("padding_same_even_kernel", weight=(4, 6, 4, 2), padding="same")
    yield sample("padding_same_even_kernel_stride", weight=(4, 6, 4, 5), padding="same", stride=(2, 2))
    yield sample("padding_same_odd_total", weight=(4, 6, 5, 4), padding="same", stride=(2, 3))
    yield sample("padding_same_dilation", padding="same", dilation=(2, 3))
    yield sample("padding_same_stride_groups", weight=(4, 3, 5, 4), padding="same", stride=(3, 2), groups=2)
    yield sample("padding_same_kernel_smaller_than_stride", weight=(4, 6, 2, 1), padding="same", stride=(3, 2))
    yield sample("padding_per_axis", padding=((2, 2), (1, 1)), stride=(2, 3))
    yield sample("padding_asymmetric", padding=((2, 0), (0, 1)), stride=(2, 1))
    yield sample("padding_wider_than_kernel", padding=((3, 3), (2, 2)), stride=(2, 3))
    yield sample("padding_output", stride=(2, 3), output_padding=(1, 2))
    yield sample("padding_output_and_crop", stride=(2, 3), output_padding=(1, 2), padding=((1, 1), (1, 1)))
    half = (4, 3, 3, 2)
    yield sample("padding_output_groups", weight=half, groups=2, stride=(2, 3), output_padding=(1, 1), padding=((1, 1), (0, 0)))
    yield sample("padding_output_dilation", stride=(2, 3), dilation=(3, 2), output_padding=(1, 2), padding=((2, 2), (1, 1)))
    yield sample("padding_first_four_by_four", (2, 5, 1, 1), (5, 6, 4, 4))
    yield sample("padding_doubling_four_by_four", (2, 5, 4, 3), (5, 3, 4, 4), stride=(2, 2), padding=((1, 1), (1, 1)))

    yield sample("unit_batch", (1, 4, 5, 4), kernels, stride=(2, 2))
    yield sample("unit_channels", (2, 1, 5, 4), (1, 1, 3, 2))
    yield sample("unit_height", (2, 4, 1, 4), (4, 6, 1, 3), stride=(1, 2))
    everywhere = inputs("unit_everything", (1, 1, 1, 1), (1, 1, 1, 1))
    yield Sample(name="unit_everything", inputs={**everywhere, "bias": None})
    each: list[dict[str, Any]] = [
        {"stride": (2, 3)},
        {"padding": "same"},
        {"dilation": (2, 3)},
        {"stride": (2, 3), "output_padding": (1, 0)},
    ]
    yield from with_each(Sample(name="unit_everything", inputs=inputs("unit_everything_with", (1, 1, 1, 1), (1, 1, 1, 1))), each)
    yield sample("unit_image_groups", (2, 4, 1, 1), (4, 1, 1, 1), groups=4)
    empty = inputs("empty_batch", (0, *images[1:]))
    yield Sample(name="empty_batch", inputs=empty, exact_zero=("d_weight", "d_bias"))

    def special(name: str, values: dict[tuple[int, ...], float], **keywords: Any) -> Sample:
        arrays = inputs(name)
        for index, value in values.items():
            arrays["x"][index] = value
        return Sample(name=name, inputs=arrays, keywords=keywords)

    yield special("nan_inside", {(0, 1, 2, 2): np.nan})
    yield special("nan_corners", {(0, 0, 0, 0): np.nan, (1, 3, 4, 3): np.nan})
    yield special("nan_stride", {(0, 2, 1, 3): np.nan}, padding=((1, 1), (0, 0)), stride=(2, 3))
    lanes = inputs("nan_each_lane", (2, 9, 8, 9), (9, 5, 1, 1))
    for lane in range(8):
        lanes["x"][0, lane, lane, (lane + 1) % 9] = np.nan
    yield Sample(name="nan_each_lane", inputs=lanes)
    yield special("infinity_positive", {(0, 1, 2, 2): np.inf})
    yield special("infinity_both_signs", {(0, 1, 2, 2): np.inf, (0, 2, 3, 3): -np.inf})

    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="magnitude_256", inputs=inputs("magnitude_256", scale=256.0))
    yield Sample(name="magnitude_1e4", inputs=inputs("magnitude_1e4", scale=1e4), dtypes=wide)
    yield Sample(name="magnitude_1e_minus_4", inputs=inputs("magnitude_1e_minus_4", scale=1e-4), dtypes=wide)
    yield Sample(name="magnitude_1e20", inputs=inputs("magnitude_1e20", scale=1e20), dtypes=wide)


SIZES = {"S": ((1, 8, 6, 6), 4), "M": ((2, 128, 8, 8), 64), "L": ((64, 128, 8, 8), 64)}
"""Images and the number of filters, 4×4 each, of what is timed: M and L are the third layer of a DCGAN's generator."""


def workload(stream: Stream, size: str) -> Sample:
    """Images through 4×4 filters with bias, stride 2 and padding 1, to images of twice their size."""
    images, filters = SIZES[size]
    kernels = (images[1], filters, 4, 4)
    inputs = {
        "x": ordinary(stream("x"), images),
        "weight": weights(stream("weight"), kernels, fan_in=4 * images[1]),
        "bias": stream("bias").uniform((filters,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs, keywords={"stride": (2, 2), "padding": ((1, 1), (1, 1))})


def work(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Work:
    """A product and a sum for each pixel that a tap paints and that is not cropped; back twice that, as of ``conv2d``."""
    place = _place(shaped(x), shaped(weight), None, stride, padding, output_padding, dilation, groups)
    painting = Geometry((weight.shape[2], weight.shape[3]), place.stride, place.dilation, place.padding, (x.shape[2], x.shape[3]))
    taps = x.shape[0] * math.prod(weight.shape[:2]) * _windows.taps_inside(place.outputs, painting)
    return products(taps) + added_bias(x.shape[0] * weight.shape[1] * groups * math.prod(place.outputs), bias)


OPERATION = Operation(
    function=conv2d_transpose,
    vjp=vjp,
    samples=samples,
    family="window",
    differentiable=("x", "weight", "bias"),
    axes={"x": "n c h w", "weight": "i o h w", "bias": "o", "y": "n o h w"},
    documents=("004 §4.4",),
    workload=workload,
    work=work,
)
