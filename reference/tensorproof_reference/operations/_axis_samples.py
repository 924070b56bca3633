"""The samples that functions normalising along an axis are judged on: see ``axis_samples``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLAIN_SHAPE = (18, 17)
"""A row for every lane of a vector of 16 and the one after it, and one more row."""

WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 3e38."""


def scaled_rows(stream: Stream, scales: tuple[float, ...]) -> Array:
    """Ordinary rows; every second one is multiplied by one of the scales in turn."""
    x = stream.normal(PLAIN_SHAPE)
    x[1::2] *= np.resize(np.array(scales), len(x[1::2]))[:, None]
    return x


def on_diagonal(stream: Stream, value: float) -> Array:
    """Ordinary rows with ``value`` in another lane of each, and none in the last."""
    x = stream.normal(PLAIN_SHAPE)
    np.fill_diagonal(x, value)
    return x


def axis_samples(
    stream: Stream, *, tie: float, pair: float, masked: float, exact_zero_of_one: tuple[str, ...]
) -> Iterator[Sample]:
    """The samples that every function normalising along ``axis`` has.

    Args:
        stream: where random numbers come from.
        tie: the result over four equal numbers.
        pair: the result over two equal numbers.
        masked: the result for -∞ beside finite numbers.
        exact_zero_of_one: outputs and gradients that are identically zero along an axis of size 1.
    """

    def normal(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape or PLAIN_SHAPE, mean, deviation)}

    yield Sample(name="plain_rows", inputs=normal("plain_rows"))
    yield Sample(name="size_small", inputs=normal("size_small", 5, 7))
    yield Sample(name="size_large", inputs=normal("size_large", 64, 128))
    for width in (1, 2, 3, 8, 9, 15, 16, 127, 513):
        exact = exact_zero_of_one if width == 1 else ()
        yield Sample(name=f"width_{width}", inputs=normal(f"width_{width}", 24 if width < 8 else 2, width), exact_zero=exact)
    yield Sample(name="rank_one", inputs=normal("rank_one", 7))
    yield Sample(name="rank_four", inputs=normal("rank_four", 2, 3, 4, 5))
    yield Sample(name="unit_batch", inputs=normal("unit_batch", 1, 7))
    yield Sample(name="unit_middle", inputs=normal("unit_middle", 3, 1, 4), keywords={"axis": 1}, exact_zero=exact_zero_of_one)
    everywhere = Sample(name="unit_everything", inputs=normal("unit_everything", 1, 1, 1), exact_zero=exact_zero_of_one)
    yield from with_each(everywhere, [{"axis": axis} for axis in (0, 1, -1)])
    yield Sample(name="empty_batch", inputs=normal("empty_batch", 0, 17))
    yield Sample(name="empty_axis", inputs=normal("empty_axis", 5, 0))
    yield Sample(name="strided_transposed", inputs=normal("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=normal("strided_sliced"), memory="sliced")
    yield Sample(name="strided_axis_first", inputs=normal("strided_axis_first"), keywords={"axis": 0}, memory="transposed")
    yield Sample(name="axis_first", inputs=normal("axis_first"), keywords={"axis": 0})
    yield Sample(name="axis_middle", inputs=normal("axis_middle", 3, 5, 4), keywords={"axis": 1})
    yield Sample(name="axis_negative", inputs=normal("axis_negative", 3, 5, 4), keywords={"axis": -2})
    yield Sample(name="axis_farthest", inputs=normal("axis_farthest", 3, 5, 4), keywords={"axis": -3})
    yield Sample(name="long_axis", inputs=normal("long_axis", 2, 8192))
    yield from long_samples(lambda name, length: normal(name, 2, length), "axis")
    # The sum of as many exponentials is beyond the largest number of float16.
    equal = {"x": np.full((2, 131_072), 0.5)}
    yield Sample(name="long_equal_131072", inputs=equal, dtypes=("bfloat16", "float16"))

    moderate = scaled_rows(stream("magnitude_moderate"), (10.0, 30.0, 88.7, 104.0, 300.0, 1e3, 1e4))
    yield Sample(name="magnitude_moderate", inputs={"x": moderate})
    huge = scaled_rows(stream("magnitude_huge"), (1e7, 1e13, 1e20, 1e30))
    yield Sample(name="magnitude_huge", inputs={"x": huge}, dtypes=WIDE_DTYPES)
    largest = on_diagonal(stream("magnitude_largest"), 3e38)
    largest[:, 8] = -3e38
    largest[8, 0] = 3e38
    yield Sample(name="magnitude_largest", inputs={"x": largest}, dtypes=WIDE_DTYPES)
    most_negative = np.full(PLAIN_SHAPE, -3e38)
    yield Sample(name="magnitude_most_negative", inputs={"x": most_negative}, dtypes=WIDE_DTYPES)
    for name, deviation in (("magnitude_spread_60", 20.0), ("magnitude_spread_1000", 300.0)):
        yield Sample(name=name, inputs=normal(name, deviation=deviation))
    yield Sample(name="magnitude_mean_1e4", inputs=normal("magnitude_mean_1e4", mean=1e4))
    yield Sample(name="cancellation_mean_1000", inputs=normal("cancellation_mean_1000", mean=1e3, deviation=0.01))
    yield Sample(name="cancellation_mean_minus_1000", inputs=normal("cancellation_mean_minus_1000", mean=-1e3, deviation=0.01))

    yield Sample(name="ties_constant", inputs={"x": np.full((3, 4), 0.5)}, expected={"y": np.full((3, 4), tie)})
    tied = stream("ties_maximum").grid(PLAIN_SHAPE)
    tied[:, ::5] = 1.5
    yield Sample(name="ties_maximum", inputs={"x": tied})

    yield Sample(name="nan_each_lane", inputs={"x": on_diagonal(stream("nan_each_lane"), np.nan)})
    yield Sample(name="infinity_positive", inputs={"x": on_diagonal(stream("infinity_positive"), np.inf)})
    yield Sample(name="infinity_masked", inputs={"x": _masked(stream("infinity_masked"))})
    rows = _masked(stream("infinity_masked_rows"))
    rows[::4] = -np.inf
    yield Sample(name="infinity_masked_rows", inputs={"x": rows})
    alone = np.full((3, 4), -np.inf)
    alone[:, 1:3] = 1.0
    yield Sample(name="infinity_all_but_two", inputs={"x": alone}, expected={"y": np.where(alone == 1.0, pair, masked)})
    all_nan = np.full((3, 4), np.nan)
    yield Sample(name="infinity_all_masked", inputs={"x": np.full((3, 4), -np.inf)}, expected={"y": all_nan, "d_x": all_nan})


def _masked(stream: Stream) -> Array:
    """Ordinary rows with -∞ at every second number."""
    x = stream.normal(PLAIN_SHAPE)
    x.reshape(-1)[::2] = -np.inf
    return x
