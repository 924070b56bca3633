"""What the ways of clipping gradients share: their samples."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream

EPSILONS = (0.0, 1e-6)
"""What is added to the norm that is divided by: nothing, or 1e-6, as a guard against zero."""


WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 1e30."""


def clipping_samples(
    stream: Stream, *, limit: float, bounds: Mapping[str, Any], variants: Mapping[str, Mapping[str, Any]], infinite: bool
) -> Iterator[Sample]:
    """Gradients above and below the limit, at it, of zero, huge and tiny, with NaN and infinities.

    ``bounds`` are lists of gradients by name; ``infinite`` says that infinities have an answer that every reading shares.
    """

    def gradients(name: str, *shapes: tuple[int, ...], scale: float = 1.0) -> list[Any]:
        return [asarray(scale * stream(name)(str(index)).normal(shape)) for index, shape in enumerate(shapes or ((4, 5), (5,)))]

    def case(name: str, *shapes: tuple[int, ...], scale: float = 1.0, **others: Any) -> Sample:
        keywords = {"limit": limit, **others.pop("more", {})}
        return Sample(name=name, inputs={"gradients": gradients(name, *shapes, scale=scale)}, keywords=keywords, **others)

    yield case("plain_above", scale=4.0)
    yield case("plain_below", scale=2.0**-6)
    yield case("size_large", (64, 128), (128,), scale=4.0)
    yield case("size_many", (3, 4), (4,), (4, 4), (4,), scale=4.0)
    yield case("rank_zero_and_three", (), (2, 3, 4), scale=4.0)
    yield case("unit_axes", (1, 5, 1), (1,), scale=4.0)
    zeros = [np.zeros((4, 5)), np.zeros(5)]
    yield Sample(name="zero_gradients", inputs={"gradients": zeros}, keywords={"limit": limit}, expected=_leaves(zeros))
    beside = [np.zeros((4, 5)), gradients("zero_beside", (5,), scale=4.0)[0]]
    yield Sample(name="zero_beside_others", inputs={"gradients": beside}, keywords={"limit": limit})
    yield case("unit_axes_large_limit", (1, 5, 1), (1,), more={"limit": 64.0})
    yield case("unit_axes_limit_zero", (1, 5, 1), (1,), more={"limit": 0.0})
    nothing = _leaves([np.zeros((4, 5)), np.zeros(5)])
    yield case("bounds_limit_zero", more={"limit": 0.0}, expected=nothing)
    zero_limit = {"limit": 0.0}
    name = "bounds_limit_zero_zero_gradients"
    yield Sample(name=name, inputs={"gradients": zeros}, keywords=zero_limit, expected=_leaves(zeros))
    for word, dtypes, size in (("", WIDE_DTYPES, 1e20), ("_1e30", WIDE_DTYPES, 1e30), ("_float16", ("float16",), 1e4)):
        yield case(f"magnitude_squares_overflow{word}", scale=size, dtypes=dtypes)
    alone = [np.zeros((4, 5)), np.zeros(5)]
    alone[0][1, 2] = -1e20
    yield Sample(
        name="magnitude_square_of_one_overflows", inputs={"gradients": alone}, keywords={"limit": limit}, dtypes=WIDE_DTYPES
    )
    long_limit = {"limit": 16.0 * limit}
    yield from long_samples(lambda name, length: {"gradients": gradients(name, (length,), (3,))}, "vector", keywords=long_limit)
    yield case("magnitude_hundreds", scale=256.0)
    yield case("magnitude_thousandths", scale=2.0**-10)
    yield case("magnitude_1e7", scale=1e7, dtypes=("float64", "float32", "bfloat16"))
    lanes = gradients("nan_one", scale=4.0)
    lanes[0][1, 2] = np.nan
    yield Sample(name="nan_one", inputs={"gradients": lanes}, keywords={"limit": limit})
    endless = gradients("infinity_one", scale=4.0)
    endless[0][1, 2], endless[1][3] = np.inf, -np.inf
    yield Sample(name="infinity_two", inputs={"gradients": endless}, keywords={"limit": limit}, required=infinite)
    for name, arrays in bounds.items():
        yield Sample(name=name, inputs={"gradients": [asarray(array) for array in arrays]}, keywords={"limit": limit})
    for name, keywords in variants.items():
        yield case(name, scale=4.0, more=keywords)


def _leaves(arrays: list[Any]) -> dict[str, Any]:
    return {f"gradients.{index}": array for index, array in enumerate(arrays)}
