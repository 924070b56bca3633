"""Faults in losses of profile ``extended``: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from scipy.special import expit

FAULTS = Faults()


def reduced(losses: Any, reduction: str) -> Any:
    """The mean, the sum, or all."""
    return losses if reduction == "none" else np.sum(losses) if reduction == "sum" else np.mean(losses)


def mean_for_the_sum(name: str) -> Callable[..., Any]:
    """The mean where the sum is asked for."""

    def wrong(*inputs: Any, reduction: str = "mean", **keywords: Any) -> Any:
        return reference(name, *inputs, reduction="mean" if reduction == "sum" else reduction, **keywords)

    return wrong


def without(name: str, keyword: str) -> Callable[..., Any]:
    """The right function, which does not see a keyword."""

    def wrong(*inputs: Any, **keywords: Any) -> Any:
        return reference(name, *inputs, **{key: value for key, value in keywords.items() if key != keyword})

    return wrong


def vjp_without(name: str, keyword: str) -> Callable[..., Any]:
    """The right vector-Jacobian product, which does not see a keyword."""

    def wrong(*inputs: Any, **keywords: Any) -> Any:
        return right_vjp(name, *inputs, **{key: value for key, value in keywords.items() if key != keyword})

    return wrong


def gradient_changed(name: str, changes: dict[str, Callable[[Any], Any]]) -> Callable[..., Any]:
    """The right vector-Jacobian product, with some of its gradients changed."""

    def wrong(*inputs: Any, **keywords: Any) -> Any:
        right = right_vjp(name, *inputs, **keywords)
        return {key: changes[key](value) if key in changes else value for key, value in right.items()}

    return wrong


def divided_by_all(
    log_probabilities: Any, labels: Any, weights: Any = None, *, ignored_label: Any = None, reduction: str = "mean"
) -> Any:
    """The mean of weighted losses over their number, as if weights had the sum 1 for each sample."""
    losses = reference(
        "negative_log_likelihood", log_probabilities, labels, weights, ignored_label=ignored_label, reduction="none"
    )
    return reduced(losses, reduction)


def ignored_ones_weigh(
    log_probabilities: Any, labels: Any, weights: Any = None, *, ignored_label: Any = None, reduction: str = "mean"
) -> Any:
    """The sum of weights takes in those of ignored samples."""
    losses = reference(
        "negative_log_likelihood", log_probabilities, labels, weights, ignored_label=ignored_label, reduction="none"
    )
    if reduction != "mean":
        return reduced(losses, reduction)
    each = np.ones(losses.shape) if weights is None else weights[np.clip(labels, 0, None)]
    return (np.sum(losses) / np.sum(each)).astype(log_probabilities.dtype)


def probability_clipped(logits: Any, target: Any, *, gamma: float = 2.0, alpha: Any = None, reduction: str = "mean") -> Any:
    """The formula of probabilities between 1e-7 and its complement."""
    p = np.clip(expit(logits), 1e-7, 1.0 - 1e-7)
    right = np.where(target > 0, p, 1.0 - p)
    losses = -((1.0 - right) ** gamma) * np.log(right)
    return reduced(losses if alpha is None else (alpha * target + (1.0 - alpha) * (1.0 - target)) * losses, reduction)


def norm_of_first_only(first: Any, second: Any, labels: Any, *, margin: float = 0.0, reduction: str = "mean") -> Any:
    """The cosine divided by the square of one norm."""
    cosine = np.sum(first * second, -1) / np.sum(first * first, -1)
    return reduced(np.where(labels > 0, 1.0 - cosine, np.maximum(cosine - margin, 0.0)), reduction)


def squared_distances(
    anchor: Any, positive: Any, negative: Any, *, margin: float = 1.0, reduction: str = "mean", **others: Any
) -> Any:
    """Distances without their roots."""
    near, far = np.sum((anchor - positive) ** 2, -1), np.sum((anchor - negative) ** 2, -1)
    return reduced(np.maximum(near - far + margin, 0.0), reduction)


def squares_multiplied_out(prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """The square of a difference as that of a sum of products."""
    distance = np.abs(prediction - target)
    square = prediction * prediction - 2.0 * prediction * target + target * target
    return reduced(np.where(distance <= delta, 0.5 * square, delta * (distance - 0.5 * delta)), reduction)


def logarithm_of_zero(log_probabilities: Any, target: Any, *, log_target: bool = False, reduction: str = "mean") -> Any:
    """Targets of zero give NaN."""
    if log_target:
        return reference("kl_divergence", log_probabilities, target, log_target=True, reduction=reduction)
    return reduced(np.sum(target * np.log(target) - target * log_probabilities, -1), reduction)


def mean_over_classes_too(log_probabilities: Any, target: Any, *, log_target: bool = False, reduction: str = "mean") -> Any:
    """The mean over all numbers."""
    y = reference("kl_divergence", log_probabilities, target, log_target=log_target, reduction=reduction)
    return y / log_probabilities.shape[-1] if reduction == "mean" else y


def negatives_weigh_one(logits: Any, target: Any, *, alpha: Any = None, reduction: str = "mean", **keywords: Any) -> Any:
    """Alpha weighs the positive part, and nothing the negative one."""
    each = reference("focal", logits, target, reduction="none", **keywords)
    weights = 1.0 if alpha is None else target * alpha + (1.0 - target)
    return np.asarray(reduced(each * weights, reduction), logits.dtype)


VALUES: Sequence[Row] = (
    ("mean_absolute_error", "reduction", "mean_for_the_sum", mean_for_the_sum("mean_absolute_error")),
    (
        "mean_absolute_error",
        "plain",
        "root_of_the_mean_square",
        lambda prediction, target, *, reduction="mean": np.sqrt(reduced((prediction - target) ** 2, reduction)),
    ),
    (
        "mean_absolute_error",
        "nan",
        "nan_does_not_count",
        lambda prediction, target, *, reduction="mean": (
            reduced(np.abs(prediction - target), reduction)
            if reduction == "none"
            else (np.nanmean if reduction == "mean" else np.nansum)(np.abs(prediction - target))
        ),
    ),
    ("huber", "plain", "delta_ignored", without("huber", "delta")),
    (
        "huber",
        "plain",
        "smooth_l1",
        lambda prediction, target, *, delta=1.0, reduction="mean": reference(
            "smooth_l1", prediction, target, beta=delta, reduction=reduction
        ),
    ),
    ("huber", "cancellation", "square_multiplied_out", squares_multiplied_out),
    ("smooth_l1", "plain", "beta_ignored", without("smooth_l1", "beta")),
    ("smooth_l1", "reduction", "mean_for_the_sum", mean_for_the_sum("smooth_l1")),
    ("kl_divergence", "plain", "logarithm_of_zero", logarithm_of_zero),
    ("kl_divergence", "plain", "mean_over_classes_too", mean_over_classes_too),
    ("kl_divergence", "labels", "logarithms_taken_for_probabilities", without("kl_divergence", "log_target")),
    ("negative_log_likelihood", "optional", "mean_over_samples_for_that_of_weights", divided_by_all),
    ("negative_log_likelihood", "mask", "ignored_samples_weigh", ignored_ones_weigh),
    (
        "negative_log_likelihood",
        "optional",
        "weights_ignored",
        lambda log_probabilities, labels, weights=None, **keywords: reference(
            "negative_log_likelihood", log_probabilities, labels, None, **keywords
        ),
    ),
    ("poisson_nll", "plain", "logarithms_always", without("poisson_nll", "log_input")),
    (
        "poisson_nll",
        "plain",
        "constant_for_all_counts",
        lambda prediction, target, *, log_input=True, full=False, epsilon=1e-8, reduction="mean": reduced(
            reference("poisson_nll", prediction, target, log_input=log_input, epsilon=epsilon, reduction="none")
            + (
                full
                and np.where(
                    target > 0,
                    target * np.log(np.maximum(target, 1)) - target + 0.5 * np.log(2 * np.pi * np.maximum(target, 1)),
                    0,
                )
            ),
            reduction,
        ),
    ),
    (
        "poisson_nll",
        "plain",
        "epsilon_of_keras",
        lambda prediction, target, *, epsilon=1e-8, **keywords: reference(
            "poisson_nll", prediction, target, epsilon=max(epsilon, 1e-3), **keywords
        ),
    ),
    (
        "gaussian_nll",
        "plain",
        "standard_deviation_for_the_variance",
        lambda prediction, target, variance, **keywords: reference(
            "gaussian_nll", prediction, target, variance * variance, **keywords
        ),
    ),
    (
        "gaussian_nll",
        "epsilon",
        "epsilon_added",
        lambda prediction, target, variance, *, epsilon=1e-6, **keywords: reference(
            "gaussian_nll", prediction, target, variance + epsilon, epsilon=epsilon, **keywords
        ),
    ),
    ("gaussian_nll", "plain", "constant_ignored", without("gaussian_nll", "full")),
    ("focal", "magnitude", "probability_clipped", probability_clipped),
    ("focal", "plain", "gamma_of_two_always", without("focal", "gamma")),
    ("focal", "plain", "negative_part_not_weighted", negatives_weigh_one),
    (
        "focal",
        "plain",
        "alpha_for_both_labels",
        lambda logits, target, *, alpha=None, **keywords: (
            reference("focal", logits, target, **keywords) * (1.0 if alpha is None else alpha)
        ),
    ),
    (
        "margin_ranking",
        "plain",
        "labels_exchanged",
        lambda first, second, labels, **keywords: reference("margin_ranking", second, first, labels, **keywords),
    ),
    ("margin_ranking", "plain", "margin_ignored", without("margin_ranking", "margin")),
    ("cosine_embedding", "plain", "norm_of_the_first_only", norm_of_first_only),
    ("cosine_embedding", "plain", "margin_ignored", without("cosine_embedding", "margin")),
    (
        "cosine_embedding",
        "labels",
        "negative_cosines_count",
        lambda first, second, labels, *, margin=0.0, reduction="mean": reduced(
            np.where(
                labels > 0,
                reference("cosine_embedding", first, second, np.abs(labels), reduction="none"),
                1.0 - margin - reference("cosine_embedding", first, second, np.abs(labels), reduction="none"),
            ),
            reduction,
        ),
    ),
    ("triplet_margin", "plain", "distances_without_roots", squared_distances),
    ("triplet_margin", "plain", "swap_ignored", without("triplet_margin", "swap")),
    (
        "triplet_margin",
        "plain",
        "epsilon_where_it_is_not_asked_for",
        lambda anchor, positive, negative, *, epsilon_placement="difference", **keywords: reference(
            "triplet_margin",
            anchor,
            positive,
            negative,
            epsilon_placement="root" if epsilon_placement == "difference" else "difference",
            **keywords,
        ),
    ),
)
"""Functions whose values are wrong."""


def _other_sign(x: Any) -> Any:
    return -x


def _half(x: Any) -> Any:
    return 0.5 * x


def _never_short(dy: Any, anchor: Any, positive: Any, negative: Any, **keywords: Any) -> Any:
    """The gradient as if the margin always fell short."""
    return right_vjp("triplet_margin", dy, anchor, positive, negative, **{**keywords, "margin": 100.0})


def _as_if_near(dy: Any, prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """The gradient of the square everywhere."""
    return right_vjp("huber", dy, prediction, target, delta=1e30, reduction=reduction)


def _cosine_of_units(dy: Any, first: Any, second: Any, labels: Any, **keywords: Any) -> Any:
    """The gradient as if the norms were constant."""
    cosine_slope = right_vjp("cosine_embedding", dy, first, second, labels, **keywords)
    norms = np.linalg.norm(first, axis=-1, keepdims=True) * np.linalg.norm(second, axis=-1, keepdims=True)
    value = reference("cosine_embedding", first, second, labels, **{**keywords, "reduction": "none"})
    active = np.where(labels > 0, -1.0, np.where(value > 0, 1.0, 0.0))[..., None]
    each = dy if keywords.get("reduction") == "none" else dy / (labels.size if keywords.get("reduction", "mean") == "mean" else 1)
    each = np.broadcast_to(each, labels.shape)[..., None]
    return {"first": (second / norms * active * each).astype(first.dtype), "second": cosine_slope["second"]}


def _not_divided_by_beta(*inputs: Any, beta: float = 1.0, **keywords: Any) -> Any:
    """The gradient of Huber's loss."""
    return right_vjp("huber", *inputs, delta=beta, **keywords)


def _swapped_positive_constant(dy: Any, *inputs: Any, swap: bool = False, **keywords: Any) -> Any:
    """The positive sample is taken for a constant where it may stand for the anchor."""
    right = right_vjp("triplet_margin", dy, *inputs, swap=swap, **keywords)
    return {**right, "positive": right["positive"] * (0.0 if swap else 1.0)}


GRADIENTS: Sequence[Row] = (
    (
        "mean_absolute_error",
        "plain",
        "targets_gradient_has_the_same_sign",
        gradient_changed("mean_absolute_error", {"target": _other_sign}),
    ),
    ("huber", "plain", "gradient_of_the_square_everywhere", _as_if_near),
    ("huber", "plain", "gradient_without_delta", vjp_without("huber", "delta")),
    ("smooth_l1", "plain", "gradient_without_beta", vjp_without("smooth_l1", "beta")),
    ("smooth_l1", "plain", "gradient_not_divided_by_beta", _not_divided_by_beta),
    ("kl_divergence", "plain", "sign_lost", gradient_changed("kl_divergence", {"log_probabilities": _other_sign})),
    (
        "negative_log_likelihood",
        "optional",
        "gradient_without_weights",
        lambda dy, log_probabilities, labels, weights=None, **keywords: right_vjp(
            "negative_log_likelihood", dy, log_probabilities, labels, None, **keywords
        ),
    ),
    ("poisson_nll", "plain", "gradient_of_logarithms_always", vjp_without("poisson_nll", "log_input")),
    ("gaussian_nll", "plain", "variance_gets_half", gradient_changed("gaussian_nll", {"variance": _half})),
    ("gaussian_nll", "plain", "variance_gets_nothing", gradient_changed("gaussian_nll", {"variance": np.zeros_like})),
    (
        "focal",
        "plain",
        "weight_taken_for_a_constant",
        lambda dy, logits, target, *, gamma=2.0, **keywords: {
            "logits": right_vjp("focal", dy, logits, target, gamma=0.0, **keywords)["logits"]
            * np.where(target > 0, expit(-logits), expit(logits)) ** gamma
        },
    ),
    (
        "margin_ranking",
        "plain",
        "second_gets_the_same",
        lambda dy, first, second, labels, **keywords: (
            {name: right_vjp("margin_ranking", dy, first, second, labels, **keywords)["first"] for name in ("first", "second")}
        ),
    ),
    ("cosine_embedding", "plain", "norms_taken_for_constants", _cosine_of_units),
    ("triplet_margin", "plain", "gradient_beyond_the_margin", _never_short),
    ("triplet_margin", "plain", "negative_gets_nothing", gradient_changed("triplet_margin", {"negative": np.zeros_like})),
    ("triplet_margin", "plain", "positive_gets_nothing_with_swap", _swapped_positive_constant),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
