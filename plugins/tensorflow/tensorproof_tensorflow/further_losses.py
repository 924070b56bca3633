"""Losses beyond those of the texts (profile ``extended``): those of Keras, and formulas where it has none."""

import math

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.losses import REDUCTIONS
from tensorproof_tensorflow.table import operations


def _columns(prediction: Native, target: Native, reduction: str) -> tuple[Native, Native]:
    """Both over a last axis of size 1 where elements are not to be averaged, for Keras takes the mean over the last axis."""
    return (prediction, target) if reduction == "mean" else (prediction[..., tf.newaxis], target[..., tf.newaxis])


@operations.library
def mean_absolute_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``keras.losses.mean_absolute_error``."""
    prediction, target = _columns(prediction, target, reduction)
    return REDUCTIONS[reduction](keras.losses.mean_absolute_error(target, prediction))


@operations.library
def huber(prediction: Native, target: Native, *, delta: float = 1.0, reduction: str = "mean") -> Native:
    """``keras.losses.huber``."""
    prediction, target = _columns(prediction, target, reduction)
    return REDUCTIONS[reduction](keras.losses.huber(target, prediction, delta))


@operations.composed
def smooth_l1(prediction: Native, target: Native, *, beta: float = 1.0, reduction: str = "mean") -> Native:
    """``keras.losses.huber``, divided by beta."""
    prediction, target = _columns(prediction, target, reduction)
    return REDUCTIONS[reduction](keras.losses.huber(target, prediction, beta) / beta)


@operations.composed
def kl_divergence(log_probabilities: Native, target: Native, *, log_target: bool = False, reduction: str = "mean") -> Native:
    """The formula: ``keras.losses.kl_divergence`` takes probabilities, and clips them."""
    if log_target:
        terms = tf.exp(target) * (target - log_probabilities)
    else:
        terms = tf.math.xlogy(target, target) - target * log_probabilities
    return REDUCTIONS[reduction](tf.reduce_sum(terms, axis=-1))


@operations.composed
def negative_log_likelihood(
    log_probabilities: Native,
    labels: Native,
    weights: Native | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Native:
    """The formula: the cross-entropies of TensorFlow and Keras take logits or probabilities."""
    kept = tf.ones_like(labels, tf.bool) if ignored_label is None else labels != ignored_label
    chosen = tf.where(kept, labels, 0)
    picked = tf.gather(log_probabilities, chosen, axis=-1, batch_dims=len(labels.shape))
    factors = tf.ones_like(picked) if weights is None else tf.gather(weights, chosen)
    losses = tf.where(kept, -factors * picked, 0)
    if reduction == "mean":
        return tf.reduce_sum(losses) / tf.reduce_sum(tf.where(kept, factors, 0))
    return REDUCTIONS[reduction](losses)


@operations.library
def poisson_nll(
    prediction: Native,
    target: Native,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Native:
    """``keras.losses.poisson`` for rates and Keras's epsilon; the formula for logarithms of rates and another epsilon."""
    if not log_input and not full and epsilon == keras.config.epsilon():
        prediction, target = _columns(prediction, target, reduction)
        return REDUCTIONS[reduction](keras.losses.poisson(target, prediction))
    losses = tf.exp(prediction) - target * prediction if log_input else prediction - target * tf.math.log(prediction + epsilon)
    if full:
        above = tf.where(target > 1, target, 1)
        losses += tf.where(target > 1, above * tf.math.log(above) - above + 0.5 * tf.math.log(2 * math.pi * above), 0)
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
    """The formula: Keras has none."""
    v = tf.maximum(variance, epsilon)
    losses = 0.5 * (tf.math.log(v) + tf.square(prediction - target) / v)
    return REDUCTIONS[reduction](losses + 0.5 * math.log(2 * math.pi) if full else losses)


@operations.composed
def focal(logits: Native, target: Native, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Native:
    """The formula: ``keras.losses.binary_focal_crossentropy`` clips probabilities, of logits too."""
    missed = target * tf.sigmoid(-logits) + (1 - target) * tf.sigmoid(logits)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits) * tf.pow(missed, gamma)
    if alpha is not None:
        losses = (alpha * target + (1 - alpha) * (1 - target)) * losses
    return REDUCTIONS[reduction](losses)


@operations.composed
def margin_ranking(first: Native, second: Native, labels: Native, *, margin: float = 0.0, reduction: str = "mean") -> Native:
    """The formula: Keras has none."""
    return REDUCTIONS[reduction](tf.nn.relu(-labels * (first - second) + margin))


@operations.composed
def cosine_embedding(
    first: Native, second: Native, labels: Native, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Native:
    """The formula, with ``keras.losses.cosine_similarity``, which is negative."""
    if epsilon:
        raise Unsupported("keras.losses.cosine_similarity adds nothing to squares of norms")
    cosine = -keras.losses.cosine_similarity(first, second)
    return REDUCTIONS[reduction](tf.where(labels > 0, 1 - cosine, tf.nn.relu(cosine - margin)))


@operations.composed
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
    """The formula: Keras has none."""

    def distance(a: Native, b: Native) -> Native:
        if epsilon_placement == "root":
            return tf.sqrt(tf.reduce_sum(tf.square(a - b), axis=-1) + epsilon)
        return tf.norm(a - b + epsilon, axis=-1)

    far = distance(anchor, negative)
    if swap:
        far = tf.minimum(far, distance(positive, negative))
    return REDUCTIONS[reduction](tf.nn.relu(distance(anchor, positive) - far + margin))


@operations.composed
def soft_margin(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``tf.math.softplus``: neither TensorFlow nor Keras has one."""
    return REDUCTIONS[reduction](tf.math.softplus(-labels * scores))


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
    """The formula: ``keras.losses.categorical_hinge`` takes the largest of the classes instead of their sum."""
    here = tf.one_hot(labels, scores.shape[-1], True, False)
    lacking = margin - tf.gather(scores, labels[..., tf.newaxis], axis=-1, batch_dims=labels.shape.rank) + scores
    lost = tf.reduce_sum(tf.where(here, tf.zeros_like(lacking), tf.nn.relu(lacking) ** power), -1) / scores.shape[-1]
    return REDUCTIONS[reduction](lost if weights is None else tf.gather(weights, labels) * lost)


@operations.native
def ctc(
    logits: Native,
    labels: Native,
    logit_lengths: Native,
    label_lengths: Native,
    *,
    blank: int = 0,
    reduction: str = "mean",
) -> Native:
    """``tf.nn.ctc_loss`` of dense labels."""
    losses = tf.nn.ctc_loss(labels, logits, label_lengths, logit_lengths, logits_time_major=False, blank_index=blank)
    return REDUCTIONS[reduction](losses)


@operations.library
def dice(
    probabilities: Native,
    target: Native,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Native:
    """``keras.losses.dice``, which adds its own epsilon to the denominator."""
    if epsilon_placement != "denominator" or epsilon != keras.config.epsilon():
        raise Unsupported("keras.losses.dice adds keras.config.epsilon() to the denominator")
    return REDUCTIONS[reduction](keras.losses.dice(target, probabilities, axis=tuple(range(1, probabilities.shape.rank))))
