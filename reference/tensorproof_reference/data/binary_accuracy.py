"""Accuracy of two classes: see ``binary_accuracy``."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.operation import DTYPES, Operation, Sample, asarray
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def binary_accuracy(probabilities: Array, target: Array, *, threshold: float = 0.5) -> Array:
    r"""The share of right answers: :math:`\frac{1}{n} \sum_i [\,[p_i > θ] = t_i\,]`.

    A probability equal to the threshold answers 0, and so does NaN.

    Shapes: ``probabilities`` and ``target`` have one shape, any; the result is a single number.
    Special values: without elements it is NaN.
    Raises: ``ValueError`` if the shapes differ.
    Source: Sokolova & Lapalme (2009), table 2; the texts, 002 §4 (``metrics=['accuracy']``).
    """
    require_shape(target, "target", probabilities.shape)
    right = (probabilities > threshold) == (target == 1.0)
    return np.mean(np.ones_like(probabilities) * right)


def samples(stream: Stream) -> Iterator[Sample]:
    """Answers that are mostly right, all right, all wrong, and at the threshold."""

    def answers(name: str, *shape: int) -> dict[str, Array]:
        numbers = stream(name)
        # Odd multiples of 1/64: none at a threshold, and exact in every dtype.
        probabilities = (2 * numbers("probabilities").integers(shape, 0, 32) + 1) / 64
        wrong = numbers("wrong").uniform(shape) < 0.25
        return {"probabilities": probabilities, "target": ((probabilities > 0.5) ^ wrong).astype(np.float64)}

    yield Sample(name="plain_column", inputs=answers("plain_column", 17, 1))
    yield Sample(name="size_large", inputs=answers("size_large", 64, 20))
    for width in (1, 3, 8, 127):
        yield Sample(name=f"width_{width}", inputs=answers(f"width_{width}", width))
    yield Sample(name="rank_three", inputs=answers("rank_three", 2, 5, 3))
    yield Sample(name="unit_axes", inputs=answers("unit_axes", 1, 1))
    yield Sample(name="strided_transposed", inputs=answers("strided_transposed", 17, 3), memory="transposed")
    yield Sample(name="optional_low_threshold", inputs=answers("optional_low_threshold", 17, 1), keywords={"threshold": 0.25})
    yield Sample(name="optional_high_threshold", inputs=answers("optional_high_threshold", 17, 1), keywords={"threshold": 0.75})
    one = Sample(name="unit_axes", inputs=answers("unit_axes_with", 1, 1))
    yield from with_each(one, [{"threshold": 0.25}, {"threshold": 0.75}])
    ends = {"probabilities": asarray([0.0, 0.0, 1.0, 1.0, 0.5]), "target": asarray([0.0, 1.0, 0.0, 1.0, 1.0])}
    for word, threshold, share in (("zero", 0.0, 0.6), ("one", 1.0, 0.4)):
        keywords, y = {"threshold": threshold}, {"y": asarray(share)}
        yield Sample(name=f"bounds_threshold_{word}", inputs=ends, keywords=keywords, expected=y)
    undefined = {"probabilities": asarray([np.nan, np.nan, 0.75, 0.25]), "target": asarray([0.0, 1.0, 1.0, 0.0])}
    yield Sample(name="nan_answers_zero", inputs=undefined, expected={"y": asarray(0.75)})
    yield from (replace(item, dtypes=DTYPES) for item in long_samples(answers, "vector"))
    at = {"probabilities": asarray([0.5, 0.5, 0.5, 0.75]), "target": asarray([0.0, 0.0, 1.0, 1.0])}
    yield Sample(name="ties_at_the_threshold", inputs=at, expected={"y": asarray(0.75)})
    quarter = {"probabilities": asarray([0.25, 0.25, 0.25, 0.5]), "target": asarray([1.0, 1.0, 0.0, 1.0])}
    yield Sample(name="ties_at_a_quarter", inputs=quarter, keywords={"threshold": 0.25}, expected={"y": asarray(0.5)})
    certain = asarray([0.0, 1.0, 1.0, 0.0])
    yield Sample(name="bounds_all_right", inputs={"probabilities": certain, "target": certain}, expected={"y": asarray(1.0)})
    wrong = {"probabilities": certain, "target": 1.0 - certain}
    yield Sample(name="bounds_all_wrong", inputs=wrong, expected={"y": asarray(0.0)}, exact_zero=("y",))


OPERATION = Operation(
    function=binary_accuracy,
    vjp=None,
    samples=samples,
    family="metric",
    differentiable=(),
    cotangents=(),
    output_dtype="any",
    version=2,
    documents=("002 §4",),
)
