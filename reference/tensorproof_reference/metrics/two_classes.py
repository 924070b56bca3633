"""Precision, recall and F1 of answers of two classes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, asarray
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def precision(probabilities: Array, target: Array, *, threshold: float = 0.5) -> Array:
    r"""The share of right answers among those that say 1: :math:`y = \mathit{tp} / (\mathit{tp} + \mathit{fp})`.

    An answer is 1 if :math:`p_i > θ`, so a probability equal to the threshold answers 0, and so does NaN. tp counts answers 1
    whose target is 1, fp those whose target is 0.

    Shapes: ``probabilities`` and ``target`` have one shape, any; the result is a single number.
    Special values: 0 where no answer is 1.
    Raises: ``ValueError`` if the shapes differ.
    Source: Sokolova & Lapalme (2009), table 2; 0/0 as 0: scikit-learn and Keras.
    """
    hits, answers, _ = _counted(probabilities, target, threshold)
    return _quotient(hits, answers)


def recall(probabilities: Array, target: Array, *, threshold: float = 0.5) -> Array:
    r"""The share of ones that were found: :math:`y = \mathit{tp} / (\mathit{tp} + \mathit{fn})`.

    An answer is 1 if :math:`p_i > θ`, so a probability equal to the threshold answers 0, and so does NaN. tp counts answers 1
    whose target is 1, fn answers 0 whose target is 1.

    Shapes: ``probabilities`` and ``target`` have one shape, any; the result is a single number.
    Special values: 0 where no target is 1.
    Raises: ``ValueError`` if the shapes differ.
    Source: Sokolova & Lapalme (2009), table 2; 0/0 as 0: scikit-learn and Keras.
    """
    hits, _, ones = _counted(probabilities, target, threshold)
    return _quotient(hits, ones)


def f1_score(probabilities: Array, target: Array, *, threshold: float = 0.5) -> Array:
    r"""The harmonic mean of precision and recall: :math:`y = 2 \mathit{tp} / (2 \mathit{tp} + \mathit{fp} + \mathit{fn})`.

    An answer is 1 if :math:`p_i > θ`, so a probability equal to the threshold answers 0, and so does NaN.

    Shapes: ``probabilities`` and ``target`` have one shape, any; the result is a single number.
    Special values: 0 where neither an answer nor a target is 1.
    Raises: ``ValueError`` if the shapes differ.
    Source: Sokolova & Lapalme (2009), table 2 (β = 1); 0/0 as 0: scikit-learn and Keras.
    """
    hits, answers, ones = _counted(probabilities, target, threshold)
    return _quotient(2.0 * hits, answers + ones)


def _counted(probabilities: Array, target: Array, threshold: float) -> tuple[Array, Array, Array]:
    """The shares of all places that are ones found, answers 1, and targets 1."""
    require_shape(target, "target", probabilities.shape)
    answers, ones, each = probabilities > threshold, target == 1.0, np.ones_like(probabilities)
    return np.mean(each * (answers & ones)), np.mean(each * answers), np.mean(each * ones)


def _quotient(part: Array, whole: Array) -> Array:
    """0 where both are 0."""
    return np.where(whole == 0.0, 0.0, part / np.where(whole == 0.0, 1.0, whole))


def _answers(stream: Stream, shape: tuple[int, ...]) -> dict[str, Array]:
    """Odd multiples of 1/64, of which none is at a threshold, and targets that three answers of four have."""
    probabilities = (2 * stream("probabilities").integers(shape, 0, 32) + 1) / 64
    wrong = stream("wrong").uniform(shape) < 0.25
    return {"probabilities": probabilities, "target": ((probabilities > 0.5) ^ wrong).astype(np.float64)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Answers mostly right, all right, all wrong, all the same, at the threshold, and few among many."""

    def sample(name: str, *shape: int, **others: Any) -> Sample:
        return Sample(name=name, inputs=_answers(stream(name), shape), **others)

    def given(name: str, probabilities: list[float], target: list[float], **keywords: float) -> Sample:
        return Sample(name=name, inputs={"probabilities": asarray(probabilities), "target": asarray(target)}, keywords=keywords)

    yield sample("plain_column", 17, 1)
    yield sample("size_large", 64, 20)
    for width in (1, 3, 8, 127):
        yield sample(f"width_{width}", width)
    yield sample("rank_three", 2, 5, 3)
    yield sample("unit_axes", 1, 1)
    yield from with_each(sample("unit_axes", 1, 1), [{"threshold": 0.25}, {"threshold": 0.75}])
    yield sample("strided_transposed", 17, 3, memory="transposed")
    yield sample("strided_sliced", 17, 3, memory="sliced")
    yield sample("optional_low_threshold", 17, 1, keywords={"threshold": 0.25})
    yield sample("optional_high_threshold", 17, 1, keywords={"threshold": 0.75})
    yield given("ties_at_the_threshold", [0.5, 0.5, 0.5, 0.75], [0.0, 1.0, 1.0, 1.0])
    yield given("ties_at_a_quarter", [0.25, 0.25, 0.5, 0.5], [1.0, 0.0, 1.0, 0.0], threshold=0.25)
    yield given("bounds_all_right", [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0])
    yield given("bounds_all_wrong", [0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0])
    yield given("bounds_no_answer_is_one", [0.25, 0.125, 0.0, 0.25], [1.0, 0.0, 0.0, 1.0])
    yield given("bounds_no_target_is_one", [0.75, 0.125, 0.0, 0.25], [0.0, 0.0, 0.0, 0.0])
    yield given("bounds_nothing_is_one", [0.25, 0.125, 0.0, 0.25], [0.0, 0.0, 0.0, 0.0])
    yield given("bounds_every_answer_is_one", [0.75, 0.625, 1.0, 0.75], [1.0, 0.0, 0.0, 1.0])
    yield given("bounds_threshold_zero", [0.0, 0.25, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], threshold=0.0)
    yield given("nan_answers_zero", [np.nan, np.nan, 0.75, 0.25], [0.0, 1.0, 1.0, 0.0])
    yield from (
        replace(item, dtypes=DTYPES) for item in long_samples(lambda name, length: _answers(stream(name), (length,)), "vector")
    )
    rare = _answers(stream("long_few_ones"), (40_000,))
    rare["target"] = np.zeros(40_000)
    rare["target"][::4001] = 1.0
    yield Sample(name="long_few_ones", inputs=rare)


def _metric(function: Callable[..., Array]) -> Operation:
    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="metric",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        output_dtype="any",
    )


OPERATIONS = tuple(_metric(function) for function in (precision, recall, f1_score))
