"""The samples that losses share which are square near 0 and straight beyond."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.losses._samples import NONE, PLAIN, SUM, WIDE, each_by_itself, loss_samples, normal
from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def robust_samples(stream: Stream, keyword: str) -> Iterator[Sample]:
    """Those of every loss; other places for the bend, which ``keyword`` says; equal arguments; the ends of the range."""

    def pair(name: str, deviation: float = 1.0, *, shape: tuple[int, ...] = PLAIN) -> dict[str, Array]:
        return {key: stream(name)(key).normal(shape, 0.0, deviation) for key in ("prediction", "target")}

    both = ("prediction", "target")
    yield from loss_samples(stream, each_by_itself(dict.fromkeys(both, normal)), lanes=both, nan_gradient=False)
    for word, place in (("half", 0.5), ("two", 2.0), ("sixteenth", 0.0625)):
        for reduction, others in (("mean", {}), ("none", NONE)):
            name = f"plain_{keyword}_{word}_{reduction}"
            yield Sample(name=name, inputs=pair(name), keywords={keyword: place, **others})
    name = f"unit_everything_{keyword}_half"
    yield Sample(name=name, inputs=pair(name, shape=(1, 1)), keywords={keyword: 0.5, **SUM})
    yield Sample(name="magnitude_1000", inputs=pair("magnitude_1000", 1e3), keywords=NONE)
    yield Sample(name="magnitude_1e25", inputs=pair("magnitude_1e25", 1e25), keywords=NONE, dtypes=WIDE)
    yield Sample(name="magnitude_small", inputs=pair("magnitude_small", 1e-3), keywords=NONE)
    yield Sample(name="magnitude_1e_minus_15", inputs=pair("magnitude_1e_minus_15", 1e-15), keywords=NONE, dtypes=WIDE)
    near = {key: stream("cancellation_mean_1000")(key).normal(PLAIN, 1e3, 0.01) for key in both}
    yield Sample(name="cancellation_mean_1000", inputs=near, dtypes=("float64", "float32"))
    equal = normal(stream("zero_equal"), PLAIN)
    zeros = ("y", "d_prediction", "d_target")
    yield Sample(name="zero_equal", inputs={"prediction": equal, "target": equal}, keywords=NONE, exact_zero=zeros)
    # On the bend, where value and derivative are continuous.
    bend = {"prediction": asarray([1.0, -1.0, 3.0, -2.5]), "target": asarray([0.0, 0.0, 2.0, -1.5])}
    yield Sample(name="kink_at_the_bend", inputs=bend, keywords=NONE)
    infinite = {"prediction": asarray([np.inf, -np.inf, 1.0, np.inf]), "target": asarray([1.0, 1.0, -np.inf, np.inf])}
    expected = {"y": asarray([np.inf, np.inf, np.inf, np.nan])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected, gradient=False)
