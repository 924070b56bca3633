"""Dropout: see ``dropout``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample, asarray
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def dropout(x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Array:
    r"""Each element zeroed with probability ``rate``, the survivors scaled to keep the mean:
    :math:`y = m x / (1 - p)` with :math:`m = 0` with probability p and 1 otherwise, drawn for each element on its own.

    At inference (``training=False``) and at rate 0 the result is ``x``. At rate 1 it is zero everywhere. The same seed draws
    the same mask. The draw itself is free: a backend's mask is not the reference's. So in training at a rate between 0 and 1
    the result is judged as a distribution, by samples of class ``statistics``, whose ``x`` is nowhere 0. Otherwise it is judged
    by value.

    Shapes: ``x`` and the result are any shape.
    Special values: where the result is ``x``, NaN, ±∞ and the sign of zero stay.
    Raises: ``ValueError`` if ``rate`` is outside [0, 1] or ``seed`` is negative.
    Source: Srivastava et al. (2014), §10 (inverted dropout); the texts, 000 §6.
    """
    require(0 <= rate <= 1, "rate", "a probability", rate)
    require(seed >= 0, "seed", "an integer that is not negative", seed)
    if not training or rate == 0:
        return x
    if rate == 1:
        return np.zeros_like(x)
    kept = Stream(seed)("dropout").uniform(x.shape) >= rate
    return np.where(kept, x / (1.0 - rate), 0.0)


def vjp(dy: Array, x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Gradients:
    r""":math:`dx = m\, dy / (1 - p)`: dropout of the cotangent, with the mask that ``x`` had."""
    return {"x": dropout(dy, rate=rate, training=training, seed=seed)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Inference and the extreme rates, exact; and two rates in training, to be judged as distributions."""
    inference = {"training": False}

    def normal(name: str, *shape: int) -> dict[str, Array]:
        return {"x": stream(name).normal(shape)}

    yield Sample(name="plain_inference", inputs=normal("plain_inference", 5, 7), keywords=inference)
    yield Sample(name="size_large", inputs=normal("size_large", 64, 128), keywords=inference)
    yield Sample(name="rank_zero", inputs=normal("rank_zero"), keywords=inference)
    yield Sample(name="rank_one", inputs=normal("rank_one", 17), keywords=inference)
    yield Sample(name="rank_four", inputs=normal("rank_four", 2, 3, 4, 5), keywords=inference)
    yield Sample(name="unit_axes", inputs=normal("unit_axes", 1, 1), keywords=inference)
    one = Sample(name="unit_axes", inputs=normal("unit_axes_with", 1, 1))
    yield from with_each(one, [{"rate": 0.0}, {"rate": 0.9, "training": False}])
    yield Sample(name="empty_batch", inputs={"x": asarray([]).reshape(0, 7)}, keywords=inference)
    yield Sample(name="strided_transposed", inputs=normal("strided_transposed", 5, 7), keywords=inference, memory="transposed")
    yield Sample(name="strided_sliced", inputs=normal("strided_sliced", 5, 7), keywords=inference, memory="sliced")
    yield Sample(name="optional_rate_zero", inputs=normal("optional_rate_zero", 5, 7), keywords={"rate": 0.0})
    name = "optional_rate_high_inference"
    yield Sample(name=name, inputs=normal(name, 5, 7), keywords={**inference, "rate": 0.9})
    zeros = np.zeros((5, 7))
    yield Sample(
        name="bounds_rate_one",
        inputs=normal("bounds_rate_one", 5, 7),
        keywords={"rate": 1.0},
        required=False,
        expected={"y": zeros, "d_x": zeros},
        exact_zero=("y", "d_x"),
    )
    lanes = stream("nan_each_lane").normal((9, 9))
    np.fill_diagonal(lanes, np.nan)
    yield Sample(name="nan_each_lane", inputs={"x": lanes}, keywords=inference, expected={"y": lanes})
    infinite = asarray([[np.inf, -np.inf, 1.0]])
    yield Sample(name="infinity_inference", inputs={"x": infinite}, keywords=inference, expected={"y": infinite})
    signed = asarray([[0.0, -0.0, 1.0]])
    yield Sample(name="zero_signs", inputs={"x": signed}, keywords=inference, expected={"y": signed}, sign_of_zero=True)

    for name, rate in (("statistics_rate_03", 0.3), ("statistics_rate_08", 0.8)):
        sizes = stream(name)("sizes").uniform((250, 400), 0.5, 1.5)
        signs = stream(name)("signs").integers((250, 400), 0, 2) * 2 - 1
        keywords = {"training": True, "rate": rate, "seed": 1}
        yield Sample(name=name, inputs={"x": sizes * signs}, keywords=keywords, gradient=False)


OPERATION = Operation(function=dropout, vjp=vjp, samples=samples, family="random", random=True, documents=("000 §6",))
