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


def without_dilation(name: str) -> Callable[..., Any]:
    """Windows without gaps, as far as these reach."""

    def wrong(x: Any, *, window: Any = (2, 2), dilation: Any = (2, 2), **keywords: Any) -> Any:
        reach = tuple(_windows.extent(*axis) for axis in zip(window, dilation, strict=True))
        return reference(name, x, window=reach, dilation=(1, 1), **keywords)

    return wrong


def same_by_the_taps(name: str) -> Callable[..., Any]:
    """Padding ``same`` for windows without gaps, put at the end what is missing."""

    def wrong(x: Any, *, window: Any = (2, 2), dilation: Any = (2, 2), padding: Any = "valid", **keywords: Any) -> Any:
        if padding == "same" and keywords.get("stride", (1, 1)) == (1, 1):
            reaches = [_windows.extent(*axis) for axis in zip(window, dilation, strict=True)]
            befores = [(taps - 1) // 2 for taps in window]
            padding = tuple((before, reach - 1 - before) for before, reach in zip(befores, reaches, strict=True))
        return reference(name, x, window=window, dilation=dilation, padding=padding, **keywords)

    return wrong


def without_gaps(name: str) -> Callable[..., Any]:
    """The gradient of windows without gaps, as far as these reach."""

    def wrong(dy: Any, x: Any, *, window: Any = (2, 2), dilation: Any = (2, 2), **keywords: Any) -> Any:
        reach = tuple(_windows.extent(*axis) for axis in zip(window, dilation, strict=True))
        return right_vjp(name, dy, x, window=reach, dilation=(1, 1), **keywords)

    return wrong


def dilated_values() -> Iterator[Row]:
    """Pooling with gaps whose values are wrong."""
    for name in ("dilated_max_pool2d", "dilated_average_pool2d"):
        yield name, "plain", "gaps_filled", without_dilation(name)
        yield name, "geometry", "axes_of_dilation_in_reverse_order", axes_exchanged(name, "dilation")
        yield name, "padding", "same_padding_of_windows_without_gaps", same_by_the_taps(name)
        yield name, "optional", "stride_ignored", without(name, "stride")
    yield "dilated_average_pool2d", "convention", "count_padding_ignored", without("dilated_average_pool2d", "count_padding")


def dilated_gradients() -> Iterator[Row]:
    """Pooling with gaps whose vector-Jacobian products are wrong."""
    for name in ("dilated_max_pool2d", "dilated_average_pool2d"):
        yield name, "plain", "gradient_fills_gaps", without_gaps(name)
        yield name, "plain", "overlapping_gradient_overwrites", overwritten(name)
    average = "dilated_average_pool2d"
    yield average, "padding", "gradient_divided_by_the_whole_window", by_the_whole_window(average)


for axes in RANKS:
    FAULTS.rows(values(axes), gradients(axes))
FAULTS.rows(dilated_values(), dilated_gradients())
