"""Samples of pooling over any number of axes of positions: those that all pooling has, and those of maximum and average."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._window_samples import (
    FLAT,
    WIDE,
    distinct_in_each_channel,
    magnitudes,
    of_axes,
    special,
    with_nan_in_each_lane,
)
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Draw = Callable[..., dict[str, Array]]
"""The inputs of the sample of that name; of a shape, where one is given."""


def _made(draw: Draw, name: str, shape: tuple[int, ...] | None = None, **keywords: Any) -> Sample:
    return Sample(name=name, inputs=draw(name) if shape is None else draw(name, shape), keywords=keywords)


def shape(axes: int) -> tuple[int, ...]:
    """The shape of ordinary inputs."""
    return 2, 3, *of_axes(axes)(7, 6, 5)


def distinct_inputs(axes: int, stream: Stream) -> Draw:
    """What draws numbers that differ within each channel, by exact steps."""

    def draw(name: str, shape: tuple[int, ...] = shape(axes), step: float = 0.25) -> dict[str, Array]:
        return {"x": distinct_in_each_channel(stream(name), shape, step)}

    return draw


def normal_inputs(axes: int, stream: Stream) -> Draw:
    """What draws normal numbers."""

    def draw(name: str, shape: tuple[int, ...] = shape(axes), scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, deviation=scale)}

    return draw


def overlapping(axes: int) -> dict[str, Any]:
    """Windows of three that move by one."""
    return {"window": (3,) * axes, "stride": (1,) * axes}


def size_samples(axes: int, draw: Draw) -> Iterator[Sample]:
    """Sizes, widths and strides in memory."""
    of = of_axes(axes)
    twos, threes, ones = (2,) * axes, (3,) * axes, ((1, 1),) * axes
    yield _made(draw, "plain")
    yield _made(draw, "size_large", (4, 8, *of(16, 15, 6)), window=threes, stride=twos, padding=ones)
    yield _made(draw, "size_many_channels", (2, 32, *of(9, 8, 4)), window=of(3, 2, 2), stride=twos)
    wide, reach, steps = (3, 5, 33)[-axes:], (2, 2, 3)[-axes:], (1, 1, 2)[-axes:]
    yield _made(draw, "width_seventeen", (1, 17, *wide), window=reach, stride=steps)
    yield Sample(name="strided_transposed", inputs=draw("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=draw("strided_sliced"), memory="sliced")


def geometry_samples(axes: int, draw: Draw) -> Iterator[Sample]:
    """Windows and strides, different on each axis."""
    of, one = of_axes(axes), (1,) * axes
    yield _made(draw, "geometry_window_per_axis", window=of(3, 2, 2))
    yield _made(draw, "geometry_stride_per_axis", window=of(2, 3, 2), stride=of(3, 1, 2))
    yield _made(draw, "geometry_overlapping", **overlapping(axes))
    yield _made(draw, "geometry_window_smaller_than_stride", window=of(2, 1, 1), stride=of(3, 2, 4))
    yield _made(draw, "geometry_window_one", window=one)
    yield _made(draw, "geometry_window_one_stride", window=one, stride=of(2, 3, 4))


def per_axis(axes: int) -> dict[str, Any]:
    """Padding that is another on each axis."""
    of = of_axes(axes)
    return {"window": of(4, 3, 2), "stride": of(2, 1, 2), "padding": of((2, 2), (1, 1), (0, 0))}


def asymmetric(axes: int) -> dict[str, Any]:
    """Padding that is another on each side."""
    of = of_axes(axes)
    return {"window": of(4, 3, 3), "stride": of(1, 2, 1), "padding": of((0, 2), (2, 1), (1, 0))}


def padding_samples(axes: int, draw: Draw) -> Iterator[Sample]:
    """Padding by every rule."""
    of, twos = of_axes(axes), (2,) * axes
    yield _made(draw, "padding_same", padding="same")
    yield _made(draw, "padding_same_odd_window_stride", window=of(3, 5, 3), stride=twos, padding="same")
    yield _made(draw, "padding_same_stride_one", window=of(4, 3, 2), stride=(1,) * axes, padding="same")
    small = {"window": of(2, 1, 1), "stride": of(3, 2, 4)}
    yield _made(draw, "padding_same_window_smaller_than_stride", **small, padding="same")
    yield _made(draw, "padding_per_axis", **per_axis(axes))
    yield _made(draw, "padding_asymmetric", **asymmetric(axes))
    one_side = of((2, 0), (0, 0), (0, 0))
    yield _made(draw, "padding_one_side", window=of(3, 2, 2), stride=twos, padding=one_side)


def same_lower_samples(axes: int, draw: Draw, **keywords: Any) -> Iterator[Sample]:
    """Padding by ``"same_lower"``, of which an odd number is on each axis; optional, since few frameworks have it."""
    of, word = of_axes(axes), "convention_count_padding" if keywords else "padding"
    moving = {"window": of(2, 4, 2), "stride": (1,) * axes}
    striding = {"window": of(4, 3, 2), "stride": (2,) * axes}
    for name, windows in ((f"{word}_same_lower", moving), (f"{word}_same_lower_stride", striding)):
        yield replace(_made(draw, name, **windows, padding="same_lower", **keywords), required=False)


def over(axes: int) -> dict[str, dict[str, Any]]:
    """Ceil mode with padding, by words for it."""
    of, twos, threes = of_axes(axes), (2,) * axes, (3,) * axes
    side, dropped = of((1, 0), (0, 2), (0, 1)), of((1, 1), (0, 1), (0, 1))
    return {
        "padding": {"window": threes, "stride": twos, "padding": ((1, 1),) * axes, "ceil_mode": True},
        "padding_asymmetric": {"window": of(4, 3, 3), "stride": of(3, 2, 2), "padding": side, "ceil_mode": True},
        "last_window_dropped": {"window": twos, "stride": threes, "padding": dropped, "ceil_mode": True},
    }


def overhang_samples(axes: int, draw: Draw) -> Iterator[Sample]:
    """Windows that hang over the end."""
    of = of_axes(axes)
    yield _made(draw, "overhang", ceil_mode=True)
    yield _made(draw, "overhang_stride_per_axis", window=of(3, 2, 2), stride=of(2, 3, 2), ceil_mode=True)
    both = (2, 3, *of(8, 6, 6))
    yield _made(draw, "overhang_both_axes", both, window=(3,) * axes, stride=(2,) * axes, ceil_mode=True)
    for words, keywords in over(axes).items():
        yield _made(draw, f"overhang_{words}", **keywords)


def unit_samples(axes: int, draw: Draw) -> Iterator[Sample]:
    """Axes of size one, with every keyword."""
    of, one = of_axes(axes), (1,) * axes
    yield _made(draw, "unit_batch", (1, *shape(axes)[1:]), window=of(3, 2, 2), stride=of(2, 1, 2))
    yield _made(draw, "unit_channels", (2, 1, *of(7, 6, 5)))
    yield _made(draw, FLAT[axes], (2, 3, *of(1, 6, 5)), window=of(1, 2, 2))
    if axes > 1:
        yield _made(draw, "unit_width", (2, 3, *of(7, 1, 5)), window=of(3, 2, 2), stride=of(2, 1, 2), padding="same")
    yield _made(draw, "unit_everything", (1, 1, *one), window=one)
    small = _made(draw, "unit_everything_with", (1, 1, *one), window=one)
    each: tuple[dict[str, Any], ...] = (
        {"stride": of(2, 3, 4)},
        {"window": (2,) * axes, "padding": "same"},
        {"ceil_mode": True},
    )
    yield from with_each(replace(small, name="unit_everything"), each)


def _taps(axes: int, value: float) -> dict[tuple[int, ...], float]:
    """The value once in each place of windows of two along each axis."""
    of = of_axes(axes)
    places = ((0, 0, of(0, 0, 0)), (0, 1, of(2, 3, 2)), (1, 0, of(3, 4, 1)), (1, 2, of(5, 1, 3)))
    return {(image, channel, *place): value for image, channel, place in places}


def _infinities(axes: int, draw: Draw) -> Iterator[Sample]:
    of = of_axes(axes)
    inside, first, second = (0, 1, *of(3, 2, 1)), (1, 0, *of(0, 1, 0)), (1, 0, *of(1, 0, 1))
    yield special(draw, "infinity_positive", {inside: np.inf, first: np.inf, second: np.inf})
    yield special(draw, "infinity_negative", {inside: -np.inf, (1, 0, *of(0, 0, 0)): -np.inf})


def max_pooling_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Windows of every shape over values that differ within each channel, by exact steps; ties, NaN and infinity by hand."""
    of, images = of_axes(axes), shape(axes)
    draw = distinct_inputs(axes, stream)
    moving, moving_same = overlapping(axes), {**overlapping(axes), "padding": "same"}
    yield from size_samples(axes, draw)
    yield from geometry_samples(axes, draw)
    yield _made(draw, "geometry_window_of_input_size", window=images[2:])
    many = {"window": of(17, 16, 2), "stride": of(1, 2, 1)} if axes > 1 else {"window": (270,), "stride": (2,)}
    yield _made(draw, "geometry_window_of_many_taps", (1, 2, *(of(18, 19, 4) if axes > 1 else (300,))), **many)
    yield from padding_samples(axes, draw)
    below = {"x": draw("padding_of_negative_values")["x"] - 64.0}
    yield Sample(name="padding_of_negative_values", inputs=below, keywords=moving_same)
    yield from overhang_samples(axes, draw)
    yield from unit_samples(axes, draw)
    yield _made(draw, "empty_batch", (0, *images[1:]))

    nan, last = np.nan, of(6, 5, 4)
    yield special(draw, "nan_each_tap", _taps(axes, nan))
    two = special(draw, "nan_two_in_a_window", {(0, 0, *of(0, 1, 0)): nan, (0, 0, *of(1, 0, 0)): nan})
    yield replace(two, required=False)
    everywhere = {(0, 1, *of(3, 2, 1)): nan, (1, 2, *of(0, 0, 0)): nan, (1, 2, *last): nan}
    yield special(draw, "nan_overlapping", everywhere, **moving)
    yield special(draw, "nan_padding", {(0, 1, *of(0, 2, 1)): nan, (1, 2, *last): nan}, **moving_same)
    beside: dict[tuple[int, ...], float] = {(0, 0, *of(0, 0, 0)): np.inf, (1, 0, *of(3, 3, 3)): -np.inf}
    beside |= {(0, 0, *of(1, 1, 1)): nan, (1, 0, *of(2, 2, 2)): nan}
    yield special(draw, "nan_beside_infinity", beside)
    lanes = {"x": with_nan_in_each_lane(draw("nan_each_lane", (2, 9, *of(8, 9, 2)))["x"], axes)}
    yield Sample(name="nan_each_lane", inputs=lanes, keywords={"window": (2,) * axes})
    yield from _infinities(axes, draw)
    minus = np.full(images, -np.inf)
    pooled = (*images[:2], *(length // 2 for length in images[2:]))
    yield Sample(name="infinity_all_negative", inputs={"x": minus}, expected={"y": np.full(pooled, -np.inf)})
    corner = draw("infinity_negative_beside_padding")
    corner["x"][(slice(None), slice(None), *(slice(2),) * axes)] = -np.inf
    yield Sample(name="infinity_negative_beside_padding", inputs=corner, keywords=moving_same, required=False)

    yield Sample(name="ties_constant", inputs={"x": np.full(images, 0.5)}, expected={"y": np.full(pooled, 0.5)})
    yield Sample(name="ties_many", inputs={"x": stream("ties_many").grid(images, bound=1)})
    yield Sample(name="ties_overlapping", inputs={"x": stream("ties_overlapping").grid(images, bound=1)}, keywords=moving)
    relu = np.maximum(stream("ties_of_zeros").grid(images), 0.0)
    yield Sample(name="ties_of_zeros", inputs={"x": relu}, keywords={**moving_same, "stride": (2,) * axes})

    # A volume has more values, so that they lie nearer to each other for the same largest one.
    finer = 0.25 if axes == 3 else 1.0
    yield Sample(name="magnitude_2_to_12", inputs=draw("magnitude_2_to_12", step=finer * 2.0**10))
    yield Sample(name="magnitude_2_to_minus_13", inputs=draw("magnitude_2_to_minus_13", step=2.0**-15), dtypes=WIDE)
    yield Sample(name="magnitude_2_to_127", inputs=draw("magnitude_2_to_127", step=finer * 2.0**122), dtypes=WIDE)
    close = {"x": 1.0 + draw("cancellation_close_values", step=2.0**-22)["x"]}
    yield Sample(name="cancellation_close_values", inputs=close, dtypes=("float64", "float32"))


def average_pooling_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Windows of every shape; every way in which padding and overhang change what a sum is divided by."""
    of, images, one = of_axes(axes), shape(axes), (1,) * axes
    draw = normal_inputs(axes, stream)

    def counted(words: str, **keywords: Any) -> Sample:
        return _made(draw, f"convention_count_padding{words}", **keywords, count_padding=True)

    moving = overlapping(axes)
    yield from size_samples(axes, draw)
    yield from geometry_samples(axes, draw)
    yield _made(draw, "geometry_window_of_input_size", window=images[2:], stride=one)
    yield from padding_samples(axes, draw)
    yield from overhang_samples(axes, draw)
    yield counted("", **per_axis(axes))
    yield counted("_asymmetric", **asymmetric(axes))
    yield counted("_same", window=of(3, 5, 3), stride=(2,) * axes, padding="same")
    yield counted("_overhang_only", window=of(3, 2, 2), stride=of(2, 3, 2), ceil_mode=True)
    hanging = over(axes)
    yield counted("_overhang", **hanging["padding"])
    yield counted("_overhang_asymmetric", **hanging["padding_asymmetric"])
    yield counted("_last_window_dropped", **hanging["last_window_dropped"])
    yield from unit_samples(axes, draw)
    around = {"window": of(2, 3, 2), "padding": of((1, 0), (1, 1), (0, 1)), "count_padding": True}
    yield _made(draw, "unit_everything_count_padding", (1, 1, *one), **around)
    yield _made(draw, "empty_batch", (0, *images[1:]))

    nan, last = np.nan, of(6, 5, 4)
    yield special(draw, "nan_each_tap", _taps(axes, nan))
    yield special(draw, "nan_overlapping", {(0, 1, *of(3, 2, 1)): nan, (1, 2, *last): nan}, **moving)
    yield special(draw, "nan_padding", {(0, 1, *of(0, 2, 1)): nan, (1, 2, *last): nan}, **moving, padding="same")
    lanes = {"x": with_nan_in_each_lane(draw("nan_each_lane", (2, 9, *of(8, 9, 2)))["x"], axes)}
    yield Sample(name="nan_each_lane", inputs=lanes)
    yield from _infinities(axes, draw)
    signs = {(0, 1, *of(2, 2, 2)): np.inf, (0, 1, *of(3, 3, 3)): -np.inf}
    yield special(draw, "infinity_both_signs", signs, **moving)

    yield from magnitudes(draw, "256", "1e4", "1e_minus_4")
    largest = np.abs(draw("magnitude_sum_overflows")["x"])
    large = {"x": np.where(largest < 1.0, 2.5e38, 3e38)}
    yield Sample(name="magnitude_sum_overflows", inputs=large, dtypes=WIDE, required=False)
    yield from magnitudes(draw, "1e37")
