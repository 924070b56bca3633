"""What samples of convolution and pooling share: values for as many axes of positions as there are, and special values."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

WIDE = ("float64", "float32", "bfloat16")
FLAT = {1: "unit_length", 2: "unit_height", 3: "unit_depth"}
"""The name of samples whose first axis of positions has size 1, by the number of these axes."""


def of_axes(axes: int) -> Callable[..., Any]:
    """A function that keeps what is said of the first axes of positions: samples tell it of three.

    >>> of_axes(2)(3, 2, 5)
    (3, 2)
    """

    def of(first: Any, second: Any, third: Any) -> Any:
        return (first, second, third)[:axes]

    return of


def special(
    draw: Callable[[str], Mapping[str, Array]], name: str, values: Mapping[tuple[int, ...], float], **keywords: Any
) -> Sample:
    """The sample of that name with these values at these places of ``x``."""
    arrays = draw(name)
    for index, value in values.items():
        arrays["x"][index] = value
    return Sample(name=name, inputs=arrays, keywords=keywords)


def with_nan_in_each_lane(x: Array, axes: int) -> Array:
    """NaN in eight channels, in each elsewhere."""
    for lane in range(8):
        x[(0, lane, *(lane, (lane + 1) % 9, lane % 2)[:axes])] = np.nan
    return x


def distinct_in_each_channel(stream: Stream, shape: tuple[int, ...], step: float) -> Array:
    """Numbers (N, C, …) that differ within each channel, by exact steps."""
    drawn = [stream(str(index)).distinct(shape[2:], step) for index in range(shape[0] * shape[1])]
    return np.stack(drawn).reshape(shape) if drawn else asarray([]).reshape(shape)


def magnitudes(draw: Callable[..., Mapping[str, Array]], *scales: str, **keywords: Any) -> Iterator[Sample]:
    """Ordinary numbers times each scale, by the word for it."""
    for word in scales:
        name = f"magnitude_{word}"
        inputs = draw(name, scale=float(word.replace("_minus_", "-")))
        yield Sample(name=name, inputs=inputs, keywords=keywords, dtypes=DTYPES if word == "256" else WIDE)
