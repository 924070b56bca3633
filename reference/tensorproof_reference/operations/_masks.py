"""What dropout of elements and of channels share: the formula around a drawn mask, and the samples."""

from collections.abc import Iterator, Mapping

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Shape = tuple[int, ...]


def masked(x: Array, shape: Shape, stream: str, *, rate: float, training: bool, seed: int) -> Array:
    """``x`` times a mask of that shape, drawn from the stream of that name, with the survivors scaled to keep the mean."""
    require(0 <= rate <= 1, "rate", "a probability", rate)
    require(seed >= 0, "seed", "an integer that is not negative", seed)
    if not training or rate == 0:
        return x
    if rate == 1:
        return np.zeros_like(x)
    kept = Stream(seed)(stream).uniform(shape) >= rate
    return np.where(kept, x / (1.0 - rate), 0.0)


def mask_samples(
    stream: Stream,
    *,
    plain: Shape,
    inference: Mapping[str, Shape],
    positions: Shape,
    statistics: Mapping[str, tuple[float, Shape]],
) -> Iterator[Sample]:
    """Inference and the extreme rates, exact; and rates in training, to be judged as distributions.

    Args:
        stream: where random numbers come from.
        plain: the usual shape.
        inference: shapes of further samples at inference, by name; that of ``unit_axes`` last.
        positions: the axes behind the first two in samples of special values.
        statistics: rate and shape in training, by name.
    """
    off = {"training": False}

    def normal(name: str, shape: Shape = plain) -> dict[str, Array]:
        return {"x": stream(name).normal(shape)}

    yield Sample(name="plain_inference", inputs=normal("plain_inference"), keywords=off)
    for name, shape in inference.items():
        yield Sample(name=name, inputs=normal(name, shape), keywords=off)
    one = Sample(name="unit_axes", inputs=normal("unit_axes_with", inference["unit_axes"]))
    yield from with_each(one, [{"rate": 0.0}, {"rate": 0.9, "training": False}])
    yield Sample(name="empty_batch", inputs={"x": np.zeros((0, *plain[1:]))}, keywords=off)
    yield Sample(name="strided_transposed", inputs=normal("strided_transposed"), keywords=off, memory="transposed")
    yield Sample(name="strided_sliced", inputs=normal("strided_sliced"), keywords=off, memory="sliced")
    yield Sample(name="optional_rate_zero", inputs=normal("optional_rate_zero"), keywords={"rate": 0.0})
    name = "optional_rate_high_inference"
    yield Sample(name=name, inputs=normal(name), keywords={**off, "rate": 0.9})
    zeros = np.zeros(plain)
    yield Sample(
        name="bounds_rate_one",
        inputs=normal("bounds_rate_one"),
        keywords={"rate": 1.0},
        required=False,
        expected={"y": zeros, "d_x": zeros},
        exact_zero=("y", "d_x"),
    )

    def special(name: str, values: Array, sign_of_zero: bool = False) -> Sample:
        x = np.broadcast_to(values.reshape(*values.shape, *(1 for _ in positions)), (*values.shape, *positions)).copy()
        return Sample(name=name, inputs={"x": x}, keywords=off, expected={"y": x}, sign_of_zero=sign_of_zero)

    lanes = stream("nan_each_lane").normal((9, 9))
    np.fill_diagonal(lanes, np.nan)
    yield special("nan_each_lane", lanes)
    yield special("infinity_inference", asarray([[np.inf, -np.inf, 1.0]]))
    yield special("zero_signs", asarray([[0.0, -0.0, 1.0]]), sign_of_zero=True)

    for name, (rate, shape) in statistics.items():
        sizes = stream(name)("sizes").uniform(shape, 0.5, 1.5)
        signs = stream(name)("signs").integers(shape, 0, 2) * 2 - 1
        keywords = {"training": True, "rate": rate, "seed": 1}
        yield Sample(name=name, inputs={"x": sizes * signs}, keywords=keywords, gradient=False)
