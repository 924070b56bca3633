"""Losses and penalties. PyTorch's own have the classes on axis 1."""

import torch
import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.lookup import require_error
from tensorproof_torch.table import operations


def _reduce(losses: Native, reduction: str) -> Native:
    """The reduction, for losses that are composed here."""
    if reduction == "none":
        return losses
    return torch.mean(losses) if reduction == "mean" else torch.sum(losses)


def _classes_second(x: Native) -> Native:
    """A view with the last axis, of classes, second (first if it is the only one)."""
    return x.movedim(-1, 1) if x.ndim > 2 else x


@operations.native
def mean_squared_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``F.mse_loss``."""
    return F.mse_loss(prediction, target, reduction=reduction)


@operations.composed
def cross_entropy(probabilities: Native, target: Native, *, axis: int = -1, reduction: str = "mean") -> Native:
    """The formula: ``F.cross_entropy`` takes logits."""
    return _reduce(-torch.sum(target * torch.log(probabilities), axis), reduction)


@operations.native
def binary_cross_entropy(
    probabilities: Native, target: Native, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Native:
    """``F.binary_cross_entropy``, which clamps logarithms at -100: no clipping but where a probability is exactly 0 or 1."""
    if clipping == "probability":
        probabilities = torch.clamp(probabilities, epsilon, 1.0 - epsilon)
    return F.binary_cross_entropy(probabilities, target, reduction=reduction)


@operations.native
def binary_cross_entropy_with_logits(logits: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``F.binary_cross_entropy_with_logits``."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction=reduction)


def _prepared(probabilities: Native, clipping: str, epsilon: float, normalize: bool) -> Native:
    """Probabilities rescaled over the classes and clipped, as asked for."""
    if normalize:
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return torch.clamp(probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities


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
    """The formula: ``F.cross_entropy`` takes logits."""
    logarithms = torch.log(_prepared(probabilities, clipping, epsilon, normalize))
    return _reduce(-torch.sum(target * logarithms, -1), reduction)


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
    """``F.nll_loss`` of the logarithm."""
    require_error(out_of_range)
    logarithms = torch.log(_prepared(probabilities, clipping, epsilon, normalize))
    return F.nll_loss(_classes_second(logarithms), labels, reduction=reduction)


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
    """``F.cross_entropy``, which ignores the label -100 unless told otherwise."""
    require_error(out_of_range)
    if target.is_floating_point():
        target = _classes_second(target)
    ignored = -100 if ignored_label is None else ignored_label
    return F.cross_entropy(
        _classes_second(logits), target, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )


@operations.composed
def hinge(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """The formula: the hinge losses of ``torch.nn.functional`` are others."""
    return _reduce(F.relu(1.0 - labels * scores), reduction)


@operations.composed
def l1_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """The formula."""
    return strength * torch.sum(torch.abs(w))


@operations.composed
def l2_penalty(w: Native, *, strength: float = 0.01) -> Native:
    """The formula."""
    return strength * torch.sum(torch.square(w))
