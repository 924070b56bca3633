"""How much of each pixel along one axis there is in each pixel of a resized one: the matrices that ``resize`` is made of.

A pixel of the result lies at a place among the pixels of the image. Places are ratios of integers, so which pixels are near, and
on which piece of a kernel they lie, is known exactly. How far away they are is computed in the array's own precision.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.trees import Array

REACH = {"bilinear": 1, "bicubic": 2}
"""How far kernels reach, in pixels."""
BEYOND = 3
"""How many pixels beyond either edge are looked at: more than any kernel reaches that is not widened."""


class Axis(NamedTuple):
    """One axis: its length before and after, and how pixels of the result lie among those of the image."""

    size: int
    length: int
    coordinates: str


class Weights(NamedTuple):
    """A matrix (pixels of the result, pixels of the image), and which of its entries are looked at."""

    matrix: Array
    taps: Any


def scale_of(axis: Axis) -> Fraction:
    """How many pixels of the image there are to one of the result."""
    if axis.coordinates == "align_corners":
        return Fraction(axis.size - 1, axis.length - 1) if axis.length > 1 else Fraction(0)
    return Fraction(axis.size, axis.length)


def _ends(axis: Axis) -> tuple[Fraction, Fraction]:
    """The places of the first and the last pixel of the result among those of the image."""
    scale = scale_of(axis)
    first = scale / 2 - Fraction(1, 2) if axis.coordinates == "half_pixel" else Fraction(0)
    return first, first + (axis.length - 1) * scale


def _exact_places(axis: Axis) -> tuple[Any, int]:
    """The places of all pixels of the result as integers, and what these are divided by."""
    first, _ = _ends(axis)
    scale = scale_of(axis)
    below = 2 * scale.denominator * first.denominator
    return int(first * below) + np.arange(axis.length) * int(scale * below), below


def nearest(axis: Axis, rounding: str) -> Any:
    """The pixel of the image that each pixel of the result is."""
    places, below = _exact_places(axis)
    found = {
        "floor": places // below,
        "ceil": -(-places // below),
        "round_prefer_ceil": (2 * places + below) // (2 * below),
        "round_prefer_floor": -((below - 2 * places) // (2 * below)),
    }[rounding]
    return np.clip(found, 0, axis.size - 1)


def _places(x: Array, axis: Axis) -> Array:
    """The places of all pixels of the result, in the precision of ``x``."""
    first, last = (float(end) for end in _ends(axis))
    return np.linspace(np.full_like(x, first, shape=()), last, axis.length, dtype=x.dtype)


def _triangle(distance: Array, near: Any, coefficient: float) -> Array:
    r"""The kernel of linear interpolation: :math:`1 - d` for :math:`d < 1`."""
    return np.where(near <= 1, 1.0 - distance, 0.0)


def _cubic(distance: Array, near: Any, coefficient: float) -> Array:
    r"""The kernel of cubic convolution: :math:`(a + 2) d^3 - (a + 3) d^2 + 1` for :math:`d \le 1`, and
    :math:`a d^3 - 5a d^2 + 8a d - 4a` for :math:`1 < d < 2`."""
    a, d = coefficient, distance
    inner = ((a + 2) * d - (a + 3)) * d * d + 1.0
    outer = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(near <= 1, inner, np.where(near <= 2, outer, 0.0))


KERNELS = {"bilinear": _triangle, "bicubic": _cubic}


def interpolating(x: Array, axis: Axis, kind: str, coefficient: float, antialias: bool, exclude_outside: bool) -> Weights:
    """The weights of a kernel around each place: of the pixels around it, or of all that a widened kernel reaches.

    At the end of its reach a kernel is 0, and as inexact as the place. No pixel there is looked at.
    """
    wide = max(scale_of(axis), Fraction(1)) if antialias else Fraction(1)
    cut = antialias or exclude_outside
    beyond = 0 if cut else BEYOND
    pixels = np.arange(-beyond, axis.size + beyond)
    places, below = _exact_places(axis)
    near = np.abs(places[:, None] - pixels * below) / (below * float(wide))
    distance = np.abs(_places(x, axis)[:, None] - pixels.astype(x.dtype)) / float(wide)
    matrix = KERNELS[kind](distance, near, coefficient)
    taps = near < REACH[kind]
    if cut:
        return Weights(matrix / np.sum(matrix, axis=1, keepdims=True), taps)
    return Weights(_at_edges(matrix, axis.size), np.stack([np.any(part, axis=1) for part in _parts(taps, axis.size)], axis=1))


def _parts(matrix: Any, size: int) -> list[Any]:
    """The columns that each pixel of the image stands for: pixels at an edge also for those beyond."""
    starts = [0, *range(BEYOND + 1, BEYOND + size)]
    ends = [*starts[1:], matrix.shape[1]]
    return [matrix[:, start:end] for start, end in zip(starts, ends, strict=True)]


def _at_edges(matrix: Array, size: int) -> Array:
    """The weights of pixels beyond an edge added to that of the pixel at the edge."""
    if size == 1:
        return np.sum(matrix, axis=1, keepdims=True)
    low = np.sum(matrix[:, : BEYOND + 1], axis=1, keepdims=True)
    high = np.sum(matrix[:, BEYOND + size - 1 :], axis=1, keepdims=True)
    return np.concatenate([low, matrix[:, BEYOND + 1 : BEYOND + size - 1], high], axis=1)


def averaging(x: Array, axis: Axis) -> Weights:
    """The mean of each of so many windows of whole pixels that cover the axis evenly."""
    starts = np.arange(axis.length) * axis.size // axis.length
    ends = -(-(np.arange(axis.length) + 1) * axis.size // axis.length)
    pixels = np.arange(axis.size)
    taps = (pixels >= starts[:, None]) & (pixels < ends[:, None])
    counts = np.zeros_like(x, shape=(axis.length, 1))
    counts[:, 0] = ends - starts
    return Weights(np.where(taps, 1.0 / counts, 0.0), taps)


def overlapping(x: Array, axis: Axis) -> Weights:
    """The share of each pixel in the interval that each pixel of the result covers."""
    size, length = axis.size, axis.length
    starts, pixels = np.arange(length)[:, None] * size, np.arange(size) * length
    taps = (starts < pixels + length) & (pixels < starts + size)
    scale = size / length
    left = np.linspace(np.full_like(x, 0.0, shape=()), (length - 1) * scale, length, dtype=x.dtype)[:, None]
    begin = np.where(starts > pixels, left, np.arange(size).astype(x.dtype))
    end = np.where(starts + size < pixels + length, left + scale, np.arange(1, size + 1).astype(x.dtype))
    return Weights(np.where(taps, (end - begin) / scale, 0.0), taps)
