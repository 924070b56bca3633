"""Pooling of images by windows with gaps: maximum and average."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_numbers
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._pooling import (
    average_pooling,
    average_pooling_vjp,
    average_pooling_work,
    max_pooling,
    max_pooling_vjp,
    max_pooling_work,
    pooling_workload,
)
from tensorproof_reference.operations._window_samples import (
    WIDE,
    distinct_in_each_channel,
    magnitudes,
    special,
    with_nan_in_each_lane,
)
from tensorproof_reference.operations._windows import Padding, Pair
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients
from tensorproof_reference.windows._names import inputs_and_outputs

IMAGES = (2, 3, 9, 8)


def dilated_max_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
) -> Array:
    r"""The maximum of each window of an image whose taps are d apart:
    :math:`y_{ncpq} = \max_{i<k_h,\,j<k_w} x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}`.

    ``padding``, which never is the maximum, and ``ceil_mode`` are as in ``max_pool2d``, for windows that reach over
    :math:`d (k - 1) + 1` pixels. The gradient goes to the first maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out = floor((size + padding - reach)/stride) + 1, or that
    with ceil, or ceil(size/stride) for ``"same"``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. What lies in its gaps leaves no trace.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; Yu & Koltun (2016), eq. 2 (dilation); ONNX MaxPool (opset 12).
    """
    gaps = require_numbers(dilation, "dilation", 1, 2)
    return max_pooling(gaps, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def _maximum_vjp(dy: Array, x: Array, *, dilation: Pair = (2, 2), **keywords: Any) -> Gradients:
    """The gradient of each window goes to its first maximum."""
    gaps = require_numbers(dilation, "dilation", 1, 2)
    return max_pooling_vjp(gaps, dy, x, **{**_usual(dilated_max_pool2d), **keywords})


def _maximum_work(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
) -> Work:
    """That of maximum pooling: the gaps cost nothing."""
    return max_pooling_work(dilation, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def dilated_average_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of an image whose taps are d apart: of
    :math:`x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}` over :math:`i < k_h` and :math:`j < k_w`.

    The mean is over the taps that lie on the image; with ``count_padding`` padded zeros count as well. ``padding`` and
    ``ceil_mode`` are as in ``dilated_max_pool2d``.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that have a tap on them, and no others.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); Yu & Koltun (2016), eq. 2 (dilation); ONNX AveragePool
    (opset 19).
    """
    return average_pooling(
        *(require_numbers(dilation, "dilation", 1, 2), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def _average_vjp(dy: Array, x: Array, *, dilation: Pair = (2, 2), **keywords: Any) -> Gradients:
    """Each window's share goes to all of its taps."""
    gaps = require_numbers(dilation, "dilation", 1, 2)
    return average_pooling_vjp(gaps, dy, x, **{**_usual(dilated_average_pool2d), **keywords})


def _average_work(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Work:
    """That of average pooling: the gaps cost nothing."""
    return average_pooling_work(
        *(dilation, x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def _usual(function: Callable[..., Array]) -> dict[str, Any]:
    """The keywords that are left out, but for the dilation."""
    return {name: value for name, value in (function.__kwdefaults__ or {}).items() if name != "dilation"}


CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "plain": (IMAGES, {}),
    "size_large": ((4, 8, 17, 16), {"window": (3, 3), "padding": ((2, 2), (2, 2))}),
    "size_many_channels": ((2, 32, 9, 8), {"window": (3, 2)}),
    "width_seventeen": ((1, 17, 5, 33), {"window": (2, 3), "dilation": (2, 5)}),
    "geometry_dilation_of_rows": (IMAGES, {"dilation": (3, 1)}),
    "geometry_dilation_of_columns": (IMAGES, {"dilation": (1, 4)}),
    "geometry_dilation_per_axis": (IMAGES, {"window": (2, 3), "dilation": (4, 2)}),
    "geometry_no_dilation": (IMAGES, {"window": (3, 2), "dilation": (1, 1)}),
    "geometry_reach_of_input_size": (IMAGES, {"window": (5, 2), "dilation": (2, 7)}),
    "geometry_window_one": (IMAGES, {"window": (1, 1), "dilation": (3, 2)}),
    "padding_same": (IMAGES, {"window": (3, 3), "padding": "same"}),
    "padding_same_even_window": (IMAGES, {"window": (2, 4), "padding": "same", "dilation": (3, 2)}),
    "padding_per_axis": (IMAGES, {"window": (3, 3), "padding": ((1, 1), (2, 2))}),
    "padding_asymmetric": (IMAGES, {"window": (3, 3), "padding": ((0, 2), (2, 1))}),
    "unit_batch": ((1, 3, 9, 8), {"window": (3, 2)}),
    "unit_channels": ((2, 1, 9, 8), {"window": (2, 3)}),
    "unit_height": ((2, 3, 1, 8), {"window": (1, 3)}),
    "unit_width": ((2, 3, 9, 1), {"window": (3, 1), "dilation": (4, 2)}),
    "unit_everything": ((1, 1, 1, 1), {"window": (1, 1)}),
    "empty_batch": ((0, 3, 9, 8), {}),
}
"""Samples by name: shape and keywords."""
STRIDED: dict[str, dict[str, Any]] = {
    "optional_stride": {"stride": (2, 3)},
    "optional_stride_and_dilation_with_a_factor": {"window": (3, 3), "stride": (2, 2), "dilation": (4, 2)},
    "optional_stride_padding": {"window": (3, 3), "stride": (2, 2), "padding": ((1, 1), (2, 2))},
    "optional_stride_same": {"window": (3, 2), "stride": (3, 2), "padding": "same"},
}
"""Strides together with dilation, which not every framework has: optional."""
OVERHANGING: dict[str, dict[str, Any]] = {
    "overhang": {"stride": (2, 2), "ceil_mode": True},
    "overhang_padding": {"window": (3, 3), "stride": (3, 3), "padding": ((1, 1), (2, 2)), "ceil_mode": True},
}
"""Optional too."""


def _of_all(draw: Any) -> Iterator[Sample]:
    """The samples that maximum and average have."""
    for name, (shape, keywords) in CASES.items():
        yield Sample(name=name, inputs=draw(name, shape), keywords=keywords)
    for name, keywords in {**STRIDED, **OVERHANGING}.items():
        yield Sample(name=name, inputs=draw(name, IMAGES), keywords=keywords, required=False)
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=draw(f"strided_{memory}", IMAGES), memory=memory)
    yield special(draw, "nan_each_tap", {(0, 0, 0, 0): np.nan, (0, 1, 4, 4): np.nan, (1, 2, 8, 7): np.nan, (1, 0, 3, 6): np.nan})
    yield special(draw, "nan_padding", {(0, 1, 0, 2): np.nan, (1, 2, 8, 7): np.nan}, window=(3, 3), padding="same")
    lanes = {"x": with_nan_in_each_lane(draw("nan_each_lane", (2, 9, 10, 9))["x"], 2)}
    yield Sample(name="nan_each_lane", inputs=lanes)
    yield special(draw, "infinity_positive", {(0, 1, 3, 2): np.inf, (1, 0, 0, 1): np.inf, (1, 0, 1, 0): np.inf})
    yield special(draw, "infinity_negative", {(0, 1, 3, 2): -np.inf, (1, 0, 0, 0): -np.inf})


def _maximum_samples(stream: Stream) -> Iterator[Sample]:
    """Windows with gaps over values that differ within each channel, by exact steps; ties, NaN and infinity."""

    def draw(name: str, shape: tuple[int, ...] = IMAGES, step: float = 0.25) -> dict[str, Array]:
        return {"x": distinct_in_each_channel(stream(name), shape, step)}

    yield from _of_all(draw)
    below = {"x": draw("padding_of_negative_values")["x"] - 64.0}
    yield Sample(name="padding_of_negative_values", inputs=below, keywords={"window": (3, 3), "padding": "same"})
    yield Sample(name="ties_many", inputs={"x": stream("ties_many").grid(IMAGES, bound=1)}, keywords={"window": (3, 3)})
    yield Sample(name="magnitude_2_to_12", inputs=draw("magnitude_2_to_12", step=2.0**10))
    yield Sample(name="magnitude_2_to_127", inputs=draw("magnitude_2_to_127", step=2.0**121), dtypes=WIDE)


def _average_samples(stream: Stream) -> Iterator[Sample]:
    """Windows with gaps, and what their sums are divided by."""

    def draw(name: str, shape: tuple[int, ...] = IMAGES, scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, deviation=scale)}

    yield from _of_all(draw)
    for word, padding in (("", ((1, 1), (2, 2))), ("_asymmetric", ((0, 2), (2, 1))), ("_same", "same")):
        name = f"convention_count_padding{word}"
        keywords = {"window": (3, 3), "padding": padding, "count_padding": True}
        yield Sample(name=name, inputs=draw(name), keywords=keywords)
    yield special(draw, "infinity_both_signs", {(0, 1, 2, 2): np.inf, (0, 1, 4, 4): -np.inf})
    yield from magnitudes(draw, "256", "1e4", "1e_minus_4")


OPERATIONS = (
    Operation(
        function=dilated_max_pool2d,
        vjp=_maximum_vjp,
        samples=_maximum_samples,
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(2),
        workload=partial(pooling_workload, 2),
        work=_maximum_work,
    ),
    Operation(
        function=dilated_average_pool2d,
        vjp=_average_vjp,
        samples=_average_samples,
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(2),
        conventions={"count_padding": (False, True)},
        workload=partial(pooling_workload, 2),
        work=_average_work,
    ),
)
