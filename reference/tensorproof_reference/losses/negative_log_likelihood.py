"""Negative log likelihood: see ``negative_log_likelihood``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._draw import labels as drawn_labels
from tensorproof_reference.losses._labels import in_range, indicated, picked
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, SUM, WIDE, each_by_itself, loss_samples
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def negative_log_likelihood(
    log_probabilities: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Array:
    r"""The weighted logarithm of each label's probability, negated: :math:`y_i = -w_{l_i} x_{i, l_i}`.

    The mean is that of weighted losses: :math:`\sum_i y_i / \sum_i w_{l_i}`. Without ``weights`` all are 1. A sample whose label
    is ``ignored_label``, which need not be in range, has loss 0 and does not count in the mean.

    Shapes: ``log_probabilities`` (…, K), classes last; ``labels`` (…), integers; ``weights`` (K). The result is the mean or sum
    over samples, or (…) for ``reduction="none"``.
    Special values: what is not the label's leaves no trace. The mean is NaN where all samples are ignored.
    Raises: ``ValueError`` if the shapes do not fit, if labels are not integers or out of range, or if ``reduction`` is unknown.
    Source: Goodfellow, Bengio & Courville (2016), section 6.2.2.3.
    """
    chosen, factors = _chosen(log_probabilities, labels, weights, ignored_label)
    losses = -factors * picked(log_probabilities, chosen)
    if ignored_label is not None:
        losses = np.where(labels == ignored_label, 0.0, losses)
    if reduction != "mean":
        return reduced(losses, reduction)
    return np.sum(losses) / np.sum(factors)


def vjp(
    dy: Array,
    log_probabilities: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dx_{i, l_i} = -w_{l_i} \, dy`, divided by the sum of weights where the mean is taken; elsewhere 0."""
    chosen, factors = _chosen(log_probabilities, labels, weights, ignored_label)
    require(reduction in REDUCTIONS, "reduction", "mean, sum or none", reduction)
    each = -factors * (dy / np.sum(factors) if reduction == "mean" else dy)
    here = indicated(chosen, log_probabilities.shape[-1])
    return {"log_probabilities": np.where(here, each[..., None], np.zeros_like(log_probabilities))}


def _chosen(log_probabilities: Array, labels: Array, weights: Array | None, ignored_label: int | None) -> tuple[Array, Array]:
    """Labels that are in range, and each sample's weight: 0 if it is ignored."""
    classes = log_probabilities.shape[-1]
    require_shape(labels, "labels", log_probabilities.shape[:-1])
    ignored = np.zeros(labels.shape, bool) if ignored_label is None else labels == ignored_label
    chosen, _ = in_range(np.where(ignored, 0, labels), "labels", classes, "error")
    if weights is None:
        factors = np.ones_like(log_probabilities[..., 0])
    else:
        require_shape(weights, "weights", (classes,))
        factors = np.take(weights, chosen)
    return chosen, np.where(ignored, 0.0, factors)


def _logarithms(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Between -4 and -1/4."""
    return stream.uniform(shape, -4.0, -0.25)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; weights and ignored labels, alone and together; impossible classes."""
    draws = {"log_probabilities": _logarithms, "labels": drawn_labels}

    def weighted(name: str, *shape: int) -> dict[str, Any]:
        shape = shape or PLAIN
        weights = stream(name)("weights").uniform((shape[-1],), 0.25, 2.0)
        inputs = {"log_probabilities": _logarithms(stream(name), shape), "labels": drawn_labels(stream(name), shape)}
        return {**inputs, "weights": weights}

    def ignoring(name: str, label: int, *, weights: bool) -> dict[str, Any]:
        inputs = weighted(name)
        kept = np.where(inputs["labels"] == label, 3, inputs["labels"])
        kept[1::3] = label
        return {**inputs, "labels": kept, "weights": inputs["weights"] if weights else None}

    yield from loss_samples(stream, each_by_itself(draws), of_rows=True, lanes=("log_probabilities",))
    for reduction in REDUCTIONS:
        name = f"optional_weights_{reduction}"
        yield Sample(name=name, inputs=weighted(name), keywords={"reduction": reduction})
    yield Sample(name="optional_weights_large", inputs=weighted("optional_weights_large", 64, 128))
    yield Sample(name="optional_weights_rank_three", inputs=weighted("optional_weights_rank_three", 3, 4, 5))
    yield from with_each(Sample(name="unit_weighted", inputs=weighted("unit_weighted", 1, 7)), [SUM, NONE])
    zero = weighted("optional_weights_zero")
    zero["weights"][::2] = 0.0
    yield Sample(name="optional_weights_zero", inputs=zero, keywords=NONE)
    for label, word in ((-100, "minus_100"), (2, "two")):
        for weights in (False, True):
            for reduction in REDUCTIONS:
                name = f"mask_ignored_{word}_{'weighted' if weights else 'plain'}_{reduction}"
                inputs = ignoring(name, label, weights=weights)
                yield Sample(name=name, inputs=inputs, keywords={"ignored_label": label, "reduction": reduction})
    name = "mask_all_ignored"
    inputs = {"log_probabilities": _logarithms(stream(name), PLAIN), "labels": np.full(5, -100)}
    keywords = {"ignored_label": -100}
    yield Sample(name=name, inputs=inputs, keywords=keywords, expected={"y": asarray(np.nan)}, gradient=False)
    yield Sample(name=f"{name}_none", inputs=inputs, keywords={**keywords, **NONE}, exact_zero=("y", "d_log_probabilities"))
    name = "magnitude_spread_60"
    spread = {"log_probabilities": stream(name).uniform(PLAIN, -60.0, 0.0), "labels": drawn_labels(stream(name), PLAIN)}
    yield Sample(name=name, inputs=spread, dtypes=FINE)
    name = "magnitude_1e30"
    large = {"log_probabilities": 1e30 * _logarithms(stream(name), PLAIN), "labels": drawn_labels(stream(name), PLAIN)}
    yield Sample(name=name, inputs=large, keywords=NONE, dtypes=WIDE)
    inputs = {"log_probabilities": asarray([[-np.inf, -0.5]] * 2), "labels": np.array([0, 1])}
    yield Sample(name="infinity_impossible", inputs=inputs, keywords=NONE, expected={"y": asarray([np.inf, 0.5])})


def workload(stream: Stream, size: str) -> Sample:
    """A thousand classes, with weights."""
    shape = CLASSES[size]
    inputs = {"log_probabilities": _logarithms(stream("x"), shape), "labels": drawn_labels(stream, shape)}
    return Sample(name=size, inputs={**inputs, "weights": stream("weights").uniform((shape[-1],), 0.25, 2.0)})


def work(
    log_probabilities: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Work:
    """A product with the weight, and the sum of weights for the mean; back, a product. Only the labels' numbers are read."""
    rows = count(labels)
    of_weights = 0 if weights is None else rows
    sums = rows - 1 if weights is not None and reduction == "mean" else 0
    read = Work(flops=of_weights + sums, backward_flops=of_weights, untouched=count(log_probabilities) - rows)
    return read + reduction_work(rows, reduction)


OPERATION = Operation(
    function=negative_log_likelihood,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("log_probabilities",),
    workload=workload,
    work=work,
)
