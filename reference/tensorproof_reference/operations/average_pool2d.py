"""Two-dimensional average pooling: see ``average_pool2d``."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._windows import Geometry, Padding, Pair
from tensorproof_reference.operations._workloads import image_workload, shaped
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def average_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window:
    :math:`y_{ncpq} = \frac{1}{m_{pq}} \sum_{i,j} x_{n,\,c,\,s_h p + i - \mathrm{top},\,s_w q + j - \mathrm{left}}`.

    The sum is over the pixels of the input in the window, and :math:`m` is their number; with ``count_padding`` padded zeros
    count as well. ``stride``, ``padding`` and ``ceil_mode`` are those of ``max_pool2d``. What hangs over the end of the padded
    input in ceil mode never counts.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) as for ``max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others; +∞ and -∞ in one window give NaN. The mean
    of large numbers is finite also where their sum is not (in samples that are not required).
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); the texts, 000 §3.2.2.
    """
    place = _place(x, window, stride, padding, ceil_mode, count_padding)
    (top, bottom), (left, right) = place.padding
    padded = _windows.pad(x, ((top, bottom + place.overhang[0]), (left, right + place.overhang[1])))
    return np.sum(_windows.taps(padded, place.kernel, place.stride), axis=0) / _counts(x, place, count_padding)


def vjp(
    dy: Array,
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Gradients:
    r""":math:`dx` at a pixel is the sum of :math:`dy_{pq}/m_{pq}` over the windows that hold it."""
    place = _place(x, window, stride, padding, ceil_mode, count_padding)
    height, width = (sum(place.padding[axis]) + place.overhang[axis] + x.shape[axis + 2] for axis in (0, 1))
    share = dy / _counts(x, place, count_padding)
    dx = _windows.sum_adjoint(share, place.kernel, place.stride, (height, width))
    return {"x": _windows.crop(dx, place.padding, (x.shape[2], x.shape[3]))}


def _place(x: Array, window: Pair, stride: Pair | None, padding: Padding, ceil_mode: bool, count_padding: bool) -> Geometry:
    """The geometry, once all arguments are known to fit."""
    require(isinstance(count_padding, bool), "count_padding", "True or False", count_padding)
    return _windows.pooling_geometry(x, window, stride, padding, ceil_mode)


def _counts(x: Array, place: Geometry, count_padding: bool) -> Array:
    """What each window's sum is divided by: (rows, columns)."""

    def along(axis: int) -> Any:
        low, high = place.padding[axis]
        size = x.shape[axis + 2]
        starts = np.arange(place.outputs[axis]) * place.stride[axis]
        begin, end = (0, low + size + high) if count_padding else (low, low + size)
        return np.minimum(starts + place.kernel[axis], end) - np.maximum(starts, begin)

    counts = np.zeros_like(x, shape=place.outputs)
    counts[...] = along(0)[:, None] * along(1)
    return counts


def samples(stream: Stream) -> Iterator[Sample]:
    """Windows of every shape; every way in which padding and overhang change what a sum is divided by."""
    images = (2, 3, 7, 6)

    def normal(name: str, shape: tuple[int, ...] = images, scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, deviation=scale)}

    def sample(name: str, shape: tuple[int, ...] = images, **keywords: Any) -> Sample:
        return Sample(name=name, inputs=normal(name, shape), keywords=keywords)

    one = (1, 1)
    overlapping: dict[str, Any] = {"window": (3, 3), "stride": (1, 1)}
    yield sample("plain")
    yield sample("size_large", (4, 8, 16, 15), window=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)))
    yield sample("size_many_channels", (2, 32, 9, 8), window=(3, 2), stride=(2, 2))
    yield sample("width_seventeen", (1, 17, 5, 33), window=(2, 3), stride=(1, 2))
    yield Sample(name="strided_transposed", inputs=normal("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=normal("strided_sliced"), memory="sliced")

    yield sample("geometry_window_per_axis", window=(3, 2))
    yield sample("geometry_stride_per_axis", window=(2, 3), stride=(3, 1))
    yield sample("geometry_overlapping", **overlapping)
    yield sample("geometry_window_smaller_than_stride", window=(2, 1), stride=(3, 2))
    yield sample("geometry_window_one", window=one)
    yield sample("geometry_window_one_stride", window=one, stride=(2, 3))
    yield sample("geometry_window_of_input_size", window=(7, 6), stride=(1, 1))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_odd_window_stride", window=(3, 5), stride=(2, 2), padding="same")
    yield sample("padding_same_stride_one", window=(4, 3), stride=one, padding="same")
    yield sample("padding_same_window_smaller_than_stride", window=(2, 1), stride=(3, 2), padding="same")
    per_axis: dict[str, Any] = {"window": (4, 3), "stride": (2, 1), "padding": ((2, 2), (1, 1))}
    asymmetric: dict[str, Any] = {"window": (4, 3), "stride": (1, 2), "padding": ((0, 2), (2, 1))}
    yield sample("padding_per_axis", **per_axis)
    yield sample("padding_asymmetric", **asymmetric)
    yield sample("padding_one_side", window=(3, 2), stride=(2, 2), padding=((2, 0), (0, 0)))

    over: dict[str, Any] = {"window": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1)), "ceil_mode": True}
    over_asymmetric: dict[str, Any] = {"window": (4, 3), "stride": (3, 2), "padding": ((1, 0), (0, 2)), "ceil_mode": True}
    dropped: dict[str, Any] = {"window": (2, 2), "stride": (3, 3), "padding": ((1, 1), (0, 1)), "ceil_mode": True}
    yield sample("overhang", ceil_mode=True)
    yield sample("overhang_stride_per_axis", window=(3, 2), stride=(2, 3), ceil_mode=True)
    yield sample("overhang_both_axes", (2, 3, 8, 6), window=(3, 3), stride=(2, 2), ceil_mode=True)
    yield sample("overhang_padding", **over)
    yield sample("overhang_padding_asymmetric", **over_asymmetric)
    yield sample("overhang_last_window_dropped", **dropped)

    yield sample("convention_count_padding", **per_axis, count_padding=True)
    yield sample("convention_count_padding_asymmetric", **asymmetric, count_padding=True)
    yield sample("convention_count_padding_same", window=(3, 5), stride=(2, 2), padding="same", count_padding=True)
    yield sample("convention_count_padding_overhang_only", window=(3, 2), stride=(2, 3), ceil_mode=True, count_padding=True)
    yield sample("convention_count_padding_overhang", **over, count_padding=True)
    yield sample("convention_count_padding_overhang_asymmetric", **over_asymmetric, count_padding=True)
    yield sample("convention_count_padding_last_window_dropped", **dropped, count_padding=True)

    yield sample("unit_batch", (1, 3, 7, 6), window=(3, 2), stride=(2, 1))
    yield sample("unit_channels", (2, 1, 7, 6))
    yield sample("unit_height", (2, 3, 1, 6), window=(1, 2))
    yield sample("unit_width", (2, 3, 7, 1), window=(3, 2), stride=(2, 1), padding="same")
    yield sample("unit_everything", (1, 1, 1, 1), window=one)
    small = sample("unit_everything_with", (1, 1, 1, 1), window=one)
    each: tuple[dict[str, Any], ...] = ({"stride": (2, 3)}, {"window": (2, 2), "padding": "same"}, {"ceil_mode": True})
    yield from with_each(replace(small, name="unit_everything"), each)
    counted = {"window": (2, 3), "padding": ((1, 0), (1, 1)), "count_padding": True}
    yield sample("unit_everything_count_padding", (1, 1, 1, 1), **counted)
    yield sample("empty_batch", (0, *images[1:]))

    def special(name: str, values: dict[tuple[int, ...], float], **keywords: Any) -> Sample:
        arrays = normal(name)
        for index, value in values.items():
            arrays["x"][index] = value
        return Sample(name=name, inputs=arrays, keywords=keywords)

    each_tap = [(0, 0, 0, 0), (0, 1, 2, 3), (1, 0, 3, 4), (1, 2, 5, 1)]
    yield special("nan_each_tap", dict.fromkeys(each_tap, np.nan))
    yield special("nan_overlapping", {(0, 1, 3, 2): np.nan, (1, 2, 6, 5): np.nan}, **overlapping)
    yield special("nan_padding", {(0, 1, 0, 2): np.nan, (1, 2, 6, 5): np.nan}, **overlapping, padding="same")
    lanes = normal("nan_each_lane", (2, 9, 8, 9))
    for lane in range(8):
        lanes["x"][0, lane, lane, (lane + 1) % 9] = np.nan
    yield Sample(name="nan_each_lane", inputs=lanes)
    yield special("infinity_positive", {(0, 1, 3, 2): np.inf, (1, 0, 0, 1): np.inf, (1, 0, 1, 0): np.inf})
    yield special("infinity_negative", {(0, 1, 3, 2): -np.inf, (1, 0, 0, 0): -np.inf})
    yield special("infinity_both_signs", {(0, 1, 2, 2): np.inf, (0, 1, 3, 3): -np.inf}, **overlapping)

    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="magnitude_256", inputs=normal("magnitude_256", scale=256.0))
    yield Sample(name="magnitude_1e4", inputs=normal("magnitude_1e4", scale=1e4), dtypes=wide)
    yield Sample(name="magnitude_1e_minus_4", inputs=normal("magnitude_1e_minus_4", scale=1e-4), dtypes=wide)
    largest = np.abs(normal("magnitude_sum_overflows")["x"])
    large = {"x": np.where(largest < 1.0, 2.5e38, 3e38)}
    yield Sample(name="magnitude_sum_overflows", inputs=large, dtypes=wide, required=False)
    yield Sample(name="magnitude_1e37", inputs=normal("magnitude_1e37", scale=1e37), dtypes=wide)


def workload(stream: Stream, size: str) -> Sample:
    """Images, averaged over squares of four pixels."""
    return image_workload(stream, size)


def work(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Work:
    """Sums, one less for each window than it has pixels of the image, and a quotient.

    Back, a quotient for each window, and sums where windows overlap.
    """
    place = _windows.pooling_geometry(shaped(x), window, stride, padding, ceil_mode)
    planes, windows, pixels = x.shape[0] * x.shape[1], math.prod(place.outputs), x.shape[2] * x.shape[3]
    taps = _windows.taps_inside((x.shape[2], x.shape[3]), place)
    return Work(flops=planes * taps, backward_flops=planes * (windows + max(taps - pixels, 0)))


OPERATION = Operation(
    function=average_pool2d,
    vjp=vjp,
    samples=samples,
    family="window",
    axes={"x": "n c h w", "y": "n c h w"},
    conventions={"count_padding": (False, True)},
    documents=("000 §3.2.2", "004 §3.5"),
    workload=workload,
    work=work,
)
