"""Pooling over any number of axes of positions: what ``max_pool2d``, ``average_pool2d`` and their kin of other ranks share."""

import math
from collections.abc import Mapping

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._windows import Geometry, Numbers, Padding, Pairs
from tensorproof_reference.operations._workloads import IMAGES, ordinary, shaped
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def max_pooling(
    dilation: Numbers,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
) -> Array:
    """The maximum of each window as ``max_pool2d`` says, with taps so far apart on each axis of positions."""
    place = _windows.pooling_geometry(x, dilation, window, stride, padding, ceil_mode)
    return np.max(taps_between(x, place, -np.inf), axis=0)


def max_pooling_vjp(
    dilation: Numbers,
    dy: Array,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
) -> Gradients:
    """The vector-Jacobian product of ``max_pooling``: each window's cotangent goes to its first maximum."""
    place = _windows.pooling_geometry(x, dilation, window, stride, padding, ceil_mode)
    taps = taps_between(x, place, -np.inf)
    first = _first(((taps == np.max(taps, axis=0)) | np.isnan(taps)) & _inside(x, place))
    size = padded_size(x, place)
    taken = _places(place.kernel, place.dilation, size).ravel()[first]
    channels = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[0], x.shape[1], *(1,) * len(dilation)) * math.prod(size)
    dx = np.zeros_like(x, shape=(x.shape[0] * x.shape[1] * math.prod(size),))
    np.add.at(dx, (channels + _places(place.outputs, place.stride, size) + taken).ravel(), np.reshape(dy, (-1,)))
    whole = np.reshape(dx, (x.shape[0], x.shape[1], *size))
    return {"x": _windows.crop(whole, place.padding, _windows.positions(x))}


def _places(counts: Numbers, steps: Numbers, size: Numbers) -> Array:
    """Where so many positions along each axis, so many steps apart, are in a flat input of ``size``: integers, (counts)."""
    axes = len(size)
    found = np.zeros((1,) * axes, dtype=np.int64)
    for axis in range(axes):
        along = np.arange(counts[axis]) * (steps[axis] * math.prod(size[axis + 1 :]))
        found = found + along.reshape(-1, *(1,) * (axes - axis - 1))
    return found


def _sides(place: Geometry) -> Pairs:
    """Positions to put before and after the input, what the windows hang over included."""
    return tuple((before, after + over) for (before, after), over in zip(place.padding, place.overhang, strict=True))


def padded_size(x: Array, place: Geometry) -> Numbers:
    """The size of the input with padding and overhang."""
    return tuple(length + sum(sides) for length, sides in zip(_windows.positions(x), _sides(place), strict=True))


def taps_between(x: Array, place: Geometry, value: float) -> Array:
    """The windows of the input with padding and overhang of ``value``: (taps, N, C, windows of each axis)."""
    return _windows.taps(_windows.pad(x, _sides(place), value), place.kernel, place.stride, place.dilation)


def _inside(x: Array, place: Geometry) -> Array:
    """Which taps lie on the input: booleans, (taps, 1, 1, windows of each axis)."""
    ones = np.ones((1, 1, *_windows.positions(x)), dtype=bool)
    padded = np.pad(ones, ((0, 0), (0, 0), *_sides(place)))
    return _windows.taps(padded, place.kernel, place.stride, place.dilation)


def _first(hits: Array) -> Array:
    """The first true tap of each window."""
    count = hits.shape[0]
    countdown = np.arange(count, 0, -1, dtype=np.int32).reshape(count, *(1,) * (hits.ndim - 1))
    return count - np.max(hits * countdown, axis=0)


def max_pooling_work(
    dilation: Numbers,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
) -> Work:
    """Comparisons: one less for each window than it has positions of the input; back, a sum for each window."""
    place = _windows.pooling_geometry(shaped(x), dilation, window, stride, padding, ceil_mode)
    planes, windows = x.shape[0] * x.shape[1], math.prod(place.outputs)
    return Work(flops=planes * (_windows.taps_inside(_windows.positions(x), place) - windows), backward_flops=planes * windows)


def average_pooling(
    dilation: Numbers,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Array:
    """The mean of each window as ``average_pool2d`` says, with taps so far apart on each axis of positions."""
    place = _average_place(dilation, x, window, stride, padding, ceil_mode, count_padding)
    return np.sum(taps_between(x, place, 0.0), axis=0) / _counts(x, place, count_padding)


def average_pooling_vjp(
    dilation: Numbers,
    dy: Array,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Gradients:
    """The vector-Jacobian product of ``average_pooling``."""
    place = _average_place(dilation, x, window, stride, padding, ceil_mode, count_padding)
    share = dy / _counts(x, place, count_padding)
    dx = _windows.sum_adjoint(share, place.kernel, place.stride, place.dilation, padded_size(x, place))
    return {"x": _windows.crop(dx, place.padding, _windows.positions(x))}


def _average_place(
    dilation: Numbers,
    x: Array,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Geometry:
    """The geometry, once all arguments are known to fit."""
    require(isinstance(count_padding, bool), "count_padding", "True or False", count_padding)
    return _windows.pooling_geometry(x, dilation, window, stride, padding, ceil_mode)


def _counts(x: Array, place: Geometry, count_padding: bool) -> Array:
    """What each window's sum is divided by: (windows of each axis)."""
    axes = len(place.kernel)
    found = np.ones((1,) * axes, dtype=np.int64)
    for axis, (low, high) in enumerate(place.padding):
        size = x.shape[axis + 2]
        starts = np.arange(place.outputs[axis]) * place.stride[axis]
        taps = starts[:, None] + np.arange(place.kernel[axis]) * place.dilation[axis]
        begin, end = (0, low + size + high) if count_padding else (low, low + size)
        along = np.count_nonzero((taps >= begin) & (taps < end), axis=1)
        found = found * along.reshape(-1, *(1,) * (axes - axis - 1))
    counts = np.zeros_like(x, shape=place.outputs)
    counts[...] = found
    return counts


def average_pooling_work(
    dilation: Numbers,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Work:
    """Sums, one less for each window than it has positions of the input, and a quotient.

    Back, a quotient for each window, and sums where windows overlap.
    """
    place = _average_place(dilation, shaped(x), window, stride, padding, ceil_mode, count_padding)
    planes, windows, pixels = x.shape[0] * x.shape[1], math.prod(place.outputs), math.prod(_windows.positions(x))
    taps = _windows.taps_inside(_windows.positions(x), place)
    return Work(flops=planes * taps, backward_flops=planes * (windows + max(taps - pixels, 0)))


SIZES: Mapping[int, Mapping[str, tuple[int, ...]]] = {
    1: {"S": (2, 8, 144), "M": (8, 32, 1024), "L": (32, 64, 1024)},
    2: IMAGES,
    3: {"S": (2, 4, 6, 6, 8), "M": (4, 16, 16, 16, 16), "L": (16, 32, 16, 16, 16)},
}
"""What is timed, by the number of axes."""


def pooling_workload(axes: int, stream: Stream, size: str) -> Sample:
    """Ordinary numbers over so many axes of positions, pooled two along each axis."""
    return Sample(name=size, inputs={"x": ordinary(stream("x"), SIZES[axes][size])})
