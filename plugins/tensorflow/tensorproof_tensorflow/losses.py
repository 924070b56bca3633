"""Losses and penalties. TensorFlow and Keras give one value per element or sample; the reduction is a function of its own."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

REDUCTIONS = {"mean": tf.reduce_mean, "sum": tf.reduce_sum, "none": tf.identity}


def _require_epsilon(epsilon: float) -> None:
    if epsilon != keras.config.epsilon():
        raise Unsupported(f"Keras clips to its global epsilon, {keras.config.epsilon()}")


@operations.library
def mean_squared_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``keras.losses.mean_squared_error``, over a last axis of size 1 where elements are not to be averaged."""
    if reduction != "mean":
        prediction, target = prediction[..., tf.newaxis], target[..., tf.newaxis]
    return REDUCTIONS[reduction](keras.losses.mean_squared_error(target, prediction))


@operations.composed
def cross_entropy(probabilities: Native, target: Native, *, axis: int = -1, reduction: str = "mean") -> Native:
    """The formula: the cross-entropies of Keras clip and rescale."""
    return REDUCTIONS[reduction](-tf.reduce_sum(target * tf.math.log(probabilities), axis=axis))


@operations.library
def binary_cross_entropy(
    probabilities: Native, target: Native, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Native:
    """``keras.ops.binary_crossentropy``, which clips probabilities; the formula without clipping."""
    if clipping == "log":
        raise Unsupported("Keras clips probabilities, not logarithms")
    if clipping == "none":
        losses = -(target * tf.math.log(probabilities) + (1 - target) * tf.math.log(1 - probabilities))
    else:
        _require_epsilon(epsilon)
        losses = keras.ops.binary_crossentropy(target, probabilities)
    return REDUCTIONS[reduction](losses)


@operations.native
def binary_cross_entropy_with_logits(logits: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``tf.nn.sigmoid_cross_entropy_with_logits``."""
    return REDUCTIONS[reduction](tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits))


@operations.library
def categorical_cross_entropy(
    probabilities: Native,
    target: Native,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Native:
    """``keras.ops.categorical_crossentropy``, which rescales and clips; the formula if neither is asked for."""
    if clipping == "none" and not normalize:
        return cross_entropy(probabilities, target, reduction=reduction)
    if clipping == "none" or not normalize:
        raise Unsupported("Keras rescales and clips probabilities, both")
    _require_epsilon(epsilon)
    return REDUCTIONS[reduction](keras.ops.categorical_crossentropy(target, probabilities))


@operations.library
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
    """``keras.ops.sparse_categorical_crossentropy``, which clips and rescales; the formula if neither is asked for."""
    if clipping == "none" and not normalize:
        chosen = tf.gather(probabilities, labels, axis=-1, batch_dims=len(labels.shape))
        return REDUCTIONS[reduction](-tf.math.log(chosen))
    if clipping == "none" or not normalize:
        raise Unsupported("Keras clips and rescales probabilities, both")
    _require_epsilon(epsilon)
    return REDUCTIONS[reduction](keras.ops.sparse_categorical_crossentropy(labels, probabilities))


def _of_classes(logits: Native, target: Native, label_smoothing: float) -> Native:
    """Cross-entropies of integer or soft targets, one for each sample."""
    if target.dtype.is_integer:
        if not label_smoothing:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits)
        target = tf.one_hot(target, logits.shape[-1], dtype=logits.dtype)
    if label_smoothing:
        return keras.losses.categorical_crossentropy(target, logits, from_logits=True, label_smoothing=label_smoothing)
    return tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits)


@operations.native
def softmax_cross_entropy(
    logits: Native,
    target: Native,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Native:
    """``tf.nn.softmax_cross_entropy_with_logits`` and its sparse sibling; label smoothing and ignored labels by Keras."""
    if ignored_label is None:
        return REDUCTIONS[reduction](_of_classes(logits, target, label_smoothing))
    kept = target != ignored_label
    if label_smoothing:
        losses = tf.where(kept, _of_classes(logits, target, label_smoothing), 0)
    else:
        losses = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True, ignore_class=ignored_label)
    if reduction == "mean":
        return tf.reduce_sum(losses) / tf.reduce_sum(tf.cast(kept, losses.dtype))
    return REDUCTIONS[reduction](losses)


@operations.library
def hinge(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``keras.losses.hinge``, over a last axis of size 1 where elements are not to be averaged."""
    if reduction != "mean":
        scores, labels = scores[..., tf.newaxis], labels[..., tf.newaxis]
    return REDUCTIONS[reduction](keras.losses.hinge(labels, scores))


@operations.library
def l1_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """``keras.regularizers.L1``."""
    return keras.regularizers.L1(strength)(w)


@operations.library
def l2_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """``keras.regularizers.L2``."""
    return keras.regularizers.L2(strength)(w)
