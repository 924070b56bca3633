"""Faults in convolution and pooling of sequences and volumes: operation, class, what is wrong, formula."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._pooling import taps_between

FAULTS = Faults()
RANKS = (1, 3)


def flipped(weight: Any) -> Any:
    """The kernel from its end to its beginning."""
    return np.flip(weight, tuple(range(2, weight.ndim)))


def exchanged(padding: Any) -> Any:
    """Explicit padding with its sides exchanged."""
    return padding if isinstance(padding, str) else tuple((high, low) for low, high in padding)


def without(name: str, keyword: str) -> Callable[..., Any]:
    """The right function, which does not see a keyword."""

    def wrong(*inputs: Any, **keywords: Any) -> Any:
        return reference(name, *inputs, **{key: value for key, value in keywords.items() if key != keyword})

    return wrong


def with_weight(name: str, changed: Callable[[Any], Any]) -> Callable[..., Any]:
    """The right function of another weight."""

    def wrong(x: Any, weight: Any, bias: Any = None, **keywords: Any) -> Any:
        return reference(name, x, changed(weight), bias, **keywords)

    return wrong


def with_padding(name: str, changed: Callable[[Any], Any]) -> Callable[..., Any]:
    """The right function with another padding."""

    def wrong(*inputs: Any, padding: Any = "valid", **keywords: Any) -> Any:
        return reference(name, *inputs, padding=changed(padding), **keywords)

    return wrong


def axes_exchanged(name: str, keyword: str) -> Callable[..., Any]:
    """The right function with a keyword's values for the axes in reverse order."""

    def wrong(*inputs: Any, **keywords: Any) -> Any:
        given = keywords.get(keyword)
        return reference(name, *inputs, **{**keywords, **({} if given is None else {keyword: tuple(given)[::-1]})})

    return wrong


def interleaved(name: str) -> Callable[..., Any]:
    """Groups of every so many channels instead of neighbours."""

    def wrong(x: Any, *others: Any, groups: int = 1, **keywords: Any) -> Any:
        order = np.arange(x.shape[1]).reshape(-1, groups).T.ravel()
        return reference(name, x[:, order], *others, groups=groups, **keywords)

    return wrong


def nan_beside_padding(name: str) -> Callable[..., Any]:
    """NaN in the last channel reaches every output of its example."""

    def wrong(x: Any, *others: Any, **keywords: Any) -> Any:
        y = np.array(reference(name, x, *others, **keywords))
        y[np.isnan(x[:, -1:]).any(axis=tuple(range(1, x.ndim)))] = np.nan
        return y

    return wrong


def of_flipped_weight(name: str) -> Callable[..., Any]:
    """The gradient of x by a kernel that is not turned round."""

    def wrong(dy: Any, x: Any, weight: Any, bias: Any = None, **keywords: Any) -> Any:
        right = right_vjp(name, dy, x, weight, bias, **keywords)
        return {**right, "x": right_vjp(name, dy, x, flipped(weight), bias, **keywords)["x"]}

    return wrong


def bias_of_the_first_example(name: str) -> Callable[..., Any]:
    """The gradient of the bias is that of the first example."""

    def wrong(dy: Any, x: Any, weight: Any, bias: Any = None, **keywords: Any) -> Any:
        right = right_vjp(name, dy, x, weight, bias, **keywords)
        return {**right, "bias": None if bias is None else np.sum(dy[:1], axis=(0, *range(2, dy.ndim)))}

    return wrong


def added_at_the_start(name: str) -> Callable[..., Any]:
    """Output padding at the start."""

    def wrong(*inputs: Any, output_padding: Any = (0,), **keywords: Any) -> Any:
        y = reference(name, *inputs, **keywords, **({"output_padding": output_padding} if any(output_padding) else {}))
        return np.roll(y, output_padding, axis=tuple(range(2, y.ndim))) if any(output_padding) else y

    return wrong


def padded_with_zeros(rank: int) -> Callable[..., Any]:
    """Padding takes part in the maximum."""

    def wrong(x: Any, *, window: Any = (2,) * rank, stride: Any = None, padding: Any = "valid", ceil_mode: bool = False) -> Any:
        return np.max(taps_between(x, _windows.pooling_geometry(x, (1,) * rank, window, stride, padding, ceil_mode), 0.0), axis=0)

    return wrong


def maximum_without_nan(rank: int) -> Callable[..., Any]:
    """NaN is never the maximum."""

    def wrong(x: Any, *, window: Any = (2,) * rank, stride: Any = None, padding: Any = "valid", ceil_mode: bool = False) -> Any:
        place = _windows.pooling_geometry(x, (1,) * rank, window, stride, padding, ceil_mode)
        return np.fmax.reduce(taps_between(x, place, -np.inf), axis=0)

    return wrong


def overwritten(name: str) -> Callable[..., Any]:
    """Where windows overlap, the gradient is their mean."""

    def wrong(dy: Any, x: Any, **keywords: Any) -> Any:
        counts = right_vjp(name, np.ones_like(dy), x, **keywords)["x"]
        return {"x": right_vjp(name, dy, x, **keywords)["x"] / np.maximum(counts, 1.0)}

    return wrong


def by_the_whole_window(name: str) -> Callable[..., Any]:
    """The gradient is divided as if padding counted."""

    def wrong(dy: Any, x: Any, **keywords: Any) -> Any:
        return right_vjp(name, dy, x, **{**keywords, "count_padding": True})

    return wrong


def odd_one_of_the_depth_at_the_start(x: Any, weight: Any, bias: Any = None, *, padding: Any = "valid", **keywords: Any) -> Any:
    """Padding ``same`` with the odd one of the first axis at the start."""
    if padding == "same":
        stride, dilation = (keywords.get(name, (1, 1, 1)) for name in ("stride", "dilation"))
        first, *others = _windows.geometry(x.shape[2:], weight.shape[2:], stride, padding, dilation).padding
        padding = (first[::-1], *others)
    return reference("conv3d", x, weight, bias, padding=padding, **keywords)


def moved_by_one_with_gaps(
    dy: Any, x: Any, weight: Any, bias: Any = None, *, groups: int = 1, dilation: Any = (1,), **keywords: Any
) -> Any:
    """The gradient of x is one place further, where each channel has a kernel with gaps of its own."""
    right = right_vjp("conv1d", dy, x, weight, bias, groups=groups, dilation=dilation, **keywords)
    apart = groups == x.shape[1] > 1 and dilation[0] > 1
    return {**right, "x": np.roll(right["x"], 1, axis=-1) if apart else right["x"]}


def values(rank: int) -> Iterator[Row]:
    """Functions whose values are wrong."""
    conv, transpose = f"conv{rank}d", f"conv{rank}d_transpose"
    maximum, average = f"max_pool{rank}d", f"average_pool{rank}d"
    yield conv, "plain", "kernel_flipped", with_weight(conv, flipped)
    yield conv, "padding", "sides_of_padding_exchanged", with_padding(conv, exchanged)
    yield conv, "geometry", "channels_of_groups_interleaved", interleaved(conv)
    yield conv, "nan", "nan_reaches_the_whole_example", nan_beside_padding(conv)
    yield transpose, "plain", "kernel_flipped", with_weight(transpose, flipped)
    yield transpose, "padding", "output_padding_at_the_start", added_at_the_start(transpose)
    yield transpose, "padding", "sides_of_padding_exchanged", with_padding(transpose, exchanged)
    yield maximum, "padding", "padded_with_zeros", padded_with_zeros(rank)
    yield maximum, "overhang", "ceil_mode_ignored", without(maximum, "ceil_mode")
    yield maximum, "nan", "maximum_swallows_nan", maximum_without_nan(rank)
    yield average, "convention", "count_padding_ignored", without(average, "count_padding")
    yield average, "overhang", "ceil_mode_ignored", without(average, "ceil_mode")
    yield average, "padding", "sides_of_padding_exchanged", with_padding(average, exchanged)
    if rank > 1:
        yield conv, "geometry", "axes_of_stride_in_reverse_order", axes_exchanged(conv, "stride")
        yield transpose, "geometry", "axes_of_dilation_in_reverse_order", axes_exchanged(transpose, "dilation")
        yield maximum, "geometry", "axes_of_the_window_in_reverse_order", axes_exchanged(maximum, "window")


def gradients(rank: int) -> Iterator[Row]:
    """Vector-Jacobian products that are wrong."""
    conv, transpose = f"conv{rank}d", f"conv{rank}d_transpose"
    maximum, average = f"max_pool{rank}d", f"average_pool{rank}d"
    yield conv, "plain", "gradient_of_x_by_the_flipped_kernel", of_flipped_weight(conv)
    yield conv, "plain", "gradient_of_the_bias_of_the_first_example", bias_of_the_first_example(conv)
    yield transpose, "plain", "gradient_of_x_by_the_flipped_kernel", of_flipped_weight(transpose)
    yield maximum, "geometry", "overlapping_gradient_overwrites", overwritten(maximum)
    yield average, "padding", "gradient_divided_by_the_whole_window", by_the_whole_window(average)


def usual(rank: int) -> tuple[int, ...]:
    """The window and the dilation that are meant where none are given."""
    return (2,) * rank


def reaches(rank: int, keywords: dict[str, Any]) -> tuple[int, ...]:
    """How far the windows reach along each axis."""
    both = (keywords.get(name, usual(rank)) for name in ("window", "dilation"))
    return tuple(_windows.extent(*axis) for axis in zip(*both, strict=True))


def without_dilation(name: str, rank: int) -> Callable[..., Any]:
    """Windows without gaps, as far as these reach."""

    def wrong(x: Any, **keywords: Any) -> Any:
        return reference(name, x, **{**keywords, "window": reaches(rank, keywords), "dilation": (1,) * rank})

    return wrong


def same_by_the_taps(name: str, rank: int) -> Callable[..., Any]:
    """Padding ``same`` for windows without gaps, put at the end what is missing."""

    def wrong(x: Any, **keywords: Any) -> Any:
        if keywords.get("padding") == "same" and set(keywords.get("stride", (1,))) == {1}:
            befores = [(taps - 1) // 2 for taps in keywords.get("window", usual(rank))]
            ends = zip(befores, reaches(rank, keywords), strict=True)
            keywords = {**keywords, "padding": tuple((before, reach - 1 - before) for before, reach in ends)}
        return reference(name, x, **keywords)

    return wrong


def without_gaps(name: str, rank: int) -> Callable[..., Any]:
    """The gradient of windows without gaps, as far as these reach."""

    def wrong(dy: Any, x: Any, **keywords: Any) -> Any:
        return right_vjp(name, dy, x, **{**keywords, "window": reaches(rank, keywords), "dilation": (1,) * rank})

    return wrong


def dilated_values(rank: int) -> Iterator[Row]:
    """Pooling with gaps whose values are wrong."""
    maximum, average = f"dilated_max_pool{rank}d", f"dilated_average_pool{rank}d"
    for name in (maximum, average):
        yield name, "plain", "gaps_filled", without_dilation(name, rank)
        if rank > 1:
            yield name, "geometry", "axes_of_dilation_in_reverse_order", axes_exchanged(name, "dilation")
        yield name, "padding", "same_padding_of_windows_without_gaps", same_by_the_taps(name, rank)
        yield name, "optional", "stride_ignored", without(name, "stride")
    yield average, "convention", "count_padding_ignored", without(average, "count_padding")


def dilated_gradients(rank: int) -> Iterator[Row]:
    """Pooling with gaps whose vector-Jacobian products are wrong."""
    maximum, average = f"dilated_max_pool{rank}d", f"dilated_average_pool{rank}d"
    for name in (maximum, average):
        yield name, "plain", "gradient_fills_gaps", without_gaps(name, rank)
        yield name, "plain", "overlapping_gradient_overwrites", overwritten(name)
    yield average, "padding", "gradient_divided_by_the_whole_window", by_the_whole_window(average)


def as_same(padding: Any) -> Any:
    """``same`` for ``same_lower``: the odd one at the end."""
    return "same" if padding == "same_lower" else padding


def gradient_of_same(name: str) -> Callable[..., Any]:
    """The gradient with the odd one at the end."""

    def wrong(*arrays: Any, padding: Any = "valid", **keywords: Any) -> Any:
        return right_vjp(name, *arrays, padding=as_same(padding), **keywords)

    return wrong


LOWER = (
    *("conv1d", "conv3d", "max_pool1d", "max_pool3d", "average_pool1d", "average_pool3d", "l2_pool1d", "l2_pool2d", "l2_pool3d"),
    *(f"dilated_{kind}_pool{rank}d" for kind in ("max", "average") for rank in (1, 2, 3)),
    "separable_conv2d",
)
"""The operations that have padding ``same_lower``."""


def lower_values() -> Iterator[Row]:
    """Padding ``same_lower`` as ``same``."""
    for name in LOWER:
        yield name, "padding", "odd_one_of_same_lower_at_the_end", with_padding(name, as_same)


def lower_gradients() -> Iterator[Row]:
    """The gradient of padding ``same_lower`` as of ``same``."""
    for name in LOWER:
        yield name, "padding", "gradient_of_same_lower_is_that_of_same", gradient_of_same(name)


SEPARABLE = "separable_conv2d"


def by_multiplier_first(x: Any, depthwise: Any, pointwise: Any, bias: Any = None, **keywords: Any) -> Any:
    """Between the two convolutions all channels of the first kernel come first."""
    many, channels = depthwise.shape[1], depthwise.shape[0]
    order = np.arange(many * channels).reshape(many, channels).T.ravel()
    return reference(SEPARABLE, x, depthwise, pointwise[:, order], bias, **keywords)


def with_flipped_kernels(x: Any, depthwise: Any, *others: Any, **keywords: Any) -> Any:
    """The kernels of the channels are flipped."""
    return reference(SEPARABLE, x, flipped(depthwise), *others, **keywords)


def bias_left_out(x: Any, depthwise: Any, pointwise: Any, bias: Any = None, **keywords: Any) -> Any:
    """No bias is added."""
    return reference(SEPARABLE, x, depthwise, pointwise, None, **keywords)


def pointwise_of_one_position(dy: Any, *arrays: Any, **keywords: Any) -> Any:
    """The gradient of the pointwise weights is that of the first row of positions."""
    first = np.concatenate([dy[:, :, :1], np.zeros_like(dy[:, :, 1:])], axis=2)
    return {
        **right_vjp(SEPARABLE, dy, *arrays, **keywords),
        "pointwise": right_vjp(SEPARABLE, first, *arrays, **keywords)["pointwise"],
    }


def depthwise_shared_by_channels(dy: Any, *arrays: Any, **keywords: Any) -> Any:
    """Each channel's kernels get the mean of the gradients of all."""
    right = right_vjp(SEPARABLE, dy, *arrays, **keywords)
    mean = np.mean(right["depthwise"], axis=0, keepdims=True)
    return {**right, "depthwise": np.broadcast_to(mean, right["depthwise"].shape).copy()}


def separable_values() -> Iterator[Row]:
    """Separable convolution whose values are wrong."""
    yield SEPARABLE, "plain", "kernels_ordered_by_multiplier_first", by_multiplier_first
    yield SEPARABLE, "plain", "kernels_flipped", with_flipped_kernels
    yield SEPARABLE, "plain", "bias_left_out", bias_left_out
    yield SEPARABLE, "geometry", "dilation_ignored", without(SEPARABLE, "dilation")
    yield SEPARABLE, "geometry", "axes_of_stride_in_reverse_order", axes_exchanged(SEPARABLE, "stride")
    yield SEPARABLE, "padding", "sides_of_padding_exchanged", with_padding(SEPARABLE, exchanged)


def separable_gradients() -> Iterator[Row]:
    """Separable convolution whose vector-Jacobian products are wrong."""
    yield SEPARABLE, "plain", "gradient_of_pointwise_of_one_row", pointwise_of_one_position
    yield SEPARABLE, "plain", "gradient_of_depthwise_shared_by_channels", depthwise_shared_by_channels


for axes in RANKS:
    FAULTS.rows(values(axes), gradients(axes))
for axes in (1, 2, 3):
    FAULTS.rows(dilated_values(axes), dilated_gradients(axes))
FAULTS.rows(lower_values(), lower_gradients())
FAULTS.rows(separable_values(), separable_gradients())
FAULTS.rows(
    [("conv3d", "padding", "odd_one_of_the_depth_at_the_start", odd_one_of_the_depth_at_the_start)],
    [("conv1d", "geometry", "gradient_of_channels_with_gaps_moved_by_one", moved_by_one_with_gaps)],
)
