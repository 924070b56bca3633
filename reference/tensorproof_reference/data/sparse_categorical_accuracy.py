"""Accuracy against integer labels: see ``sparse_categorical_accuracy``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.data._answers import accuracy_samples
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def sparse_categorical_accuracy(scores: Array, labels: Array) -> Array:
    r"""The share of right answers: :math:`\frac{1}{n} \sum_i [\operatorname{argmax}_k s_{ik} = l_i]`.

    Of equal maxima the first counts. NaN counts as the largest score.

    Shapes: ``scores`` (…, K), ``labels`` (…) of integers; the result is a single number.
    Special values: without rows it is NaN; a label that is no class is never right.
    Raises: ``ValueError`` if ``scores`` has no classes, or ``labels`` are not integers or not of the shape of the rows.
    Source: Sokolova & Lapalme (2009), table 3; the texts, 000 §4.1.3.
    """
    require(scores.ndim >= 1 and scores.shape[-1] > 0, "scores", "at least one class on the last axis", f"shape {scores.shape}")
    require_shape(labels, "labels", scores.shape[:-1])
    require(np.issubdtype(labels.dtype, np.integer), "labels", "integers", f"dtype {labels.dtype}")
    right = np.argmax(scores, axis=-1) == labels
    return np.mean(np.ones_like(scores[..., 0]) * right)


def samples(stream: Stream) -> Iterator[Sample]:
    """Answers that are mostly right, all right, all wrong, and ties."""
    yield from accuracy_samples(stream, "labels", lambda labels, classes: labels)


OPERATION = Operation(
    function=sparse_categorical_accuracy,
    vjp=None,
    samples=samples,
    family="metric",
    differentiable=(),
    cotangents=(),
    output_dtype="any",
    version=2,
    documents=("000 §4.1.3",),
)
