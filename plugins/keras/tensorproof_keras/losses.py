"""Losses and penalties. Keras gives one value for each element or sample; the reduction is a function of its own."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_keras.engines import keras
from tensorproof_keras.functions import dtype_of, require_convention
from tensorproof_keras.table import operations

ops = keras.ops


def _reduced(losses: Native, reduction: str) -> Native:
    return {"mean": ops.mean, "sum": ops.sum, "none": ops.copy}[reduction](losses)


def _prepared(clipping: str, epsilon: float, normalize: bool) -> bool:
    """Whether Keras's own loss does what is asked: it rescales and clips, both or neither."""
    if clipping == "none" and not normalize:
        return False
    if clipping == "none" or not normalize:
        raise Unsupported("Keras rescales and clips probabilities, both")
    _require_epsilon(epsilon)
    return True


def _require_epsilon(epsilon: float) -> None:
    if epsilon != keras.config.epsilon():
        raise Unsupported(f"Keras clips to its global epsilon, {keras.config.epsilon()}")


@operations.composed
def mean_squared_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``ops.square`` of the difference: ``losses.mean_squared_error`` takes the mean of the last axis always."""
    return _reduced(ops.square(prediction - target), reduction)


@operations.composed
def cross_entropy(probabilities: Native, target: Native, *, axis: int = -1, reduction: str = "mean") -> Native:
    """The formula: the cross-entropies of Keras clip and rescale."""
    return _reduced(-ops.sum(target * ops.log(probabilities), axis=axis), reduction)


@operations.native
def binary_cross_entropy(
    probabilities: Native, target: Native, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Native:
    """``ops.binary_crossentropy``, which clips probabilities; the formula without clipping."""
    if clipping == "log":
        raise Unsupported("Keras clips probabilities, not logarithms")
    if clipping == "none":
        losses = -(target * ops.log(probabilities) + (1 - target) * ops.log(1 - probabilities))
        return _reduced(losses, reduction)
    _require_epsilon(epsilon)
    return _reduced(ops.binary_crossentropy(target, probabilities), reduction)


@operations.native
def binary_cross_entropy_with_logits(logits: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``ops.binary_crossentropy`` from logits."""
    return _reduced(ops.binary_crossentropy(target, logits, from_logits=True), reduction)


@operations.native
def categorical_cross_entropy(
    probabilities: Native,
    target: Native,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Native:
    """``ops.categorical_crossentropy``, which rescales and clips; the formula if neither is asked for."""
    if not _prepared(clipping, epsilon, normalize):
        return cross_entropy(probabilities, target, reduction=reduction)
    return _reduced(ops.categorical_crossentropy(target, probabilities), reduction)


@operations.native
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
    """``ops.sparse_categorical_crossentropy``, which rescales and clips; the formula if neither is asked for."""
    require_convention("sparse_categorical_cross_entropy", out_of_range)
    if not _prepared(clipping, epsilon, normalize):
        chosen = ops.take_along_axis(probabilities, ops.expand_dims(labels, -1), axis=-1)
        return _reduced(-ops.log(ops.squeeze(chosen, -1)), reduction)
    return _reduced(ops.sparse_categorical_crossentropy(labels, probabilities), reduction)


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
    """``ops.sparse_categorical_crossentropy`` and ``ops.categorical_crossentropy`` from logits, smoothed by ``keras.losses``."""
    require_convention("softmax_cross_entropy", out_of_range)
    if ignored_label is not None:
        raise Unsupported("keras.ops ignores no label")
    if dtype_of(target).startswith("int"):
        if not label_smoothing:
            return _reduced(ops.sparse_categorical_crossentropy(target, logits, from_logits=True), reduction)
        target = ops.one_hot(target, logits.shape[-1], dtype=dtype_of(logits))
    smoothed: Any = keras.losses.categorical_crossentropy
    return _reduced(smoothed(target, logits, from_logits=True, label_smoothing=label_smoothing), reduction)


@operations.native
def hinge(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``losses.hinge`` over a last axis of size 1, since it takes the mean of the last axis."""
    losses = keras.losses.hinge(ops.expand_dims(labels, -1), ops.expand_dims(scores, -1))
    return _reduced(losses, reduction)


@operations.native
def l1_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """``regularizers.L1``."""
    return keras.regularizers.L1(strength)(w)


@operations.native
def l2_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """``regularizers.L2``."""
    return keras.regularizers.L2(strength)(w)
