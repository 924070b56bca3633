"""Margins of one class over all others: see ``multi_margin``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.losses._draw import labels as drawn_labels
from tensorproof_reference.losses._labels import in_range, indicated, picked
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import NONE, PLAIN, SUM, WIDE, loss_samples
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def multi_margin(
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    power: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Array:
    r"""How far all other classes are within a margin of the label's.

    .. math:: y_i = \frac{w_l}{K} \sum_{k \ne l} \max(0, m - x_l + x_k)^p

    l is the label of row i, m is ``margin`` and p is ``power``. Without ``weights`` all are 1.

    Shapes: ``scores`` (…, K), classes last; ``labels`` (…), integers; ``weights`` (K). The result is the mean or sum over rows,
    or (…) for ``reduction="none"``. The mean is divided by the number of rows, whatever the weights are.
    Special values: NaN gives NaN in its row.
    Raises: ``ValueError`` if the shapes do not fit, if labels are not integers or out of range, if ``power`` is neither 1 nor 2,
    or if ``reduction`` is unknown.
    Source: Weston & Watkins (1999), eq. 6; Crammer & Singer (2001), section 3.
    """
    lacking, _, factors = _lacking(scores, labels, weights, power, margin)
    return reduced(factors * np.sum(np.maximum(lacking, 0.0) ** power, axis=-1) / scores.shape[-1], reduction)


def vjp(
    dy: Array,
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    power: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dx_k = \frac{w_l}{K} p \max(0, m - x_l + x_k)^{p-1} [m - x_l + x_k > 0] \, dy` for all other classes; minus their
    sum for the label."""
    lacking, own, factors = _lacking(scores, labels, weights, power, margin)
    slope = np.where(lacking > 0.0, power * lacking ** (power - 1), 0.0)
    slope = np.where(own, -np.sum(slope, axis=-1, keepdims=True), slope)
    each = factors / scores.shape[-1] * spread(dy, labels.shape, reduction)
    return {"scores": slope * each[..., None]}


def _lacking(scores: Array, labels: Array, weights: Array | None, power: int, margin: float) -> tuple[Array, Array, Array]:
    """What each class lacks to be out of the margin (the label, nothing), which is the label, and each row's weight."""
    require(scores.ndim >= 1 and scores.shape[-1] > 0, "scores", "at least one class on the last axis", f"shape {scores.shape}")
    require_shape(labels, "labels", scores.shape[:-1])
    require_choice(power, "power", (1, 2))
    classes = scores.shape[-1]
    chosen, _ = in_range(labels, "labels", classes, "error")
    if weights is not None:
        require_shape(weights, "weights", (classes,))
    factors = np.ones_like(scores[..., 0]) if weights is None else np.take(weights, chosen)
    own = indicated(chosen, classes)
    return np.where(own, -1.0, margin - picked(scores, chosen)[..., None] + scores), own, factors


def _scores(stream: Stream, shape: tuple[int, ...]) -> dict[str, Array]:
    """Multiples of 1/4, plus 1/8 for the label's: none is at the end of a margin that is a multiple of 1/4."""
    chosen = drawn_labels(stream, shape)
    grid = stream("scores").grid(shape, step=0.25)
    return {"scores": grid + np.where(indicated(chosen, shape[-1]), 0.125, 0.0), "labels": chosen}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; squares, other margins and weights, alone and together; the label best and worst by far."""

    def weighted(name: str, *shape: int) -> dict[str, Any]:
        inputs = _scores(stream(name), shape or PLAIN)
        return {**inputs, "weights": stream(name)("weights").uniform((inputs["scores"].shape[-1],), 0.25, 2.0)}

    yield from loss_samples(stream, _scores, of_rows=True, lanes=("scores",), nan_gradient=False)
    keywords: dict[str, Any]
    for word, keywords in (
        ("power_2", {"power": 2}),
        ("margin_half", {"margin": 0.5}),
        ("margin_2_power_2", {"margin": 2.0, "power": 2}),
    ):
        for reduction in REDUCTIONS:
            name = f"optional_{word}_{reduction}"
            yield Sample(name=name, inputs=_scores(stream(name), PLAIN), keywords={**keywords, "reduction": reduction})
    for reduction in REDUCTIONS:
        name = f"optional_weights_{reduction}"
        yield Sample(name=name, inputs=weighted(name), keywords={"reduction": reduction})
    name = "optional_weights_margin_2_power_2"
    yield Sample(name=name, inputs=weighted(name), keywords={"margin": 2.0, "power": 2})
    yield from with_each(Sample(name="unit_weighted", inputs=weighted("unit_weighted", 1, 7)), [SUM, NONE, {"power": 2}])
    yield Sample(name="bounds_margin_zero", inputs=_scores(stream("bounds_margin_zero"), PLAIN), keywords={"margin": 0.0})
    for word, sign in (("best", 1.0), ("worst", -1.0)):
        name = f"magnitude_label_{word}"
        inputs = _scores(stream(name), PLAIN)
        inputs["scores"] = np.where(indicated(inputs["labels"], PLAIN[1]), sign * 100.0, inputs["scores"])
        zero = ("y", "d_scores") if word == "best" else ()
        yield Sample(name=name, inputs=inputs, keywords=NONE, exact_zero=zero)
    name = "magnitude_1e15"
    far = _scores(stream(name), PLAIN)
    yield Sample(name=name, inputs={**far, "scores": 1e15 * far["scores"]}, keywords={**NONE, "power": 2}, dtypes=WIDE)
    infinite = {"scores": asarray([[-np.inf, 0.5, 0.25], [0.5, -np.inf, 0.0]]), "labels": np.array([1, 1])}
    yield Sample(name="infinity_minus", inputs=infinite, keywords=NONE, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """A thousand classes."""
    return Sample(name=size, inputs=_scores(stream, CLASSES[size]))


def work(
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    *,
    power: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Work:
    """A difference, a sum and a maximum for each class, a power, the sum; back, a comparison, a product and the sum."""
    numbers, rows = count(scores), count(labels)
    squares = numbers * (power - 1)
    weighed = 0 if weights is None else rows
    terms = Work(flops=4 * numbers + squares + weighed, backward_flops=3 * numbers + squares + weighed)
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=multi_margin,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("scores",),
    workload=workload,
    work=work,
)
