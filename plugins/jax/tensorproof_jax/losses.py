"""Losses and penalties. Optax gives one value per element or sample; the reduction is a function of its own."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, optax
from tensorproof_jax.table import operations

REDUCTIONS = {"mean": jnp.mean, "sum": jnp.sum, "none": lambda losses: losses}


@operations.library
def mean_squared_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``optax.squared_error``."""
    return REDUCTIONS[reduction](optax.squared_error(prediction, target))


@operations.composed
def cross_entropy(probabilities: Native, target: Native, *, axis: int = -1, reduction: str = "mean") -> Native:
    """The formula: the cross-entropies of Optax take logits."""
    return REDUCTIONS[reduction](-jnp.sum(target * jnp.log(probabilities), axis))


@operations.composed
def binary_cross_entropy(
    probabilities: Native, target: Native, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Native:
    """The formula: ``optax.sigmoid_binary_cross_entropy`` takes logits."""
    if clipping == "log":
        raise Unsupported("there is no loss in Optax whose logarithms are clipped")
    q = jnp.clip(probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities
    return REDUCTIONS[reduction](-(target * jnp.log(q) + (1.0 - target) * jnp.log(1.0 - q)))


@operations.library
def binary_cross_entropy_with_logits(logits: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``optax.sigmoid_binary_cross_entropy``."""
    return REDUCTIONS[reduction](optax.sigmoid_binary_cross_entropy(logits, target))


def _prepared(probabilities: Native, clipping: str, epsilon: float, normalize: bool) -> Native:
    """Probabilities rescaled over the classes and clipped, as asked for."""
    if normalize:
        probabilities = probabilities / jnp.sum(probabilities, -1, keepdims=True)
    return jnp.clip(probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities


@operations.composed
def categorical_cross_entropy(
    probabilities: Native,
    target: Native,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Native:
    """The formula: the cross-entropies of Optax take logits."""
    logarithms = jnp.log(_prepared(probabilities, clipping, epsilon, normalize))
    return REDUCTIONS[reduction](-jnp.sum(target * logarithms, -1))


@operations.composed
def sparse_categorical_cross_entropy(
    probabilities: Native,
    labels: Native,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Native:
    """The formula, with ``jnp.take_along_axis``, which fills with NaN where a label is too large."""
    if out_of_range in ("zeros", "clamp"):
        raise Unsupported("jnp.take_along_axis gives NaN for a label that is too large")
    q = _prepared(probabilities, clipping, epsilon, normalize)
    return REDUCTIONS[reduction](-jnp.log(jnp.take_along_axis(q, labels[..., None], axis=-1)[..., 0]))


def _of_classes(logits: Native, target: Native, label_smoothing: float) -> Native:
    """Cross-entropies of integer or soft targets, one for each sample."""
    if jnp.issubdtype(target.dtype, jnp.integer):
        if not label_smoothing:
            return optax.softmax_cross_entropy_with_integer_labels(logits, target)
        target = jax.nn.one_hot(target, logits.shape[-1], dtype=logits.dtype)
    if label_smoothing:
        target = optax.smooth_labels(target, label_smoothing)
    return optax.softmax_cross_entropy(logits, target)


@operations.library
def softmax_cross_entropy(
    logits: Native,
    target: Native,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Native:
    """``optax.softmax_cross_entropy`` and its integer sibling, masked where a label is ignored."""
    if out_of_range in ("zeros", "clamp"):
        raise Unsupported("optax.softmax_cross_entropy_with_integer_labels gives NaN for a label that is too large")
    losses = _of_classes(logits, target, label_smoothing)
    if ignored_label is None:
        return REDUCTIONS[reduction](losses)
    kept = target != ignored_label
    if reduction == "mean":
        return jnp.mean(losses, where=kept)
    return REDUCTIONS[reduction](jnp.where(kept, losses, 0))


@operations.library
def hinge(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``optax.hinge_loss``."""
    return REDUCTIONS[reduction](optax.hinge_loss(scores, labels))


@operations.composed
def l1_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """The formula."""
    return strength * jnp.sum(jnp.abs(w))


@operations.composed
def l2_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """The formula."""
    return strength * jnp.sum(jnp.square(w))
