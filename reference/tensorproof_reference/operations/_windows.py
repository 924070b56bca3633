"""Geometry and sums that convolution and pooling share: padding, windows, and the adjoint of taking windows.

Every mathematical sum here is one reduction: a convolution and each of its gradients is one matrix product.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tensorproof_reference.arguments import require, require_pair, require_rank, require_shape
from tensorproof_reference.trees import Array

Pair: TypeAlias = tuple[int, int]
"""One number for the rows and one for the columns."""

Pairs: TypeAlias = tuple[Pair, Pair]
"""((top, bottom), (left, right))."""

Padding: TypeAlias = str | Pairs
"""``"valid"``, ``"same"``, or explicit pairs."""

CACHED = 2**19
"""The numbers of one matrix of windows that are made at a time."""


class Geometry(NamedTuple):
    """How windows lie over an input, checked."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Pairs
    outputs: Pair
    """Windows per axis."""
    overhang: Pair = (0, 0)
    """Rows and columns by which the last windows hang over the end of the padded input; only in ceil mode."""


def extent(kernel: int, dilation: int) -> int:
    """The positions from the first to the last tap of a dilated kernel."""
    return dilation * (kernel - 1) + 1


def require_pairs(padding: Any) -> Pairs:
    """Explicit padding as two pairs of non-negative integers, or raise ``ValueError``."""
    valid = isinstance(padding, tuple | list) and len(padding) == 2
    require(valid, "padding", "'valid', 'same' or ((top, bottom), (left, right))", padding)
    return require_pair(padding[0], "padding", 0), require_pair(padding[1], "padding", 0)


def _same(size: int, window: int, stride: int) -> Pair:
    """Padding that gives ceil(size/stride) windows; the odd one goes to the high end."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _each_axis(function: Callable[..., Any], *pairs: Any) -> Any:
    """``function`` of the rows' values and of the columns' values."""
    return tuple(function(*values) for values in zip(*pairs, strict=True))


def geometry(size: Pair, kernel: Pair, stride: Any, padding: Any, dilation: Any = (1, 1), argument: str = "weight") -> Geometry:
    """The windows of a ``kernel`` over an input of ``size``, one at least on each axis.

    Raises:
        ValueError: an argument is malformed, or the kernel (``argument``) is larger than the padded input.
    """
    stride = require_pair(stride, "stride", 1)
    dilation = require_pair(dilation, "dilation", 1)
    window = _each_axis(extent, kernel, dilation)
    if padding == "valid":
        padding = ((0, 0), (0, 0))
    padding = _each_axis(_same, size, window, stride) if padding == "same" else require_pairs(padding)
    padded = (size[0] + sum(padding[0]), size[1] + sum(padding[1]))
    require(window[0] <= padded[0] and window[1] <= padded[1], argument, f"at most the padded size {padded}", window)
    outputs = _each_axis(lambda length, reach, step: (length - reach) // step + 1, padded, window, stride)
    return Geometry(kernel, stride, dilation, padding, outputs)


def pooling_geometry(x: Array, window: Any, stride: Any, padding: Any, ceil_mode: bool) -> Geometry:
    """The windows of pooling; in ceil mode also those that start within the input or its low padding and hang over the end.

    Raises:
        ValueError: an argument is malformed, or a window could lie in the padding alone.
    """
    require_rank(x, "x", 4)
    window = require_pair(window, "window", 1)
    stride = window if stride is None else require_pair(stride, "stride", 1)
    require(isinstance(ceil_mode, bool), "ceil_mode", "True or False", ceil_mode)
    size = (x.shape[2], x.shape[3])
    plain = geometry(size, window, stride, padding, argument="window")
    inside = all(side < reach for sides, reach in zip(plain.padding, window, strict=True) for side in sides)
    require(inside, "padding", f"less than the window {window} on every side", plain.padding)
    if not ceil_mode:
        return plain

    def axis(length: int, reach: int, step: int, sides: Pair) -> Pair:
        padded = length + sum(sides)
        count = -(-(padded - reach) // step) + 1
        if (count - 1) * step >= length + sides[0]:
            count -= 1
        return count, max((count - 1) * step + reach - padded, 0)

    counts, overhang = zip(*_each_axis(axis, size, window, stride, plain.padding), strict=True)
    return plain._replace(outputs=counts, overhang=overhang)


def taps_inside(size: Pair, place: Geometry) -> int:
    """How many taps of all windows over one plane of ``size`` lie on it, and not on padding."""

    def along(axis: int) -> int:
        step, before = place.stride[axis], place.padding[axis][0]
        starts = range(-before, place.outputs[axis] * step - before, step)
        reach = range(0, place.kernel[axis] * place.dilation[axis], place.dilation[axis])
        return sum(0 <= start + tap < size[axis] for start in starts for tap in reach)

    return along(0) * along(1)


def pad(x: Array, padding: Pairs, value: float = 0.0) -> Array:
    """``x`` with rows and columns of ``value`` around its last two axes."""
    if padding == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0),) * (x.ndim - 2) + tuple(padding), constant_values=value)


def windows(x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """A view of the windows of ``x`` (N, C, H, W): (N, C, rows, columns, kernel rows, kernel columns)."""
    view = sliding_window_view(x, _each_axis(extent, kernel, dilation), axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def taps(x: Array, kernel: Pair, stride: Pair) -> Array:
    """The windows of ``x`` with the tap, in row-major order, as first axis: (taps, N, C, rows, columns)."""
    view = windows(x, kernel, stride, (1, 1))
    return np.stack([view[..., row, column] for row in range(kernel[0]) for column in range(kernel[1])])


def _matrix(x: Array, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> Array:
    """The windows as the columns of a matrix per group: (groups, channels per group · taps, N · rows · columns)."""
    view = windows(x, kernel, stride, dilation)
    batch, channels, rows, columns = view.shape[:4]
    depth = channels // groups * kernel[0] * kernel[1]
    return np.reshape(np.transpose(view, (1, 4, 5, 0, 2, 3)), (groups, depth, batch * rows * columns))


def correlate(x: Array, weight: Array, stride: Pair, dilation: Pair, groups: int) -> Array:
    """Cross-correlation of a padded ``x`` (N, C, H, W) with ``weight`` (O, C/groups, kH, kW).

    Images are taken a few at a time, so that the matrix of windows stays in the processor's cache.
    """
    batch, _, height, width = x.shape
    filters, depth = weight.shape[0], math.prod(weight.shape[1:])
    kernel = (weight.shape[2], weight.shape[3])
    window = _each_axis(extent, kernel, dilation)
    rows, columns = (height - window[0]) // stride[0] + 1, (width - window[1]) // stride[1] + 1
    flat = np.reshape(weight, (groups, filters // groups, depth))
    y = np.zeros_like(x, shape=(batch, filters, rows, columns))
    some = max(1, CACHED // (groups * depth * rows * columns))
    for start in range(0, batch, some):
        product = np.matmul(flat, _matrix(x[start : start + some], kernel, stride, dilation, groups))
        y[start : start + some] = np.moveaxis(np.reshape(product, (filters, -1, rows, columns)), 1, 0)
    return y


def weight_gradient(dy: Array, x: Array, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> Array:
    """The gradient of ``correlate`` to its weight: one product of ``dy`` (N, O, rows, columns) with the windows of ``x``."""
    filters = dy.shape[1]
    matrix = _matrix(x, kernel, stride, dilation, groups)
    cotangents = np.reshape(np.moveaxis(dy, 1, 0), (groups, filters // groups, matrix.shape[2]))
    product = np.matmul(cotangents, np.swapaxes(matrix, 1, 2))
    return np.reshape(product, (filters, x.shape[1] // groups, *kernel))


class Phase(NamedTuple):
    """The positions of an input that the same taps of a strided kernel reach: start, start + stride, …

    Over ``dy`` padded by ``padding``, these taps in reverse order, ``dilation`` apart, slide with stride 1.
    """

    start: int
    taps: slice
    dilation: int
    padding: Pair


def phases(size: int, outputs: int, kernel: int, stride: int, dilation: int) -> list[Phase]:
    """The phases of one axis of a padded input of ``size``; positions that no tap reaches belong to none.

    Position h is reached by tap i of window (h - dilation·i)/stride where that is whole, so h modulo stride decides which taps.
    """
    common = math.gcd(stride, dilation)
    step = stride // common
    found = []
    for start in range(min(stride, size)):
        first = [tap for tap in range(min(kernel, step)) if (dilation * tap - start) % stride == 0]
        if first:
            used = range(first[0], kernel, step)
            nearest, farthest = ((dilation * tap - start) // stride for tap in (used[0], used[-1]))
            after = len(range(start, size, stride)) - outputs - nearest
            found.append(Phase(start, slice(used.start, used.stop, used.step), dilation // common, (farthest, after)))
    return found


def correlate_adjoint(dy: Array, weight: Array, stride: Pair, dilation: Pair, groups: int, size: Pair) -> Array:
    """The adjoint of ``correlate`` in its input of ``size``: each result is one sum over filters and the taps that reach it."""
    filters, channels, height, width = weight.shape
    shape = (groups, filters // groups, channels, height, width)
    swapped = np.reshape(np.swapaxes(np.reshape(weight, shape), 1, 2), (groups * channels, filters // groups, height, width))
    dx = np.zeros_like(dy, shape=(dy.shape[0], groups * channels, *size))
    for row in phases(size[0], dy.shape[2], height, stride[0], dilation[0]):
        for column in phases(size[1], dy.shape[3], width, stride[1], dilation[1]):
            kernel = np.flip(swapped[:, :, row.taps, column.taps], (2, 3))
            padded = pad(dy, (row.padding, column.padding))
            part = correlate(padded, kernel, (1, 1), (row.dilation, column.dilation), groups)
            dx[:, :, row.start :: stride[0], column.start :: stride[1]] = part
    return dx


def sum_adjoint(dy: Array, kernel: Pair, stride: Pair, size: Pair) -> Array:
    """The adjoint of summing each window, in an input of ``size``: each result is one sum over the windows that hold it."""
    dx = np.zeros_like(dy, shape=(dy.shape[0], dy.shape[1], *size))
    for row in phases(size[0], dy.shape[2], kernel[0], stride[0], 1):
        for column in phases(size[1], dy.shape[3], kernel[1], stride[1], 1):
            used = (len(range(kernel[0])[row.taps]), len(range(kernel[1])[column.taps]))
            parts = taps(pad(dy, (row.padding, column.padding)), used, (1, 1))
            dx[:, :, row.start :: stride[0], column.start :: stride[1]] = np.sum(parts, axis=0)
    return dx


def crop(x: Array, padding: Pairs, size: Pair) -> Array:
    """``size`` rows and columns of ``x`` behind its low padding: what ``pad`` had added is taken away again."""
    (top, _), (left, _) = padding
    return x[:, :, top : top + size[0], left : left + size[1]]


def require_convolution(x: Array, weight: Array, bias: Array | None, groups: int, filters: int, channels: int) -> None:
    """Raise ``ValueError`` unless x, weight and bias fit: ``channels`` come in and ``filters`` go out, in ``groups``."""
    whole = isinstance(groups, int) and not isinstance(groups, bool) and groups > 0
    require(whole and weight.shape[0] % groups == 0 and x.shape[1] % groups == 0, "groups", "a divisor of the channels", groups)
    require(x.shape[1] == channels, "weight", f"weights for {x.shape[1]} channels", f"shape {weight.shape}")
    require(min(weight.shape) > 0, "weight", "no empty axis", f"shape {weight.shape}")
    if bias is not None:
        require_shape(bias, "bias", (filters,))
