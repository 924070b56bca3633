"""Convolution and pooling over two axes of positions, by indexing with the places of all windows: PyTensor has neither."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import pullback

from tensorproof.backend import Native
from tensorproof_pytensor.table import Given, composed, sizes


@dataclass(frozen=True)
class Axis:
    """The windows along one axis."""

    before: int
    after: int
    """What is padded at the end, and what hangs over it."""
    places: Any
    """Where each tap of each window is in the padded input: (windows, taps)."""
    inside: Any
    """Which of these count in a mean: (windows, taps)."""


def _axis(size: int, taps: int, stride: int, dilation: int, padding: Any, **options: bool) -> Axis:
    reach = dilation * (taps - 1) + 1
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        before, after = total // 2, total - total // 2
    else:
        before, after = (0, 0) if padding == "valid" else padding
    padded = size + before + after
    windows = (padded - reach) // stride + 1
    if options.get("ceil_mode"):
        windows = -(-(padded - reach) // stride) + 1
        windows -= (windows - 1) * stride >= size + before
    places = stride * np.arange(windows)[:, None] + dilation * np.arange(taps)
    low, high = (0, padded) if options.get("count_padding") else (before, before + size)
    over = max((windows - 1) * stride + reach - padded, 0)
    return Axis(before, after + over, places, (places >= low) & (places < high))


def _axes(x: Native, kernel: Any, stride: Any, dilation: Any, padding: Any, **options: bool) -> tuple[Axis, Axis]:
    sides = (padding, padding) if isinstance(padding, str) else padding
    rows, columns = (_axis(*of_axis, **options) for of_axis in zip(sizes(x)[2:], kernel, stride, dilation, sides, strict=True))
    return rows, columns


def _windows(x: Native, rows: Axis, columns: Axis, fill: float) -> Native:
    """The padded input's windows: (n, c, windows of rows, windows of columns, taps of rows, taps of columns)."""
    batch, channels, height, width = sizes(x)
    top, left = rows.before, columns.before
    around = pt.full((batch, channels, top + height + rows.after, left + width + columns.after), fill, x.dtype)
    padded = pt.set_subtensor(around[:, :, top : top + height, left : left + width], x)
    return padded[:, :, rows.places[:, None, :, None], columns.places[None, :, None, :]]


def _correlated(x: Native, weight: Native, of: Given) -> Native:
    """``x`` correlated with kernels, by windows as ``of`` says."""
    filters, depth, *kernel = sizes(weight)
    rows, columns = _axes(x, kernel, of.stride, of.dilation, of.padding)
    windows = _windows(x, rows, columns, 0.0)
    share = filters // of.groups
    parts = [
        pt.tensordot(weight[o : o + share], windows[:, c : c + depth], axes=([1, 2, 3], [1, 4, 5]))
        for o, c in zip(range(0, filters, share), range(0, of.groups * depth, depth), strict=True)
    ]
    y = pt.moveaxis(pt.concatenate(parts), 0, 1)
    return y.reshape((sizes(x)[0], filters, len(rows.places), len(columns.places)))


def _transposed(of: Given) -> Native:
    """The vector-Jacobian product of a correlation whose result has the shape of ``x``."""
    (batch, _, *size), (_, depth, *kernel) = sizes(of.x), sizes(of.weight)
    lengths = [length * stride for length, stride in zip(size, of.stride, strict=True)]
    if of.padding != "same":
        sides = ((0, 0), (0, 0)) if of.padding == "valid" else of.padding
        for axis, cropped in enumerate(sides):
            reach = of.dilation[axis] * (kernel[axis] - 1) + 1
            lengths[axis] += reach - of.stride[axis] + of.output_padding[axis] - sum(cropped)
    canvas = pt.zeros((batch, of.groups * depth, *lengths), of.x.dtype)
    return pullback(_correlated(canvas, of.weight, of), canvas, of.x)


def _with_bias(y: Native, of: Given) -> Native:
    return y if of.bias is None else y + of.bias[:, None, None]


def _pooled(of: Given, fill: float, **options: bool) -> tuple[Native, Any]:
    """The taps of each window, along the last axis, and which of them count."""
    stride = of.window if of.stride is None else of.stride
    rows, columns = _axes(of.x, of.window, stride, (1, 1), of.padding, ceil_mode=of.ceil_mode, **options)
    inside = rows.inside[:, None, :, None] & columns.inside[None, :, None, :]
    outputs, taps = inside.shape[:2], inside.shape[2] * inside.shape[3]
    windows = _windows(of.x, rows, columns, fill).reshape((*sizes(of.x)[:2], *outputs, taps))
    return windows, inside.reshape((*outputs, taps))


def _max_pool2d(of: Given) -> Native:
    """The element at the first maximum that is no padding: the gradient of ``pt.max`` would go to all maxima."""
    taps, inside = _pooled(of, -np.inf)
    largest = (pt.eq(taps, pt.max(taps, axis=-1, keepdims=True)) | pt.isnan(taps)) & inside
    chosen = pt.take_along_axis(taps, pt.argmax(pt.cast(largest, "int8"), axis=-1)[..., None], axis=-1)
    return chosen.reshape((*sizes(of.x)[:2], *inside.shape[:2]))  # Known lengths, also for a batch of one.


def _average_pool2d(of: Given) -> Native:
    taps, inside = _pooled(of, 0.0, count_padding=of.count_padding)
    return pt.sum(taps / inside.sum(-1, keepdims=True).astype(of.x.dtype), axis=-1)


composed("conv2d", lambda of: _with_bias(_correlated(of.x, of.weight, of), of))
composed("conv2d_transpose", lambda of: _with_bias(_transposed(of), of))
composed("max_pool2d", _max_pool2d)
composed("average_pool2d", _average_pool2d)
