"""Losses and penalties, as their formulas: PyTensor has none."""

from typing import Any

import pytensor.tensor as pt
from pytensor.tensor import special

from tensorproof.backend import Native
from tensorproof_pytensor.functions import in_range, one_hot, relu, replaced
from tensorproof_pytensor.table import Given, composed, require, sizes

REDUCTIONS: dict[str, Any] = {"none": lambda x: x, "mean": pt.mean, "sum": pt.sum}


def _reduced(losses: Native, of: Given) -> Native:
    return REDUCTIONS[of.reduction](losses)


def _prepared(of: Given) -> Native:
    """Probabilities rescaled over the classes and clipped, as asked for."""
    probabilities = of.probabilities
    if getattr(of, "normalize", False):
        probabilities = probabilities / pt.sum(probabilities, axis=-1, keepdims=True)
    return pt.clip(probabilities, of.epsilon, 1.0 - of.epsilon) if of.clipping == "probability" else probabilities


def _binary(of: Given) -> Native:
    require(of.clipping != "log", "a gradient of clipped logarithms that stays finite is PyTorch's own")
    q = _prepared(of)
    return _reduced(-(of.target * pt.log(q) + (1.0 - of.target) * pt.log(1.0 - q)), of)


def _picked(x: Native, labels: Native) -> Native:
    """The element of each row that the label names."""
    return pt.take_along_axis(x, labels[..., None], axis=-1)[..., 0]


def _sparse(of: Given) -> Native:
    labels, outside = in_range(of.labels, sizes(of.probabilities)[-1], of.out_of_range)
    return _reduced(replaced(-pt.log(_picked(_prepared(of), labels)), outside, of.out_of_range), of)


def _softmax_cross_entropy(of: Given) -> Native:
    logs, classes, smoothing = special.log_softmax(of.logits, -1), sizes(of.logits)[-1], of.label_smoothing
    if of.target.dtype.startswith("float"):
        return _reduced(-pt.sum(((1.0 - smoothing) * of.target + smoothing / classes) * logs, axis=-1), of)
    ignored = pt.zeros_like(of.target, "bool") if of.ignored_label is None else pt.eq(of.target, of.ignored_label)
    labels, outside = in_range(pt.switch(ignored, 0, of.target), classes, of.out_of_range)
    if smoothing:
        weights = one_hot(of.target, classes, "zeros" if of.out_of_range == "error" else of.out_of_range)
        losses = -pt.sum(((1.0 - smoothing) * weights + smoothing / classes) * logs, axis=-1)
    else:
        losses = replaced(-_picked(logs, labels), outside, of.out_of_range)
    losses = pt.switch(ignored, 0.0, losses)
    return pt.sum(losses) / pt.sum(pt.cast(~ignored, losses.dtype)) if of.reduction == "mean" else _reduced(losses, of)


def _with_logits(of: Given) -> Native:
    return _reduced(of.target * pt.softplus(-of.logits) + (1.0 - of.target) * pt.softplus(of.logits), of)


composed("mean_squared_error", lambda of: _reduced(pt.sqr(of.prediction - of.target), of))
composed("binary_cross_entropy", _binary)
composed("binary_cross_entropy_with_logits", _with_logits)
composed("cross_entropy", lambda of: _reduced(-pt.sum(of.target * pt.log(of.probabilities), axis=of.axis), of))
composed("categorical_cross_entropy", lambda of: _reduced(-pt.sum(of.target * pt.log(_prepared(of)), axis=-1), of))
composed("sparse_categorical_cross_entropy", _sparse)
composed("softmax_cross_entropy", _softmax_cross_entropy)
composed("hinge", lambda of: _reduced(relu(1.0 - of.labels * of.scores), of))
composed("l1_penalty", lambda of: of.strength * pt.sum(pt.abs(of.w)))
composed("l2_penalty", lambda of: of.strength * pt.sum(pt.sqr(of.w)))
