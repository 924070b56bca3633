"""Samples of pooling by windows with gaps, over any number of axes of positions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._pooling_samples import Draw
from tensorproof_reference.operations._window_samples import (
    FLAT,
    WIDE,
    distinct_in_each_channel,
    magnitudes,
    of_axes,
    special,
    with_nan_in_each_lane,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Case = tuple[tuple[int, ...], dict[str, Any]]
"""The shape and the keywords of a sample."""


LARGE = {1: (400,), 2: (17, 16), 3: (9, 11, 5)}
"""A larger input by the number of axes, of which 8 bits hold an integer for each position."""


def images(axes: int) -> tuple[int, ...]:
    """The shape of ordinary inputs."""
    return 2, 3, *of_axes(axes)(9, 8, 5)


def _cases(axes: int) -> dict[str, Case]:
    """Samples by name."""
    of, usual, ones = of_axes(axes), images(axes), (1,) * axes
    wide, reach, gaps = (3, 5, 33)[-axes:], (2, 2, 3)[-axes:], (1, 2, 5)[-axes:]
    return {
        "plain": (usual, {}),
        "size_large": ((4, 8, *LARGE[axes]), {"window": of(3, 3, 2), "padding": of((2, 2), (2, 2), (1, 1))}),
        "size_many_channels": ((2, 32, *of(9, 8, 4)), {"window": of(3, 2, 2)}),
        "width_seventeen": ((1, 17, *wide), {"window": reach, "dilation": gaps}),
        "geometry_dilation_of_rows": (usual, {"dilation": of(3, 1, 1)}),
        "geometry_dilation_per_axis": (usual, {"window": of(2, 3, 2), "dilation": of(4, 2, 3)}),
        "geometry_no_dilation": (usual, {"window": of(3, 2, 2), "dilation": ones}),
        "geometry_reach_of_input_size": (usual, {"window": of(5, 2, 3), "dilation": of(2, 7, 2)}),
        "geometry_window_one": (usual, {"window": ones, "dilation": of(3, 2, 2)}),
        "padding_same": (usual, {"window": of(3, 3, 2), "padding": "same"}),
        "padding_same_even_window": (usual, {"window": of(2, 4, 2), "padding": "same", "dilation": of(3, 2, 2)}),
        "padding_per_axis": (usual, {"window": of(3, 3, 2), "padding": of((1, 1), (2, 2), (0, 0))}),
        "padding_asymmetric": (usual, {"window": of(3, 3, 2), "padding": of((0, 2), (2, 1), (1, 2))}),
        "unit_batch": ((1, *usual[1:]), {"window": of(3, 2, 2)}),
        "unit_channels": ((2, 1, *usual[2:]), {"window": of(2, 3, 2)}),
        FLAT[axes]: ((2, 3, *of(1, 8, 5)), {"window": of(1, 3, 2)}),
        "unit_everything": ((1, 1, *ones), {"window": ones}),
        "empty_batch": ((0, *usual[1:]), {}),
    }


def _cases_of_several_axes(axes: int) -> dict[str, Case]:
    """Those in which one axis is to be told from another."""
    of = of_axes(axes)
    return {
        "geometry_dilation_of_columns": (images(axes), {"dilation": of(1, 4, 2)}),
        "unit_width": ((2, 3, *of(9, 1, 5)), {"window": of(3, 1, 2), "dilation": of(4, 2, 2)}),
    }


def _optional_cases(axes: int) -> dict[str, dict[str, Any]]:
    """The keywords of what not every framework has: strides together with dilation, overhang, and padding that begins early."""
    of, twos, ones = of_axes(axes), (2,) * axes, (1,) * axes
    pairs = of((1, 1), (2, 2), (1, 1))
    lower = {"padding": "same_lower"}
    return {
        "optional_stride": {"stride": of(2, 3, 2)},
        "optional_stride_and_dilation_with_a_factor": {"window": of(3, 3, 2), "stride": twos, "dilation": of(4, 2, 4)},
        "optional_stride_padding": {"window": of(3, 3, 2), "stride": twos, "padding": pairs},
        "optional_stride_same": {"window": of(3, 2, 2), "stride": of(3, 2, 2), "padding": "same"},
        "overhang": {"stride": twos, "ceil_mode": True},
        "overhang_padding": {"window": of(3, 3, 2), "stride": of(3, 3, 2), "padding": pairs, "ceil_mode": True},
        "padding_same_lower": {"window": of(2, 4, 2), "dilation": of(3, 1, 3), **lower},
        "padding_same_lower_stride": {"stride": twos, "dilation": of(3, 2, 3), **lower},
        "padding_same_lower_no_dilation": {"window": of(2, 4, 2), "dilation": ones, **lower},
        "padding_same_lower_no_dilation_stride": {"window": of(4, 3, 2), "stride": twos, "dilation": ones, **lower},
    }


def _of_all(axes: int, draw: Draw) -> Iterator[Sample]:
    """The samples that maximum and average have."""
    of = of_axes(axes)
    several = _cases_of_several_axes(axes) if axes > 1 else {}
    for name, (shape, keywords) in {**_cases(axes), **several}.items():
        yield Sample(name=name, inputs=draw(name, shape), keywords=keywords)
    for name, keywords in _optional_cases(axes).items():
        yield Sample(name=name, inputs=draw(name), keywords=keywords, required=False)
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=draw(f"strided_{memory}"), memory=memory)
    first, last = (0, 0, *of(0, 0, 0)), (1, 2, *of(8, 7, 4))
    each = {first: np.nan, (0, 1, *of(4, 4, 3)): np.nan, last: np.nan, (1, 0, *of(3, 6, 1)): np.nan}
    yield special(draw, "nan_each_tap", each)
    around: dict[str, Any] = {"window": of(3, 3, 2), "padding": "same"}
    yield special(draw, "nan_padding", {(0, 1, *of(0, 2, 1)): np.nan, last: np.nan}, **around)
    lanes = {"x": with_nan_in_each_lane(draw("nan_each_lane", (2, 9, *of(10, 9, 3)))["x"], axes)}
    yield Sample(name="nan_each_lane", inputs=lanes)
    inside = (0, 1, *of(3, 2, 1))
    high = {inside: np.inf, (1, 0, *of(0, 1, 0)): np.inf, (1, 0, *of(1, 0, 1)): np.inf}
    yield special(draw, "infinity_positive", high)
    yield special(draw, "infinity_negative", {inside: -np.inf, (1, 0, *of(0, 0, 0)): -np.inf})


def dilated_maximum_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Windows with gaps over values that differ within each channel, by exact steps; ties, NaN and infinity."""
    of, usual = of_axes(axes), images(axes)

    def draw(name: str, shape: tuple[int, ...] = usual, step: float = 0.25) -> dict[str, Array]:
        return {"x": distinct_in_each_channel(stream(name), shape, step)}

    yield from _of_all(axes, draw)
    threes = of(3, 3, 2)
    below = {"x": draw("padding_of_negative_values")["x"] - 64.0}
    yield Sample(name="padding_of_negative_values", inputs=below, keywords={"window": threes, "padding": "same"})
    yield Sample(name="ties_many", inputs={"x": stream("ties_many").grid(usual, bound=1)}, keywords={"window": threes})
    yield Sample(name="magnitude_2_to_12", inputs=draw("magnitude_2_to_12", step=2.0**10))
    yield Sample(name="magnitude_2_to_127", inputs=draw("magnitude_2_to_127", step=2.0 ** WIDEST[axes]), dtypes=WIDE)


WIDEST = {1: 123, 2: 121, 3: 118}
"""The power of two of a step with which the numbers of a channel end below 2^127, by the number of axes."""


def dilated_average_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Windows with gaps, and what their sums are divided by."""
    of, usual = of_axes(axes), images(axes)

    def draw(name: str, shape: tuple[int, ...] = usual, scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, deviation=scale)}

    yield from _of_all(axes, draw)
    sides = {"": of((1, 1), (2, 2), (1, 1)), "_asymmetric": of((0, 2), (2, 1), (1, 2)), "_same": "same"}
    for word, padding in sides.items():
        name = f"convention_count_padding{word}"
        keywords = {"window": of(3, 3, 2), "padding": padding, "count_padding": True}
        yield Sample(name=name, inputs=draw(name), keywords=keywords)
    lower = {"window": of(2, 4, 2), "dilation": of(3, 1, 3), "padding": "same_lower", "count_padding": True}
    name = "convention_count_padding_same_lower"
    yield Sample(name=name, inputs=draw(name), keywords=lower, required=False)
    signs = {(0, 1, *of(2, 2, 2)): np.inf, (0, 1, *of(4, 4, 4)): -np.inf}
    yield special(draw, "infinity_both_signs", signs)
    yield from magnitudes(draw, "256", "1e4", "1e_minus_4")
