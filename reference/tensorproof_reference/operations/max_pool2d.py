"""Two-dimensional maximum pooling: see ``max_pool2d``."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._windows import Geometry, Padding, Pair
from tensorproof_reference.operations._workloads import image_workload, shaped
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def max_pool2d(
    x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The maximum of each window:
    :math:`y_{ncpq} = \max_{i<k_h,\,j<k_w} x_{n,\,c,\,s_h p + i - \mathrm{top},\,s_w q + j - \mathrm{left}}`.

    ``stride`` :math:`s` is the window unless given. ``padding`` is ``"valid"``, ``"same"`` or ``((top, bottom), (left, right))``
    as in ``conv2d``; what is padded never is the maximum (it is -∞). With ``ceil_mode`` the last window may hang over the end,
    if it starts within the input or the padding before it.

    The gradient goes to the first maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out = floor((size + padding - window)/stride) + 1, or that
    with ceil, or ceil(size/stride) for ``"same"``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. A window of -∞ gives -∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; the texts, 000 §3.2.2.
    """
    return np.max(_taps(x, _windows.pooling_geometry(x, window, stride, padding, ceil_mode)), axis=0)


def vjp(
    dy: Array, x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Gradients:
    r""":math:`dx` at a pixel is the sum of :math:`dy` over the windows whose first maximum it is."""
    place = _windows.pooling_geometry(x, window, stride, padding, ceil_mode)
    taps = _taps(x, place)
    first = _first(((taps == np.max(taps, axis=0)) | np.isnan(taps)) & _inside(x, place))
    low, high = _sides(place)
    size = (x.shape[2] + low[0] + high[0], x.shape[3] + low[1] + high[1])
    taken = (np.arange(place.kernel[0])[:, None] * size[1] + np.arange(place.kernel[1])).ravel()[first]
    corners = np.arange(place.outputs[0])[:, None] * (place.stride[0] * size[1]) + np.arange(place.outputs[1]) * place.stride[1]
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[0], x.shape[1], 1, 1) * (size[0] * size[1])
    dx = np.zeros_like(x, shape=(x.shape[0] * x.shape[1] * size[0] * size[1],))
    np.add.at(dx, (planes + corners + taken).ravel(), np.reshape(dy, (-1,)))
    whole = np.reshape(dx, (x.shape[0], x.shape[1], *size))
    return {"x": _windows.crop(whole, place.padding, (x.shape[2], x.shape[3]))}


def _sides(place: Geometry) -> tuple[Pair, Pair]:
    """Rows and columns to put before and after the input, what the windows hang over included."""
    (top, bottom), (left, right) = place.padding
    return (top, left), (bottom + place.overhang[0], right + place.overhang[1])


def _taps(x: Array, place: Geometry) -> Array:
    """The windows of the input between -∞: (taps, N, C, rows, columns)."""
    low, high = _sides(place)
    return _windows.taps(_windows.pad(x, ((low[0], high[0]), (low[1], high[1])), -np.inf), place.kernel, place.stride)


def _inside(x: Array, place: Geometry) -> Any:
    """Which taps lie on the input: booleans, (taps, 1, 1, rows, columns)."""
    low, high = _sides(place)
    ones = np.ones((1, 1, x.shape[2], x.shape[3]), dtype=bool)
    padded = np.pad(ones, ((0, 0), (0, 0), (low[0], high[0]), (low[1], high[1])))
    return _windows.taps(padded, place.kernel, place.stride)


def _first(hits: Any) -> Any:
    """The first true tap of each window."""
    count = hits.shape[0]
    countdown = np.arange(count, 0, -1, dtype=np.int32).reshape(count, 1, 1, 1, 1)
    return count - np.max(hits * countdown, axis=0)


def samples(stream: Stream) -> Iterator[Sample]:
    """Windows of every shape over values that differ within each plane, by exact steps; then ties, NaN and infinity by hand."""
    images = (2, 3, 7, 6)

    def planes(name: str, shape: tuple[int, ...] = images, step: float = 0.25) -> Array:
        draw = stream(name)
        drawn = [draw(str(index)).distinct(shape[2:], step) for index in range(shape[0] * shape[1])]
        return np.stack(drawn).reshape(shape) if drawn else asarray([]).reshape(shape)

    def sample(name: str, shape: tuple[int, ...] = images, **keywords: Any) -> Sample:
        return Sample(name=name, inputs={"x": planes(name, shape)}, keywords=keywords)

    one = (1, 1)
    overlapping: dict[str, Any] = {"window": (3, 3), "stride": (1, 1)}
    yield sample("plain")
    yield sample("size_large", (4, 8, 16, 15), window=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)))
    yield sample("size_many_channels", (2, 32, 9, 8), window=(3, 2), stride=(2, 2))
    yield sample("width_seventeen", (1, 17, 5, 33), window=(2, 3), stride=(1, 2))
    yield Sample(name="strided_transposed", inputs={"x": planes("strided_transposed")}, memory="transposed")
    yield Sample(name="strided_sliced", inputs={"x": planes("strided_sliced")}, memory="sliced")

    yield sample("geometry_window_per_axis", window=(3, 2))
    yield sample("geometry_stride_per_axis", window=(2, 3), stride=(3, 1))
    yield sample("geometry_overlapping", **overlapping)
    yield sample("geometry_window_smaller_than_stride", window=(2, 1), stride=(3, 2))
    yield sample("geometry_window_one", window=one)
    yield sample("geometry_window_one_stride", window=one, stride=(2, 3))
    yield sample("geometry_window_of_input_size", window=(7, 6))
    yield sample("geometry_window_of_many_taps", (1, 2, 18, 19), window=(17, 16), stride=(1, 2))

    yield sample("padding_same", padding="same")
    yield sample("padding_same_odd_window_stride", window=(3, 5), stride=(2, 2), padding="same")
    yield sample("padding_same_stride_one", window=(4, 3), stride=one, padding="same")
    yield sample("padding_same_window_smaller_than_stride", window=(2, 1), stride=(3, 2), padding="same")
    yield sample("padding_per_axis", window=(4, 3), stride=(2, 1), padding=((2, 2), (1, 1)))
    yield sample("padding_asymmetric", window=(4, 3), stride=(1, 2), padding=((0, 2), (2, 1)))
    yield sample("padding_one_side", window=(3, 2), stride=(2, 2), padding=((2, 0), (0, 0)))
    below = planes("padding_of_negative_values") - 64.0
    yield Sample(name="padding_of_negative_values", inputs={"x": below}, keywords={**overlapping, "padding": "same"})

    yield sample("overhang", ceil_mode=True)
    yield sample("overhang_stride_per_axis", window=(3, 2), stride=(2, 3), ceil_mode=True)
    yield sample("overhang_both_axes", (2, 3, 8, 6), window=(3, 3), stride=(2, 2), ceil_mode=True)
    yield sample("overhang_padding", window=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)), ceil_mode=True)
    yield sample("overhang_padding_asymmetric", window=(4, 3), stride=(3, 2), padding=((1, 0), (0, 2)), ceil_mode=True)
    yield sample("overhang_last_window_dropped", window=(2, 2), stride=(3, 3), padding=((1, 1), (0, 1)), ceil_mode=True)

    yield sample("unit_batch", (1, 3, 7, 6), window=(3, 2), stride=(2, 1))
    yield sample("unit_channels", (2, 1, 7, 6))
    yield sample("unit_height", (2, 3, 1, 6), window=(1, 2))
    yield sample("unit_width", (2, 3, 7, 1), window=(3, 2), stride=(2, 1), padding="same")
    yield sample("unit_everything", (1, 1, 1, 1), window=one)
    small = sample("unit_everything_with", (1, 1, 1, 1), window=one)
    each: tuple[dict[str, Any], ...] = ({"stride": (2, 3)}, {"window": (2, 2), "padding": "same"}, {"ceil_mode": True})
    yield from with_each(replace(small, name="unit_everything"), each)
    yield sample("empty_batch", (0, *images[1:]))

    def special(name: str, values: dict[tuple[int, ...], float], **keywords: Any) -> Sample:
        x = planes(name)
        for index, value in values.items():
            x[index] = value
        return Sample(name=name, inputs={"x": x}, keywords=keywords)

    each_tap = [(0, 0, 0, 0), (0, 1, 2, 3), (1, 0, 3, 4), (1, 2, 5, 1)]
    yield special("nan_each_tap", dict.fromkeys(each_tap, np.nan))
    two = special("nan_two_in_a_window", {(0, 0, 0, 1): np.nan, (0, 0, 1, 0): np.nan})
    yield replace(two, required=False)
    yield special("nan_overlapping", {(0, 1, 3, 2): np.nan, (1, 2, 0, 0): np.nan, (1, 2, 6, 5): np.nan}, **overlapping)
    yield special("nan_padding", {(0, 1, 0, 2): np.nan, (1, 2, 6, 5): np.nan}, **overlapping, padding="same")
    beside: dict[tuple[int, ...], float] = {(0, 0, 0, 0): np.inf, (1, 0, 3, 3): -np.inf}
    beside |= {(0, 0, 1, 1): np.nan, (1, 0, 2, 2): np.nan}
    yield special("nan_beside_infinity", beside)
    lanes = planes("nan_each_lane", (2, 9, 8, 9))
    for lane in range(8):
        lanes[0, lane, lane, (lane + 1) % 9] = np.nan
    yield Sample(name="nan_each_lane", inputs={"x": lanes}, keywords={"window": (2, 2)})
    yield special("infinity_positive", {(0, 1, 3, 2): np.inf, (1, 0, 0, 1): np.inf, (1, 0, 1, 0): np.inf})
    yield special("infinity_negative", {(0, 1, 3, 2): -np.inf, (1, 0, 0, 0): -np.inf})
    minus = np.full(images, -np.inf)
    yield Sample(name="infinity_all_negative", inputs={"x": minus}, expected={"y": minus[:, :, :3, :3]})
    corner = planes("infinity_negative_beside_padding")
    corner[:, :, :2, :2] = -np.inf
    overlapping_same = {**overlapping, "padding": "same"}
    yield Sample(name="infinity_negative_beside_padding", inputs={"x": corner}, keywords=overlapping_same, required=False)

    yield Sample(name="ties_constant", inputs={"x": np.full(images, 0.5)}, expected={"y": np.full((2, 3, 3, 3), 0.5)})
    yield Sample(name="ties_many", inputs={"x": stream("ties_many").grid(images, bound=1)})
    yield Sample(name="ties_overlapping", inputs={"x": stream("ties_overlapping").grid(images, bound=1)}, keywords=overlapping)
    relu = np.maximum(stream("ties_of_zeros").grid(images), 0.0)
    yield Sample(name="ties_of_zeros", inputs={"x": relu}, keywords={**overlapping_same, "stride": (2, 2)})

    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="magnitude_2_to_12", inputs={"x": planes("magnitude_2_to_12", step=2.0**10)})
    yield Sample(name="magnitude_2_to_minus_13", inputs={"x": planes("magnitude_2_to_minus_13", step=2.0**-15)}, dtypes=wide)
    yield Sample(name="magnitude_2_to_127", inputs={"x": planes("magnitude_2_to_127", step=2.0**122)}, dtypes=wide)
    close = 1.0 + planes("cancellation_close_values", step=2.0**-22)
    yield Sample(name="cancellation_close_values", inputs={"x": close}, dtypes=("float64", "float32"))


def workload(stream: Stream, size: str) -> Sample:
    """Images, a quarter of whose pixels stay."""
    return image_workload(stream, size)


def work(
    x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Work:
    """Comparisons: one less for each window than it has pixels of the image; back, a sum for each window."""
    place = _windows.pooling_geometry(shaped(x), window, stride, padding, ceil_mode)
    planes, windows = x.shape[0] * x.shape[1], math.prod(place.outputs)
    taps = _windows.taps_inside((x.shape[2], x.shape[3]), place)
    return Work(flops=planes * (taps - windows), backward_flops=planes * windows)


OPERATION = Operation(
    function=max_pool2d,
    vjp=vjp,
    samples=samples,
    family="window",
    axes={"x": "n c h w", "y": "n c h w"},
    documents=("000 §3.2.2", "003 §3.2.2", "004 §3.5"),
    workload=workload,
    work=work,
)
