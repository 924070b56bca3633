"""The samples that penalties of weights are judged on: see ``penalty_samples``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 1e13."""


def penalty_samples(stream: Stream, *, kink: bool) -> Iterator[Sample]:
    """Weights of many shapes and magnitudes, strengths, NaN, infinities and zeros.

    Numbers keep 1/16 away from zero. With ``kink`` the penalty has one at zero, where frameworks choose the derivative freely and
    some pass something else than NaN back to NaN; the gradients there are then in samples that are not required.
    """

    def weights(name: str, *shape: int) -> Array:
        w = stream(name).normal(shape or (9, 7))
        return np.where(w < 0, w - 0.0625, w + 0.0625)

    def case(name: str, *shape: int, **others: Any) -> Sample:
        return Sample(name=name, inputs={"w": weights(name, *shape)}, **others)

    yield case("plain_matrix")
    yield case("plain_strength_half", keywords={"strength": 0.5})
    yield case("size_large", 64, 128)
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127, 513):
        yield case(f"width_{width}", width)
    yield case("rank_three", 3, 4, 5)
    yield case("rank_four", 4, 3, 3, 2)
    yield case("unit_axes", 1, 7, 1)
    yield Sample(name="empty_matrix", inputs={"w": weights("empty_matrix", 0, 7)}, expected={"y": np.zeros(())})
    yield case("strided_transposed", memory="transposed")
    yield case("strided_sliced", memory="sliced")
    yield from with_each(case("unit_axes", 1, 7, 1), [{"strength": 0.5}, {"strength": 1.0}])
    yield case("long_vector", 16384)
    # A quarter of the usual size: their sum is within the range of float16.
    yield from long_samples(lambda name, length: {"w": 0.25 * weights(name, length)}, "vector")
    for name, scale in (("magnitude_ten", 10.0), ("magnitude_hundredth", 0.03)):
        yield Sample(name=name, inputs={"w": scale * weights(name)}, keywords={"strength": 0.5})
    for name, scale in (("magnitude_1e7", 1e7), ("magnitude_1e13", 1e13), ("magnitude_1e_13", 1e-13), ("magnitude_1e20", 1e20)):
        yield Sample(name=name, inputs={"w": scale * weights(name)}, dtypes=WIDE_DTYPES)
    for kind, value in (("nan", np.nan), ("infinity", np.inf)):
        for index, place in enumerate((0, 17, 62)):
            name = f"{kind}_place_{place}"
            w = weights(name)
            w.reshape(-1)[place] = value if index % 2 == 0 else -value
            sample = Sample(name=name, inputs={"w": w}, expected={"y": np.full((), value)}, gradient=not (kink and kind == "nan"))
            yield sample
    several = weights("nan_gradient")
    several.reshape(-1)[::5] = np.nan
    yield Sample(name="nan_gradient", inputs={"w": several}, required=not kink)
    zeros = weights("zero_among_others")
    zeros.reshape(-1)[::3] = 0.0
    zeros.reshape(-1)[::6] = -0.0
    yield Sample(name="zero_among_others", inputs={"w": zeros}, gradient=not kink)
    nothing = {"y": np.zeros(()), "d_w": np.zeros((9, 7))}
    yield Sample(name="zero_strength", inputs={"w": weights("zero_strength")}, keywords={"strength": 0.0}, expected=nothing)
    if kink:
        yield Sample(name="zero_only", inputs={"w": np.zeros((9, 7))}, expected={"y": np.zeros(())}, gradient=False)
        yield Sample(name="kink_among_others", inputs={"w": zeros}, required=False)
        yield Sample(name="kink_only", inputs={"w": np.zeros((9, 7))}, expected=nothing, required=False)
    else:
        yield Sample(name="zero_only", inputs={"w": np.zeros((9, 7))}, expected=nothing)
