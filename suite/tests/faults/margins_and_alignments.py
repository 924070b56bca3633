"""Faults in losses of margins, of overlaps and of labels in a sequence."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
from faulty import Change, Faults, Row, changed, reference, right_vjp

from faults.further_losses import gradient_changed, reduced, vjp_without, without
from tensorproof_reference.losses import ctc as ctc_page
from tensorproof_reference.losses._reduction import spread

FAULTS = Faults()


def vjp_changed(operation: str, change: Change) -> Any:
    """The vector-Jacobian product of other arguments."""
    return lambda dy, **given: right_vjp(operation, dy, **{**given, **change(given)})


def exponential_unshifted(scores: Any, labels: Any, *, reduction: str = "mean") -> Any:
    """What overflows where the score is on the wrong side."""
    with np.errstate(over="ignore"):
        return reduced(np.log1p(np.exp(-labels * scores)), reduction)


def largest_class_only(scores: Any, labels: Any, weights: Any = None, **keywords: Any) -> Any:
    """Crammer's and Singer's loss: the largest of the other classes counts, not their sum."""
    classes = scores.shape[-1]
    here = labels[..., None] == np.arange(classes)
    others = np.where(here, -np.inf, scores)
    first = here | (np.arange(classes) == np.argmax(others, axis=-1)[..., None])
    return reference("multi_margin", np.where(first, scores, scores.dtype.type(-1e4)), labels, weights, **keywords)


def nan_compared_away(scores: Any, labels: Any, weights: Any = None, **keywords: Any) -> Any:
    """NaN is within no margin."""
    return reference("multi_margin", np.where(np.isnan(scores), scores.dtype.type(-1e4), scores), labels, weights, **keywords)


def label_counted(
    scores: Any, labels: Any, weights: Any = None, *, power: int = 1, margin: float = 1.0, reduction: str = "mean"
) -> Any:
    """The label's own class is as far as the margin from itself."""
    own = margin**power / scores.shape[-1] * (1.0 if weights is None else np.take(weights, labels))
    every = reference("multi_margin", scores, labels, weights, power=power, margin=margin, reduction="none") + own
    return reduced(every.astype(scores.dtype), reduction)


def mean_over_labels(
    logits: Any, labels: Any, logit_lengths: Any, label_lengths: Any, *, blank: int = 0, reduction: str = "mean"
) -> Any:
    """PyTorch's mean: each loss is divided by its number of labels first."""
    each = reference("ctc", logits, labels, logit_lengths, label_lengths, blank=blank, reduction="none")
    return reduced((each / np.maximum(label_lengths, 1)).astype(logits.dtype) if reduction == "mean" else each, reduction)


def equal_labels_merged(logits: Any, labels: Any, logit_lengths: Any, label_lengths: Any, **keywords: Any) -> Any:
    """Equal neighbours among the labels need no blank between them."""
    kept = np.ones(labels.shape, bool)
    kept[:, 1:] = labels[:, 1:] != labels[:, :-1]
    kept &= np.arange(labels.shape[1]) < label_lengths[:, None]
    order = np.argsort(~kept, axis=1, kind="stable")
    return reference("ctc", logits, np.take_along_axis(labels, order, axis=1), logit_lengths, kept.sum(axis=1), **keywords)


def equal_labels_without_blank(*arguments: Any, **keywords: Any) -> Any:
    """A path may go from a label to an equal one at once."""

    def may_skip(classes: Any, blank: int) -> Any:
        return (classes != blank) & (np.arange(classes.shape[1]) >= 2)

    with mock.patch.object(ctc_page, "_may_skip", may_skip):
        return reference("ctc", *arguments, **keywords)


def whole_times(given: dict[str, Any]) -> dict[str, Any]:
    return {"logit_lengths": np.full_like(given["logit_lengths"], given["logits"].shape[1])}


def whole_labels(given: dict[str, Any]) -> dict[str, Any]:
    unnamed = np.arange(given["labels"].shape[1]) >= given["label_lengths"][:, None]
    blank = given.get("blank", 0)
    other = (blank + 1) % given["logits"].shape[2]
    filled = np.where(unnamed & (given["labels"] == blank), other, given["labels"])
    return {"labels": filled, "label_lengths": np.full_like(given["label_lengths"], given["labels"].shape[1])}


def overlap_of_squares(
    probabilities: Any, target: Any, *, epsilon: float = 1e-7, epsilon_placement: str = "both", reduction: str = "mean"
) -> Any:
    """Milletari's loss: squares in the denominator."""
    axes = tuple(range(1, probabilities.ndim))
    common = 2.0 * np.sum(probabilities * target, axes) + (epsilon if epsilon_placement == "both" else 0.0)
    whole = np.sum(probabilities**2, axes) + np.sum(target**2, axes) + epsilon
    return reduced((1.0 - common / whole).astype(probabilities.dtype), reduction)


def overlap_of_the_batch(probabilities: Any, target: Any, **keywords: Any) -> Any:
    """One loss for all of the batch, at each of its places."""
    reduction = keywords.get("reduction", "mean")
    one = reference("dice", probabilities.reshape(1, -1), target.reshape(1, -1), **{**keywords, "reduction": "sum"})
    return reduced(np.broadcast_to(one, probabilities.shape[:1]), reduction)


VALUES: Sequence[Row] = (
    ("soft_margin", "magnitude", "exponential_unshifted", exponential_unshifted),
    ("soft_margin", "plain", "labels_of_0_and_1", changed("soft_margin", lambda given: {"labels": (given["labels"] + 1) / 2})),
    ("multi_margin", "plain", "largest_class_only", largest_class_only),
    ("multi_margin", "nan", "nan_compared_away", nan_compared_away),
    ("multi_margin", "plain", "label_counted", label_counted),
    ("multi_margin", "optional", "weights_ignored", changed("multi_margin", lambda given: {"weights": None})),
    ("multi_margin", "optional", "square_ignored", without("multi_margin", "power")),
    ("multi_margin", "optional", "margin_ignored", without("multi_margin", "margin")),
    ("ctc", "plain", "mean_over_labels", mean_over_labels),
    ("ctc", "repeated", "equal_labels_merged", equal_labels_merged),
    ("ctc", "repeated", "equal_labels_without_blank", equal_labels_without_blank),
    ("ctc", "mask", "lengths_of_logits_ignored", changed("ctc", whole_times)),
    ("ctc", "mask", "lengths_of_labels_ignored", changed("ctc", whole_labels)),
    (
        "ctc",
        "infinity",
        "impossible_is_zero",
        lambda *arguments, **keywords: (lambda y: np.where(np.isinf(y), 0, y).astype(y.dtype))(
            reference("ctc", *arguments, **keywords)
        ),
    ),
    ("dice", "plain", "squares_in_the_denominator", overlap_of_squares),
    ("dice", "reduction", "one_loss_for_the_batch", overlap_of_the_batch),
    ("dice", "epsilon", "epsilon_of_keras_always", without("dice", "epsilon")),
    ("dice", "convention", "epsilon_in_both_always", without("dice", "epsilon_placement")),
)
"""Functions whose values are wrong."""


def label_gets_nothing(dy: Any, scores: Any, labels: Any, weights: Any = None, **keywords: Any) -> Any:
    """The label's score is taken for a constant."""
    here = labels[..., None] == np.arange(scores.shape[-1])
    found = right_vjp("multi_margin", dy, scores, labels, weights, **keywords)["scores"]
    return {"scores": np.where(here, 0, found).astype(scores.dtype)}


def softmax_forgotten(dy: Any, logits: Any, labels: Any, logit_lengths: Any, label_lengths: Any, **keywords: Any) -> Any:
    """The gradient to the logarithms of the probabilities."""
    found = right_vjp("ctc", dy, logits, labels, logit_lengths, label_lengths, **keywords)["logits"]
    exponentials = np.exp(logits - np.max(logits, axis=-1, keepdims=True, initial=-np.inf))
    in_time = np.arange(logits.shape[1]) < logit_lengths[:, None]
    each = spread(dy, logits.shape[:1], keywords.get("reduction", "mean"))
    softmax = exponentials / exponentials.sum(axis=-1, keepdims=True) * (in_time * each[:, None])[..., None]
    return {"logits": (found - softmax).astype(logits.dtype)}


def denominator_constant(
    dy: Any, probabilities: Any, target: Any, *, epsilon: float = 1e-7, reduction: str = "mean", **placement: Any
) -> Any:
    """The gradient of the numerator only."""
    rows = (slice(None), *[None] * (probabilities.ndim - 1))
    axes = tuple(range(1, probabilities.ndim))
    whole = np.sum(probabilities, axes) + np.sum(target, axes) + epsilon
    slope = -2.0 * target * (spread(dy, whole.shape, reduction) / whole)[rows]
    right = right_vjp("dice", dy, probabilities, target, epsilon=epsilon, reduction=reduction, **placement)
    return {**right, "probabilities": slope.astype(probabilities.dtype)}


GRADIENTS: Sequence[Row] = (
    (
        "soft_margin",
        "plain",
        "sign_of_the_label_lost",
        vjp_changed("soft_margin", lambda given: {"labels": np.abs(given["labels"])}),
    ),
    ("multi_margin", "plain", "label_gets_nothing", label_gets_nothing),
    ("multi_margin", "optional", "slope_of_the_line", vjp_without("multi_margin", "power")),
    ("ctc", "plain", "softmax_forgotten", softmax_forgotten),
    ("ctc", "mask", "gradient_beyond_the_length", vjp_changed("ctc", whole_times)),
    ("ctc", "reduction", "gradient_of_the_mean_always", vjp_without("ctc", "reduction")),
    (
        "dice",
        "plain",
        "denominator_taken_for_a_constant",
        denominator_constant,
    ),
    (
        "dice",
        "plain",
        "target_gets_nothing",
        gradient_changed("dice", {"target": np.zeros_like}),
    ),
)
"""Vector-Jacobian products that are wrong."""


FAULTS.rows(VALUES, GRADIENTS)
