"""Pooling to a size that is asked for, and over all positions: adaptive and global maximum and average, of any number of axes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_numbers
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._pooling import SIZES
from tensorproof_reference.operations._window_samples import (
    WIDE,
    distinct_in_each_channel,
    magnitudes,
    special,
    with_nan_in_each_lane,
)
from tensorproof_reference.operations._windows import Numbers
from tensorproof_reference.operations._workloads import count, ordinary
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

AXES = {"x": "n c ...", "y": "n c ..."}


def adaptive_average_pool(x: Array, *, output: Numbers) -> Array:
    r"""The mean of each of so many windows that cover each axis of positions evenly.

    Of an axis of length L, window i of m begins at floor(i·L/m) and ends before ceil((i + 1)·L/m). Windows differ in size by one
    at most, overlap where m does not divide L, and repeat positions where m exceeds L.

    Shapes: ``x`` (N, C, …) with one to three axes of positions; ``output`` the number of windows along each; the result
    (N, C, output). N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others.
    Raises: ``ValueError`` if ``output`` has not one positive number for each axis, or an axis of positions is empty.
    Source: He, Zhang, Ren & Sun (2014), section 2.2 (spatial pyramid pooling).
    """
    taps, inside = _taps(x, output)
    return np.sum(np.where(inside, taps, 0.0), axis=-1) / _counts(x, inside)


def adaptive_max_pool(x: Array, *, output: Numbers) -> Array:
    r"""The maximum of each of so many windows that cover each axis of positions evenly, as in ``adaptive_average_pool``.

    The gradient goes to the first maximum of the window in row-major order.

    Shapes: ``x`` (N, C, …) with one to three axes of positions; ``output`` the number of windows along each; the result
    (N, C, output). N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. A window of -∞ gives -∞.
    Raises: ``ValueError`` if ``output`` has not one positive number for each axis, or an axis of positions is empty.
    Source: He, Zhang, Ren & Sun (2014), section 2.2 (spatial pyramid pooling).
    """
    taps, inside = _taps(x, output)
    return np.max(np.where(inside, taps, -np.inf), axis=-1)


def global_average_pool(x: Array) -> Array:
    r"""The mean over all positions of each channel: :math:`y_{nc} = \frac{1}{m} \sum_p x_{ncp}`.

    Shapes: ``x`` (N, C, …) with one to three axes of positions; the result (N, C, 1, …), with the axes of positions kept. N may
    be 0.
    Special values: NaN makes its channel NaN, as +∞ beside -∞ does.
    Raises: ``ValueError`` if there are not one to three axes of positions, or one is empty.
    Source: Lin, Chen & Yan (2014), section 3.2.
    """
    return adaptive_average_pool(x, output=(1,) * (x.ndim - 2))


def global_max_pool(x: Array) -> Array:
    r"""The maximum over all positions of each channel: :math:`y_{nc} = \max_p x_{ncp}`.

    The gradient goes to the first maximum in row-major order.

    Shapes: ``x`` (N, C, …) with one to three axes of positions; the result (N, C, 1, …), with the axes of positions kept. N may
    be 0.
    Special values: NaN is the maximum of its channel, and the first NaN takes the gradient.
    Raises: ``ValueError`` if there are not one to three axes of positions, or one is empty.
    Source: Oquab, Bottou, Laptev & Sivic (2015), section 3.1.
    """
    return adaptive_max_pool(x, output=(1,) * (x.ndim - 2))


def _along(length: int, number: int) -> tuple[Any, Any]:
    """Of one axis the positions of each window, as long as the longest, and which of them the window holds: (windows, taps)."""
    starts = np.arange(number) * length // number
    ends = -(-(np.arange(number) + 1) * length // number)
    reach = np.arange(np.max(ends - starts))
    places = starts[:, None] + reach
    return np.minimum(places, length - 1), places < ends[:, None]


def _places(x: Array, output: Numbers) -> tuple[Any, Any]:
    """The flat positions that each window holds, and which of them count: (windows of each axis, taps)."""
    size = _windows.positions(x)
    require(0 < len(size) < 4, "x", "one to three axes of positions", f"shape {x.shape}")
    require(0 not in size, "x", "no empty axis of positions", f"shape {x.shape}")
    axes = len(size)
    output = require_numbers(output, "output", 1, axes)
    places, inside = np.zeros((1,) * 2 * axes, np.int64), np.ones((1,) * 2 * axes, bool)
    for axis, (length, number) in enumerate(zip(size, output, strict=True)):
        along, held = _along(length, number)
        shape = [1] * 2 * axes
        shape[axis], shape[axes + axis] = along.shape
        places = places * length + along.reshape(shape)
        inside = inside & held.reshape(shape)
    return places.reshape(*output, -1), np.broadcast_to(inside, places.shape).reshape(*output, -1)


def _flat(x: Array) -> Array:
    """All positions along one axis: (N, C, positions)."""
    return np.reshape(x, (*x.shape[:2], math.prod(_windows.positions(x))))


def _taps(x: Array, output: Numbers) -> tuple[Array, Any]:
    """What each window holds, and which of it counts: (N, C, windows of each axis, taps), and the same without N and C."""
    places, inside = _places(x, output)
    return np.take(_flat(x), places, axis=2), inside


def _counts(x: Array, inside: Any) -> Array:
    """How many positions each window holds, in the dtype of ``x``."""
    counts = np.zeros_like(x, shape=inside.shape[:-1])
    counts[...] = np.sum(inside, axis=-1)
    return counts


def _average_vjp(dy: Array, x: Array, *, output: Numbers) -> Gradients:
    r""":math:`dx` at a position is the sum of :math:`dy/m` over the windows that hold it."""
    places, inside = _places(x, output)
    share = _flat(dy / _counts(x, inside))
    number = math.prod(output)
    window = np.broadcast_to(np.arange(number).reshape(*output, 1), places.shape)[inside]
    position = places[inside]
    # The windows of each position side by side, as many as the position that most windows hold has.
    order = np.argsort(position, kind="stable")
    holders = np.bincount(position, minlength=math.prod(_windows.positions(x)))
    rank = np.arange(order.size) - np.repeat(np.cumsum(holders) - holders, holders)
    table, held = np.zeros((holders.size, int(holders.max())), np.int64), np.zeros((holders.size, int(holders.max())), bool)
    table[position[order], rank], held[position[order], rank] = window[order], True
    dx = np.sum(np.where(held, np.take(share, table, axis=2), 0.0), axis=-1)
    return {"x": np.reshape(dx, x.shape)}


def _maximum_vjp(dy: Array, x: Array, *, output: Numbers) -> Gradients:
    r""":math:`dx` at a position is the sum of :math:`dy` over the windows whose first maximum it is."""
    places, inside = _places(x, output)
    taps = np.where(inside, np.take(_flat(x), places, axis=2), -np.inf)
    hits = ((taps == np.max(taps, axis=-1, keepdims=True)) | np.isnan(taps)) & inside
    first = np.argmax(hits, axis=-1)
    taken = np.take_along_axis(np.broadcast_to(places, hits.shape), first[..., None], axis=-1)[..., 0]
    size = math.prod(_windows.positions(x))
    channels = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * len(output)) * size
    dx = np.zeros_like(x, shape=(x.shape[0] * x.shape[1] * size,))
    np.add.at(dx, (channels + taken).ravel(), np.reshape(dy, (-1,)))
    return {"x": np.reshape(dx, x.shape)}


def _global(vjp: Callable[..., Gradients]) -> Callable[..., Gradients]:
    """The vector-Jacobian product over all positions."""

    def whole(dy: Array, x: Array) -> Gradients:
        return vjp(dy, x, output=(1,) * (x.ndim - 2))

    return whole


Draw = Callable[..., dict[str, Array]]


def _normal(stream: Stream) -> Draw:
    def draw(name: str, shape: tuple[int, ...] = (2, 3, 7, 6), scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, deviation=scale)}

    return draw


def _distinct(stream: Stream) -> Draw:
    def draw(name: str, shape: tuple[int, ...] = (2, 3, 7, 6), scale: float = 0.25) -> dict[str, Array]:
        return {"x": distinct_in_each_channel(stream(name), shape, scale)}

    return draw


def _common(draw: Draw, sized: bool) -> Iterator[Sample]:
    """Sizes, ranks, units, special values; ``sized`` if the number of windows is asked for."""

    def sample(name: str, *shape: int, output: Numbers) -> Sample:
        return Sample(name=name, inputs=draw(name, shape), keywords={"output": output} if sized else {})

    three = {"output": (3, 4)} if sized else {}
    yield sample("plain", 2, 3, 7, 6, output=(3, 4))
    yield sample("size_large", 4, 8, 16, 15, output=(5, 4))
    yield sample("size_many_channels", 2, 32, 9, 8, output=(3, 3))
    yield sample("rank_three", 2, 3, 17, output=(5,))
    yield sample("rank_five", 2, 3, 5, 7, 4, output=(2, 3, 3))
    yield Sample(name="strided_transposed", inputs=draw("strided_transposed"), keywords=three, memory="transposed")
    yield Sample(name="strided_sliced", inputs=draw("strided_sliced"), keywords=three, memory="sliced")
    yield sample("unit_batch", 1, 3, 7, 6, output=(2, 5))
    yield sample("unit_channels", 2, 1, 7, 6, output=(4, 3))
    yield sample("unit_height", 2, 3, 1, 6, output=(1, 4))
    yield sample("unit_everything", 1, 1, 1, 1, output=(1, 1))
    yield sample("empty_batch", 0, 3, 7, 6, output=(3, 4))
    yield special(draw, "nan_inside", {(0, 1, 3, 2): np.nan, (1, 2, 6, 5): np.nan}, **three)
    lanes = {"x": with_nan_in_each_lane(draw("nan_each_lane", (2, 9, 8, 9))["x"], 2)}
    yield Sample(name="nan_each_lane", inputs=lanes, keywords=three)
    yield special(draw, "infinity_positive", {(0, 1, 3, 2): np.inf, (1, 0, 0, 1): np.inf}, **three)
    yield special(draw, "infinity_negative", {(0, 1, 3, 2): -np.inf}, **three)


def _adaptive(draw: Draw) -> Iterator[Sample]:
    """Windows that divide the axes, overlap, and are more than there are positions."""
    for name, output in (
        ("geometry_one_window", (1, 1)),
        ("geometry_divisors", (7, 3)),
        ("geometry_same_size", (7, 6)),
        ("geometry_more_windows_than_positions", (10, 13)),
        ("geometry_per_axis", (2, 5)),
    ):
        yield Sample(name=name, inputs=draw(name), keywords={"output": output})


def _samples_of_averages(stream: Stream, sized: bool) -> Iterator[Sample]:
    draw = _normal(stream)
    keywords = {"output": (3, 4)} if sized else {}
    yield from _common(draw, sized)
    if sized:
        yield from _adaptive(draw)
    else:
        yield from long_samples(lambda name, length: {"x": stream(name).normal((1, 2, length))}, "positions")
    yield special(draw, "infinity_both_signs", {(0, 1, 2, 2): np.inf, (0, 1, 2, 1): -np.inf}, **keywords)
    yield from magnitudes(draw, "256", "1e4", "1e_minus_4", **keywords)


def _samples_of_maxima(stream: Stream, sized: bool) -> Iterator[Sample]:
    draw = _distinct(stream)
    keywords = {"output": (3, 4)} if sized else {}
    yield from _common(draw, sized)
    if sized:
        yield from _adaptive(draw)
    two = special(draw, "nan_two_in_a_window", {(0, 0, 0, 1): np.nan, (0, 0, 1, 0): np.nan}, **keywords)
    yield replace(two, required=False)
    yield Sample(name="infinity_all_negative", inputs={"x": np.full((2, 3, 7, 6), -np.inf)}, keywords=keywords, gradient=False)
    yield Sample(name="ties_constant", inputs={"x": np.full((2, 3, 7, 6), 0.5)}, keywords=keywords, required=False)
    yield Sample(
        name="ties_many", inputs={"x": stream("ties_many").grid((2, 3, 7, 6), bound=1)}, keywords=keywords, required=False
    )
    yield Sample(name="magnitude_2_to_12", inputs=draw("magnitude_2_to_12", scale=2.0**10), keywords=keywords)
    yield Sample(name="magnitude_2_to_127", inputs=draw("magnitude_2_to_127", scale=2.0**122), keywords=keywords, dtypes=WIDE)


def _held(x: Array, output: Numbers) -> tuple[int, int]:
    """How many positions all windows hold, and how many windows there are."""
    planes = x.shape[0] * x.shape[1]
    return planes * int(np.sum(_places(x, output)[1])), planes * math.prod(output)


def _average_work(x: Array, *, output: Numbers) -> Work:
    """Sums, one less for each window than it has positions, and a quotient; back, a quotient for each window, and their sums."""
    held, windows = _held(x, output)
    return Work(flops=held, backward_flops=windows + max(held - count(x), 0))


def _maximum_work(x: Array, *, output: Numbers) -> Work:
    """Comparisons: one less for each window than it has positions; back, a sum for each window."""
    held, windows = _held(x, output)
    return Work(flops=held - windows, backward_flops=windows)


def _pooling(
    function: Callable[..., Array],
    vjp: Callable[..., Gradients],
    samples: Callable[[Stream, bool], Iterator[Sample]],
    work: Callable[..., Work],
    sized: bool,
) -> Operation:
    """The operation to a size that is asked for, or over all positions."""

    def drawn(stream: Stream) -> Iterator[Sample]:
        yield from samples(stream, sized)

    def workload(stream: Stream, size: str) -> Sample:
        inputs = {"x": ordinary(stream("x"), SIZES[2][size])}
        return Sample(name=size, inputs=inputs, keywords={"output": (7, 7)} if sized else {})

    def work_of_all(x: Array) -> Work:
        return work(x, output=(1,) * (len(x.shape) - 2))

    return Operation(
        function=function,
        vjp=vjp if sized else _global(vjp),
        samples=drawn,
        family="pooling",
        profile=EXTENDED,
        axes=AXES,
        workload=workload,
        work=work if sized else work_of_all,
    )


OPERATIONS = (
    _pooling(adaptive_average_pool, _average_vjp, _samples_of_averages, _average_work, True),
    _pooling(adaptive_max_pool, _maximum_vjp, _samples_of_maxima, _maximum_work, True),
    _pooling(global_average_pool, _average_vjp, _samples_of_averages, _average_work, False),
    _pooling(global_max_pool, _maximum_vjp, _samples_of_maxima, _maximum_work, False),
)
