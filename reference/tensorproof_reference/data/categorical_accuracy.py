"""Accuracy against one-hot targets: see ``categorical_accuracy``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.data._answers import accuracy_samples
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def categorical_accuracy(scores: Array, target: Array) -> Array:
    r"""The share of right answers: :math:`\frac{1}{n} \sum_i [\operatorname{argmax}_k s_{ik} = \operatorname{argmax}_k t_{ik}]`.

    Of equal maxima the first counts. NaN counts as the largest score.

    Shapes: ``scores`` and ``target`` are (…, K); the result is a single number.
    Special values: without rows it is NaN.
    Raises: ``ValueError`` if ``scores`` has no classes or the shapes differ.
    Source: Sokolova & Lapalme (2009), table 3; the texts, 001 §4.5.
    """
    require(scores.ndim >= 1 and scores.shape[-1] > 0, "scores", "at least one class on the last axis", f"shape {scores.shape}")
    require_shape(target, "target", scores.shape)
    right = np.argmax(scores, axis=-1) == np.argmax(target, axis=-1)
    return np.mean(np.ones_like(scores[..., 0]) * right)


def _one_hot(labels: Array, classes: int) -> Array:
    return np.equal(labels[..., None], np.arange(classes)).astype(np.float64)


def samples(stream: Stream) -> Iterator[Sample]:
    """Answers that are mostly right, all right, all wrong, and ties."""
    yield from accuracy_samples(stream, "target", _one_hot)


OPERATION = Operation(
    function=categorical_accuracy,
    vjp=None,
    samples=samples,
    family="metric",
    differentiable=(),
    cotangents=(),
    output_dtype="any",
    version=2,
    documents=("001 §4.5",),
)
