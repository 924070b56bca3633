"""Geometry and sums that convolution and pooling share: padding, windows, and the adjoint of taking windows.

All of it is for any number of axes of positions: one for sequences, two for images, three for volumes.
Every mathematical sum here is one reduction: a convolution and each of its gradients is one matrix product.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tensorproof_reference.arguments import require, require_numbers, require_pair, require_rank, require_shape
from tensorproof_reference.operations._channels import beside_channels
from tensorproof_reference.trees import Array

Numbers: TypeAlias = tuple[int, ...]
"""One number for each axis of positions."""

Pair: TypeAlias = tuple[int, int]
"""What is before an axis and what is after it; or one number for rows and one for columns."""

Pairs: TypeAlias = tuple[Pair, ...]
"""For each axis of positions what is before it and what is after it: ((top, bottom), (left, right))."""

Padding: TypeAlias = str | Pairs
"""``"valid"``, ``"same"``, ``"same_lower"`` (in profile ``extended``), or explicit pairs."""

CACHED = 2**19
"""The numbers of one matrix of windows that are made at a time."""

PADDINGS = ("(before, after),", "((top, bottom), (left, right))", "((front, back), (top, bottom), (left, right))")
"""What explicit padding looks like, by the number of axes less one."""


class Geometry(NamedTuple):
    """How windows lie over an input, checked."""

    kernel: Numbers
    stride: Numbers
    dilation: Numbers
    padding: Pairs
    outputs: Numbers
    """Windows per axis."""
    overhang: Numbers
    """Positions by which the last windows hang over the end of the padded input; only in ceil mode."""


def extent(kernel: int, dilation: int) -> int:
    """The positions from the first to the last tap of a dilated kernel."""
    return dilation * (kernel - 1) + 1


def positions(x: Array) -> Numbers:
    """The sizes of the axes of positions of an array (N, C, …)."""
    return tuple(x.shape[2:])


def require_pairs(padding: Any, axes: int, *words: str) -> Pairs:
    """Explicit padding as a pair of non-negative integers for each axis, or raise ``ValueError``, which names other ``words``."""
    valid = isinstance(padding, tuple | list) and len(padding) == axes
    require(valid, "padding", f"{', '.join(map(repr, words))} or {PADDINGS[axes - 1]}", padding)
    return tuple(require_pair(pair, "padding", 0) for pair in padding)


def _same(size: int, window: int, stride: int) -> Pair:
    """Padding that gives ceil(size/stride) windows; the odd one goes to the high end."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _same_lower(size: int, window: int, stride: int) -> Pair:
    """As ``_same``, but the odd one goes to the low end."""
    before, after = _same(size, window, stride)
    return after, before


SPLIT = {"same": _same, "same_lower": _same_lower}
"""Padding by word: before and after an axis, by its size, the window's reach and the stride."""


def _each_axis(function: Callable[..., Any], *values: Any) -> Any:
    """``function`` of the values of each axis."""
    return tuple(function(*of_axis) for of_axis in zip(*values, strict=True))


def geometry(size: Numbers, kernel: Numbers, stride: Any, padding: Any, dilation: Any, argument: str = "weight") -> Geometry:
    """The windows of a ``kernel`` over an input of ``size``, one at least on each axis.

    Raises:
        ValueError: an argument is malformed, or the kernel (``argument``) is larger than the padded input.
    """
    axes = len(size)
    stride = require_numbers(stride, "stride", 1, axes)
    dilation = require_numbers(dilation, "dilation", 1, axes)
    window = _each_axis(extent, kernel, dilation)
    if padding == "valid":
        padding = ((0, 0),) * axes
    split = SPLIT.get(padding) if isinstance(padding, str) else None
    padding = _each_axis(split, size, window, stride) if split else require_pairs(padding, axes, "valid", *SPLIT)
    padded = _each_axis(lambda length, sides: length + sum(sides), size, padding)
    fits = all(reach <= length for reach, length in zip(window, padded, strict=True))
    require(fits, argument, f"at most the padded size {padded}", window)
    outputs = _each_axis(lambda length, reach, step: (length - reach) // step + 1, padded, window, stride)
    return Geometry(kernel, stride, dilation, padding, outputs, (0,) * axes)


def pooling_geometry(x: Array, dilation: Any, window: Any, stride: Any, padding: Any, ceil_mode: bool) -> Geometry:
    """The windows of pooling, with a ``dilation`` for each axis of positions.

    In ceil mode there are also those that start within the input or its low padding and hang over the end.

    Raises:
        ValueError: an argument is malformed, or a window could lie in the padding alone.
    """
    axes = len(dilation)
    require_rank(x, "x", axes + 2)
    window = require_numbers(window, "window", 1, axes)
    stride = window if stride is None else require_numbers(stride, "stride", 1, axes)
    require(isinstance(ceil_mode, bool), "ceil_mode", "True or False", ceil_mode)
    size = positions(x)
    plain = geometry(size, window, stride, padding, dilation, argument="window")
    reaches = _each_axis(extent, window, plain.dilation)
    inside = all(side < reach for sides, reach in zip(plain.padding, reaches, strict=True) for side in sides)
    require(inside, "padding", f"less than the window {reaches} on every side", plain.padding)
    if not ceil_mode:
        return plain

    def axis(length: int, reach: int, step: int, sides: Pair) -> Pair:
        padded = length + sum(sides)
        count = -(-(padded - reach) // step) + 1
        if (count - 1) * step >= length + sides[0]:
            count -= 1
        return count, max((count - 1) * step + reach - padded, 0)

    counts, overhang = zip(*_each_axis(axis, size, reaches, stride, plain.padding), strict=True)
    return plain._replace(outputs=counts, overhang=overhang)


def taps_inside(size: Numbers, place: Geometry) -> int:
    """How many taps of all windows over one channel of ``size`` lie on it, and not on padding."""

    def along(axis: int) -> int:
        step, before = place.stride[axis], place.padding[axis][0]
        starts = range(-before, place.outputs[axis] * step - before, step)
        reach = range(0, place.kernel[axis] * place.dilation[axis], place.dilation[axis])
        return sum(0 <= start + tap < size[axis] for start in starts for tap in reach)

    return math.prod(along(axis) for axis in range(len(size)))


def pad(x: Array, padding: Pairs, value: float = 0.0) -> Array:
    """``x`` with so many positions of ``value`` around its last axes."""
    if not any(side for sides in padding for side in sides):
        return x
    return np.pad(x, ((0, 0),) * (x.ndim - len(padding)) + tuple(padding), constant_values=value)


def windows(x: Array, kernel: Numbers, stride: Numbers, dilation: Numbers) -> Array:
    """A view of the windows of ``x`` (N, C, positions): (N, C, windows of each axis, taps of each axis)."""
    axes = tuple(range(2, x.ndim))
    view = sliding_window_view(x, _each_axis(extent, kernel, dilation), axis=axes)
    steps = (slice(None, None, step) for step in (*stride, *dilation))
    return view[(slice(None), slice(None), *steps)]


def taps(x: Array, kernel: Numbers, stride: Numbers, dilation: Numbers) -> Array:
    """The windows of ``x`` with the tap, in row-major order, as first axis: (taps, N, C, windows of each axis)."""
    view = windows(x, kernel, stride, dilation)
    return np.stack([view[(..., *tap)] for tap in np.ndindex(*kernel)])


def _matrix(x: Array, kernel: Numbers, stride: Numbers, dilation: Numbers, groups: int) -> Array:
    """The windows as the columns of a matrix per group: (groups, channels per group · taps, N · windows)."""
    view = windows(x, kernel, stride, dilation)
    axes = len(kernel)
    batch, channels, *outputs = view.shape[: axes + 2]
    depth = channels // groups * math.prod(kernel)
    order = (1, *range(axes + 2, 2 * axes + 2), 0, *range(2, axes + 2))
    return np.reshape(np.transpose(view, order), (groups, depth, batch * math.prod(outputs)))


def correlate(x: Array, weight: Array, stride: Numbers, dilation: Numbers, groups: int, bias: Array | None = None) -> Array:
    """Cross-correlation of a padded ``x`` (N, C, positions) with ``weight`` (O, C/groups, taps), plus ``bias`` (O,).

    Examples are taken a few at a time, so that the matrix of windows stays in the processor's cache.
    """
    batch, filters, depth = x.shape[0], weight.shape[0], math.prod(weight.shape[1:])
    kernel = positions(weight)
    window = _each_axis(extent, kernel, dilation)
    outputs = _each_axis(lambda length, reach, step: (length - reach) // step + 1, positions(x), window, stride)
    flat = np.reshape(weight, (groups, filters // groups, depth))
    y = np.zeros_like(x, shape=(batch, filters, *outputs))
    some = max(1, CACHED // (groups * depth * math.prod(outputs)))
    for start in range(0, batch, some):
        product = np.matmul(flat, _matrix(x[start : start + some], kernel, stride, dilation, groups))
        if bias is not None:
            product = product + np.reshape(bias, (groups, filters // groups, 1))
        y[start : start + some] = np.moveaxis(np.reshape(product, (filters, -1, *outputs)), 1, 0)
    return y


def weight_gradient(dy: Array, x: Array, kernel: Numbers, stride: Numbers, dilation: Numbers, groups: int) -> Array:
    """The gradient of ``correlate`` to its weight: one product of ``dy`` (N, O, windows) with the windows of ``x``."""
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


def _phases_of_all(
    size: Numbers, dy: Array, kernel: Numbers, stride: Numbers, dilation: Numbers
) -> Iterator[tuple[tuple[Phase, ...], tuple[slice, ...]]]:
    """For each choice of a phase of every axis these phases, and where in an input of ``size`` their positions are."""
    for found in itertools.product(*_each_axis(phases, size, positions(dy), kernel, stride, dilation)):
        places = (slice(phase.start, None, step) for phase, step in zip(found, stride, strict=True))
        yield found, (slice(None), slice(None), *places)


def correlate_adjoint(
    dy: Array, weight: Array, stride: Numbers, dilation: Numbers, groups: int, size: Numbers, bias: Array | None = None
) -> Array:
    """The adjoint of ``correlate`` in its input of ``size``, plus ``bias`` (C,): each result is one sum over filters and the taps
    that reach it.
    """
    filters, channels, kernel = weight.shape[0], weight.shape[1], positions(weight)
    shape = (groups, filters // groups, channels, *kernel)
    swapped = np.reshape(np.swapaxes(np.reshape(weight, shape), 1, 2), (groups * channels, filters // groups, *kernel))
    dx = np.zeros_like(dy, shape=(dy.shape[0], groups * channels, *size))
    if bias is not None:
        dx[:] = beside_channels(bias, dx)  # where no tap reaches
    for found, places in _phases_of_all(size, dy, kernel, stride, dilation):
        used = swapped[(slice(None), slice(None), *(phase.taps for phase in found))]
        flipped = np.flip(used, tuple(range(2, used.ndim)))
        padded = pad(dy, tuple(phase.padding for phase in found))
        dx[places] = correlate(padded, flipped, (1,) * len(size), tuple(phase.dilation for phase in found), groups, bias)
    return dx


def sum_adjoint(dy: Array, kernel: Numbers, stride: Numbers, dilation: Numbers, size: Numbers) -> Array:
    """The adjoint of summing each window, in an input of ``size``: each result is one sum over the windows that hold it."""
    dx = np.zeros_like(dy, shape=(dy.shape[0], dy.shape[1], *size))
    for found, places in _phases_of_all(size, dy, kernel, stride, dilation):
        used = tuple(len(range(length)[phase.taps]) for phase, length in zip(found, kernel, strict=True))
        padded = pad(dy, tuple(phase.padding for phase in found))
        dx[places] = np.sum(taps(padded, used, (1,) * len(size), tuple(phase.dilation for phase in found)), axis=0)
    return dx


def crop(x: Array, padding: Pairs, size: Numbers) -> Array:
    """``size`` positions of ``x`` behind its low padding: what ``pad`` had added is taken away again."""
    kept = (slice(before, before + length) for (before, _), length in zip(padding, size, strict=True))
    return x[(slice(None), slice(None), *kept)]


def require_convolution(x: Array, weight: Array, bias: Array | None, groups: int, filters: int, channels: int) -> None:
    """Raise ``ValueError`` unless x, weight and bias fit: ``channels`` come in and ``filters`` go out, in ``groups``."""
    whole = isinstance(groups, int) and not isinstance(groups, bool) and groups > 0
    require(whole and weight.shape[0] % groups == 0 and x.shape[1] % groups == 0, "groups", "a divisor of the channels", groups)
    require(x.shape[1] == channels, "weight", f"weights for {x.shape[1]} channels", f"shape {weight.shape}")
    require(min(weight.shape) > 0, "weight", "no empty axis", f"shape {weight.shape}")
    if bias is not None:
        require_shape(bias, "bias", (filters,))
