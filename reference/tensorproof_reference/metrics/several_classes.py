"""The confusion matrix, and accuracy of the k best scores."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.data._answers import accuracy_samples
from tensorproof_reference.losses._labels import in_range, picked
from tensorproof_reference.operation import EXTENDED, Operation, Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def confusion_matrix(labels: Array, answers: Array, *, classes: int) -> Array:
    r"""How often each class was answered for each: :math:`y_{ij} = \sum_n [l_n = i] [a_n = j]`.

    Shapes: ``labels`` and ``answers`` (N), integers. The result is (K, K) of integers, K being ``classes``: a row for each label.
    Special values: without answers all are 0.
    Raises: ``ValueError`` if the shapes do not fit, or if labels or answers are not integers from 0 to K - 1.
    Source: Sokolova & Lapalme (2009), table 1.
    """
    require_rank(labels, "labels", 1)
    require_shape(answers, "answers", labels.shape)
    require(classes > 0, "classes", "a positive number", classes)
    places = in_range(labels, "labels", classes, "error")[0] * classes + in_range(answers, "answers", classes, "error")[0]
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def top_k_accuracy(scores: Array, labels: Array, *, k: int = 5) -> Array:
    r"""The share of rows whose label is among the k best: :math:`\frac{1}{n} \sum_i [\#\{j: s_{ij} > s_{i, l_i}\} < k]`.

    Fewer than k scores are larger than the label's: of equal scores all are in. A row in which the label's score is NaN or
    infinite is not right.

    Shapes: ``scores`` (N, K); ``labels`` (N), integers; the result is a single number.
    Special values: without rows it is NaN. NaN that is not the label's is not larger than it.
    Raises: ``ValueError`` if the shapes do not fit, if labels are not integers from 0 to K - 1, or if ``k`` is not positive.
    Source: Russakovsky et al. (2015), section 4.1; ties and infinities: TensorFlow's ``in_top_k``.
    """
    require_rank(scores, "scores", 2)
    require_shape(labels, "labels", scores.shape[:1])
    require(k > 0, "k", "a positive number", k)
    chosen, _ = in_range(labels, "labels", scores.shape[1], "error")
    own = picked(scores, chosen)
    right = (np.sum(scores > own[:, None], axis=1) < k) & np.isfinite(own)
    return np.mean(np.ones_like(own) * right)


def _confusion_samples(stream: Stream) -> Iterator[Sample]:
    """Labels and answers of few and many classes, in order, absent, always wrong, and many."""

    def pair(name: str, number: int, classes: int) -> dict[str, Array]:
        return {key: stream(name)(key).integers((number,), 0, classes) for key in ("labels", "answers")}

    def sample(name: str, number: int, classes: int, **others: Any) -> Sample:
        return Sample(name=name, inputs=pair(name, number, classes), keywords={"classes": classes}, **others)

    single = ("float32",)
    yield sample("plain_five_classes", 40, 5)
    yield sample("size_large", 3000, 40)
    for width in (1, 3, 8, 127):
        yield sample(f"width_{width}", 100, width)
    yield sample("unit_answer", 1, 4)
    yield sample("empty_batch", 0, 4)
    yield sample("strided_sliced", 40, 5, memory="sliced")
    right = np.arange(12) % 4
    yield Sample(name="ties_all_right", inputs={"labels": right, "answers": right}, keywords={"classes": 4})
    few = {"labels": np.array([0, 0, 1, 6]), "answers": np.array([6, 6, 0, 6])}
    yield Sample(name="bounds_first_and_last", inputs=few, keywords={"classes": 7})
    yield Sample(name="bounds_classes_without_answers", inputs=few, keywords={"classes": 20})
    for name, wrong in (("negative", -1), ("too_large", 4)):
        outside = {"labels": np.array([0, wrong]), "answers": np.array([1, 2])}
        yield Sample(
            name=f"bounds_error_{name}", inputs=outside, keywords={"classes": 4}, raises=True, required=False, gradient=False
        )
    for length in (40_000, 131_072):
        name = f"long_one_place_{length}"
        inputs = {"labels": np.full(length, 2), "answers": np.full(length, 1)}
        yield Sample(name=name, inputs=inputs, keywords={"classes": 3}, dtypes=single)
    yield replace(sample("long_answers", 70_000, 3), dtypes=single)


def _top_k_samples(stream: Stream) -> Iterator[Sample]:
    """Those of accuracy with one best score; more of them; labels at the k-th place, ties there, fewer classes than k."""
    for item in accuracy_samples(stream, "labels", lambda labels, classes: labels):
        rows = item.inputs["scores"]
        if getattr(rows, "ndim", 2) == 2 and item.name.split("_")[0] not in ("nan", "infinity", "ties"):
            yield replace(item, keywords={"k": 1})
    order = np.stack([np.argsort(np.argsort(stream("places")(str(row)).raw(11))) for row in range(33)])
    scores = 0.125 * order
    for k in (2, 3, 5, 10, 11):
        inputs = {"scores": scores, "labels": np.argmax(order == 11 - 1 - np.arange(33)[:, None] % 11, axis=1)}
        yield Sample(name=f"bounds_each_place_of_{k}", inputs=inputs, keywords={"k": k}, expected={"y": asarray(k / 11)})
    three = asarray([[0.5, 0.25, 0.75]] * 3)
    yield Sample(name="bounds_more_than_classes", inputs={"scores": three, "labels": np.arange(3)}, keywords={"k": 7})
    tied = asarray([[1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0], [4.0, 1.0, 1.0, 1.0]])
    for k, share in ((1, 0.25), (2, 1.0)):
        inputs = {"scores": tied, "labels": np.array([1, 2, 3, 3])}
        yield Sample(name=f"ties_at_the_last_of_{k}", inputs=inputs, keywords={"k": k}, expected={"y": asarray(share)})
    undefined = asarray([[np.nan, 1.0, 2.0], [0.0, np.nan, 2.0], [np.inf, 1.0, 0.0], [-np.inf, 1.0, 2.0]])
    for word, labels in (("own", [0, 1, 0, 0]), ("of_others", [1, 0, 1, 2])):
        inputs = {"scores": undefined, "labels": np.array(labels)}
        yield Sample(name=f"nan_{word}", inputs=inputs, keywords={"k": 2}, required=False)


OPERATIONS = (
    Operation(
        function=confusion_matrix,
        vjp=None,
        samples=_confusion_samples,
        family="metric",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        output_dtype="any",
    ),
    Operation(
        function=top_k_accuracy,
        vjp=None,
        samples=_top_k_samples,
        family="metric",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        output_dtype="any",
    ),
)
