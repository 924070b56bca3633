"""Losses and penalties."""

import paddle
import paddle.nn.functional as F

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, composed, native


def _reduced(losses: Native, of: Given) -> Native:
    """The reduction, for losses that are composed here, and for those whose axis of classes stays with length 1."""
    return {"none": lambda x: x, "mean": paddle.mean, "sum": paddle.sum}[of.reduction](losses)


def _prepared(of: Given) -> Native:
    """Probabilities rescaled over the classes and clipped, as asked for."""
    probabilities = of.probabilities
    if getattr(of, "normalize", False):
        probabilities = probabilities / paddle.sum(probabilities, -1, keepdim=True)
    return paddle.clip(probabilities, of.epsilon, 1.0 - of.epsilon) if of.clipping == "probability" else probabilities


def _of_soft_targets(scores: Native, of: Given, axis: int = -1, **options: bool | float) -> Native:
    losses = F.cross_entropy(scores, of.target, soft_label=True, axis=axis, reduction="none", **options)
    return _reduced(paddle.squeeze(losses, axis), of)


def _softmax_cross_entropy(of: Given) -> Native:
    """``F.cross_entropy``, which ignores the label -100 unless told otherwise."""
    if of.target.is_floating_point():
        return _of_soft_targets(of.logits, of, label_smoothing=of.label_smoothing)
    ignored = -100 if of.ignored_label is None else of.ignored_label
    options = {"ignore_index": ignored, "label_smoothing": of.label_smoothing, "reduction": of.reduction}
    losses = F.cross_entropy(of.logits, of.target, **options)
    return losses.reshape(of.target.shape) if of.reduction == "none" else losses


def _sparse(of: Given) -> Native:
    """``F.cross_entropy`` of probabilities."""
    return F.cross_entropy(_prepared(of), of.labels, use_softmax=False, reduction=of.reduction)


native("mean_squared_error", lambda of: F.mse_loss(of.prediction, of.target, of.reduction))
native("binary_cross_entropy", lambda of: F.binary_cross_entropy(_prepared(of), of.target, reduction=of.reduction))
native(
    "binary_cross_entropy_with_logits",
    lambda of: F.binary_cross_entropy_with_logits(of.logits, of.target, reduction=of.reduction),
)
native("cross_entropy", lambda of: _of_soft_targets(of.probabilities, of, of.axis, use_softmax=False))
native("categorical_cross_entropy", lambda of: _of_soft_targets(_prepared(of), of, use_softmax=False))
native("sparse_categorical_cross_entropy", _sparse, out_of_range="error")
native("softmax_cross_entropy", _softmax_cross_entropy, out_of_range="error")
composed("hinge", lambda of: _reduced(F.relu(1.0 - of.labels * of.scores), of))
composed("l1_penalty", lambda of: of.strength * paddle.sum(paddle.abs(of.w)))
composed("l2_penalty", lambda of: of.strength * paddle.sum(paddle.square(of.w)))
