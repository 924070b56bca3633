"""Losses beyond those of the texts (profile ``extended``)."""

import math

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, optax
from tensorproof_jax.losses import REDUCTIONS
from tensorproof_jax.table import operations


@operations.composed
def mean_absolute_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """The formula: Optax has none."""
    return REDUCTIONS[reduction](jnp.abs(prediction - target))


@operations.library
def huber(prediction: Native, target: Native, *, delta: float = 1.0, reduction: str = "mean") -> Native:
    """``optax.huber_loss``."""
    return REDUCTIONS[reduction](optax.huber_loss(prediction, target, delta=delta))


@operations.composed
def smooth_l1(prediction: Native, target: Native, *, beta: float = 1.0, reduction: str = "mean") -> Native:
    """``optax.huber_loss``, divided by beta."""
    return REDUCTIONS[reduction](optax.huber_loss(prediction, target, delta=beta) / beta)


@operations.library
def kl_divergence(log_probabilities: Native, target: Native, *, log_target: bool = False, reduction: str = "mean") -> Native:
    """``optax.losses.kl_divergence`` and ``kl_divergence_with_log_targets``."""
    divergence = optax.losses.kl_divergence_with_log_targets if log_target else optax.losses.kl_divergence
    return REDUCTIONS[reduction](divergence(log_probabilities, target))


@operations.composed
def negative_log_likelihood(
    log_probabilities: Native,
    labels: Native,
    weights: Native | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Native:
    """The formula: the cross-entropies of Optax take logits."""
    kept = jnp.ones(labels.shape, bool) if ignored_label is None else labels != ignored_label
    chosen = jnp.where(kept, labels, 0)
    factors = jnp.ones_like(log_probabilities[..., 0]) if weights is None else weights[chosen]
    losses = -factors * jnp.take_along_axis(log_probabilities, chosen[..., None], axis=-1)[..., 0]
    losses = jnp.where(kept, losses, 0)
    if reduction == "mean":
        return jnp.sum(losses) / jnp.sum(jnp.where(kept, factors, 0))
    return REDUCTIONS[reduction](losses)


@operations.composed
def poisson_nll(
    prediction: Native,
    target: Native,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Native:
    """The formula: Optax has none."""
    losses = jnp.exp(prediction) - target * prediction if log_input else prediction - target * jnp.log(prediction + epsilon)
    if full:
        above = jnp.where(target > 1, target, 1)
        losses += jnp.where(target > 1, above * jnp.log(above) - above + 0.5 * jnp.log(2 * math.pi * above), 0)
    return REDUCTIONS[reduction](losses)


@operations.composed
def gaussian_nll(
    prediction: Native,
    target: Native,
    variance: Native,
    *,
    full: bool = False,
    epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Native:
    """The formula: Optax has none."""
    v = jnp.maximum(variance, epsilon)
    losses = 0.5 * (jnp.log(v) + jnp.square(prediction - target) / v)
    return REDUCTIONS[reduction](losses + 0.5 * math.log(2 * math.pi) if full else losses)


@operations.library
def focal(logits: Native, target: Native, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Native:
    """``optax.sigmoid_focal_loss``."""
    return REDUCTIONS[reduction](optax.sigmoid_focal_loss(logits, target, alpha=alpha, gamma=gamma))


@operations.composed
def margin_ranking(first: Native, second: Native, labels: Native, *, margin: float = 0.0, reduction: str = "mean") -> Native:
    """The formula: Optax has none."""
    return REDUCTIONS[reduction](jax.nn.relu(-labels * (first - second) + margin))


@operations.composed
def cosine_embedding(
    first: Native, second: Native, labels: Native, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Native:
    """The formula, with ``optax.cosine_similarity``."""
    if epsilon:
        raise Unsupported("optax.cosine_similarity adds nothing to squares of norms")
    cosine = optax.cosine_similarity(first, second)
    return REDUCTIONS[reduction](jnp.where(labels > 0, 1 - cosine, jax.nn.relu(cosine - margin)))


@operations.library
def triplet_margin(
    anchor: Native,
    positive: Native,
    negative: Native,
    *,
    margin: float = 1.0,
    swap: bool = False,
    epsilon: float = 1e-6,
    epsilon_placement: str = "difference",
    reduction: str = "mean",
) -> Native:
    """``optax.losses.triplet_margin_loss``, which adds epsilon to the sum of squares."""
    if epsilon_placement != "root" or swap:
        raise Unsupported("optax.losses.triplet_margin_loss adds epsilon under the root, and has no swap")
    losses = optax.losses.triplet_margin_loss(anchor, positive, negative, margin=margin, eps=epsilon)
    return REDUCTIONS[reduction](losses)


@operations.composed
def soft_margin(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``jax.nn.softplus``: Optax has labels of 0 and 1 only."""
    return REDUCTIONS[reduction](jax.nn.softplus(-labels * scores))


@operations.composed
def multi_margin(
    scores: Native,
    labels: Native,
    weights: Native | None = None,
    *,
    power: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Native:
    """The formula: ``optax.losses.multiclass_hinge_loss`` takes the largest of the classes instead of their sum."""
    here = jax.nn.one_hot(labels, scores.shape[-1], dtype=bool)
    lacking = margin - jnp.take_along_axis(scores, labels[..., None], -1) + scores
    lost = jnp.sum(jnp.where(here, 0, jax.nn.relu(lacking) ** power), -1) / scores.shape[-1]
    return REDUCTIONS[reduction](lost if weights is None else weights[labels] * lost)


@operations.library
def ctc(
    logits: Native,
    labels: Native,
    logit_lengths: Native,
    label_lengths: Native,
    *,
    blank: int = 0,
    reduction: str = "mean",
) -> Native:
    """``optax.ctc_loss``."""
    beyond = jnp.arange(logits.shape[1]) >= logit_lengths[:, None]
    unnamed = jnp.arange(labels.shape[1]) >= label_lengths[:, None]
    losses = optax.ctc_loss(logits, beyond.astype(logits.dtype), labels, unnamed.astype(logits.dtype), blank_id=blank)
    return REDUCTIONS[reduction](losses)


@operations.composed
def dice(
    probabilities: Native,
    target: Native,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Native:
    """The formula: ``optax.losses.dice_loss`` refuses probabilities of two classes, whose sum over an axis is not 1."""
    axes = tuple(range(1, probabilities.ndim))
    common = 2 * jnp.sum(probabilities * target, axes) + (epsilon if epsilon_placement == "both" else 0)
    return REDUCTIONS[reduction](1 - common / (jnp.sum(probabilities, axes) + jnp.sum(target, axes) + epsilon))
