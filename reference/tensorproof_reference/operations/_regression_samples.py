"""The samples that the regressions' functions are judged on."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary, weights
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 1e13."""


def regression_samples(stream: Stream) -> Iterator[Sample]:
    """Few and many features and rows, magnitudes, NaN and infinity in each argument.

    Features of many are scaled down so that the sum stays of the order of one.
    """

    def normal(name: str, *shape: int, scale: float = 1.0) -> dict[str, Array]:
        inputs, features = stream(name), shape[-1]
        return {
            "x": inputs("x").normal(shape, deviation=scale),
            "theta0": inputs("theta0").normal((), mean=0.5, deviation=0.125),
            "theta": inputs("theta").normal((features,), deviation=max(features, 1) ** -0.5 / scale),
        }

    def case(name: str, *shape: int, **others: Any) -> Sample:
        return Sample(name=name, inputs=normal(name, *shape), **others)

    yield case("plain_rows", 9, 5)
    yield case("size_large", 64, 128)
    for width in (2, 3, 8, 9, 15, 16, 17, 127, 513):
        yield case(f"width_features_{width}", 3, width)
    for width in (8, 17, 127):
        yield case(f"width_rows_{width}", width, 5)
    yield case("rank_three", 2, 3, 5)
    yield case("unit_row", 1, 5)
    yield case("unit_feature", 9, 1)
    yield case("empty_rows", 0, 5)
    yield case("empty_features", 9, 0)
    yield case("strided_transposed", 9, 5, memory="transposed")
    yield case("strided_sliced", 9, 5, memory="sliced")
    yield case("long_features", 2, 16384)
    yield case("long_rows", 16384, 2)
    yield from long_samples(lambda name, length: normal(name, length, 2), "rows")
    yield Sample(name="magnitude_thousand", inputs=normal("magnitude_thousand", 9, 5, scale=1e3))
    yield Sample(name="magnitude_1e13", inputs=normal("magnitude_1e13", 9, 5, scale=1e13), dtypes=WIDE_DTYPES)
    yield Sample(name="magnitude_1e_13", inputs=normal("magnitude_1e_13", 9, 5, scale=1e-13), dtypes=WIDE_DTYPES)
    for kind, value in (("nan", np.nan), ("infinity", np.inf)):
        rows = normal(f"{kind}_rows", 9, 5)
        rows["x"][(0, 2, 4, 6, 8), (4, 1, 3, 0, 2)] = value
        yield Sample(name=f"{kind}_rows", inputs=rows)
        coefficient = normal(f"{kind}_theta", 9, 5)
        coefficient["theta"][3] = value
        yield Sample(name=f"{kind}_theta", inputs=coefficient)
        constant = normal(f"{kind}_theta0", 9, 5)
        yield Sample(name=f"{kind}_theta0", inputs={**constant, "theta0": np.full((), value)})


SIZES = {"S": (64, 32), "M": (2048, 128), "L": (32768, 128)}
"""Rows and features of what is timed."""


def regression_workload(stream: Stream, size: str) -> Sample:
    """Rows of features, weighted so that the sum stays of the order of one."""
    rows, features = SIZES[size]
    inputs = {
        "x": ordinary(stream("x"), (rows, features)),
        "theta0": stream("theta0").uniform((), 0.25, 0.75),
        "theta": weights(stream("theta"), (features,), fan_in=features),
    }
    return Sample(name=size, inputs=inputs)
