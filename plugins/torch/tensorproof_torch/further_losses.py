"""Losses beyond those of the texts (profile ``extended``)."""

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.losses import _classes_second, _reduce
from tensorproof_torch.table import operations


@operations.native
def mean_absolute_error(prediction: Native, target: Native, *, reduction: str = "mean") -> Native:
    """``F.l1_loss``."""
    return F.l1_loss(prediction, target, reduction=reduction)


@operations.native
def huber(prediction: Native, target: Native, *, delta: float = 1.0, reduction: str = "mean") -> Native:
    """``F.huber_loss``."""
    return F.huber_loss(prediction, target, reduction=reduction, delta=delta)


@operations.native
def smooth_l1(prediction: Native, target: Native, *, beta: float = 1.0, reduction: str = "mean") -> Native:
    """``F.smooth_l1_loss``."""
    return F.smooth_l1_loss(prediction, target, reduction=reduction, beta=beta)


@operations.native
def kl_divergence(log_probabilities: Native, target: Native, *, log_target: bool = False, reduction: str = "mean") -> Native:
    """``F.kl_div`` without a reduction, summed over the classes: its ``batchmean`` divides by the first axis only."""
    terms = F.kl_div(log_probabilities, target, reduction="none", log_target=log_target)
    return _reduce(torch.sum(terms, -1), reduction)


@operations.native
def negative_log_likelihood(
    log_probabilities: Native,
    labels: Native,
    weights: Native | None = None,
    *,
    ignored_label: int | None = None,
    reduction: str = "mean",
) -> Native:
    """``F.nll_loss``, which ignores the label -100 unless told otherwise."""
    ignored = -100 if ignored_label is None else ignored_label
    return F.nll_loss(_classes_second(log_probabilities), labels, weights, ignore_index=ignored, reduction=reduction)


@operations.native
def poisson_nll(
    prediction: Native,
    target: Native,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Native:
    """``F.poisson_nll_loss``."""
    return F.poisson_nll_loss(prediction, target, log_input, full, eps=epsilon, reduction=reduction)


@operations.native
def gaussian_nll(
    prediction: Native,
    target: Native,
    variance: Native,
    *,
    full: bool = False,
    epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Native:
    """``F.gaussian_nll_loss``."""
    return F.gaussian_nll_loss(prediction, target, variance, full, epsilon, reduction)


@operations.composed
def focal(logits: Native, target: Native, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Native:
    """The formula: PyTorch itself has none."""
    missed = target * torch.sigmoid(-logits) + (1 - target) * torch.sigmoid(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * missed**gamma
    if alpha is not None:
        losses = (alpha * target + (1 - alpha) * (1 - target)) * losses
    return _reduce(losses, reduction)


@operations.native
def margin_ranking(first: Native, second: Native, labels: Native, *, margin: float = 0.0, reduction: str = "mean") -> Native:
    """``F.margin_ranking_loss``."""
    return F.margin_ranking_loss(first, second, labels, margin, reduction=reduction)


@operations.native
def cosine_embedding(
    first: Native, second: Native, labels: Native, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Native:
    """``F.cosine_embedding_loss``, which adds 1e-12 to squares of norms."""
    if epsilon != 1e-12:
        raise Unsupported("F.cosine_embedding_loss adds 1e-12 to squares of norms")
    return F.cosine_embedding_loss(first, second, labels, margin, reduction=reduction)


@operations.native
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
    """``F.triplet_margin_loss``, which adds epsilon to differences."""
    if epsilon_placement != "difference":
        raise Unsupported("F.triplet_margin_loss adds epsilon to differences")
    return F.triplet_margin_loss(anchor, positive, negative, margin, 2.0, epsilon, swap, reduction=reduction)


@operations.native
def soft_margin(scores: Native, labels: Native, *, reduction: str = "mean") -> Native:
    """``F.soft_margin_loss``."""
    return F.soft_margin_loss(scores, labels, reduction=reduction)


@operations.native
def multi_margin(
    scores: Native,
    labels: Native,
    weights: Native | None = None,
    *,
    power: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Native:
    """``F.multi_margin_loss``, which takes rows."""
    if scores.device.type == "cpu" and scores.dtype in (torch.bfloat16, torch.float16):
        raise Unsupported("F.multi_margin_loss has no kernel for bfloat16 and float16 on CPU")
    losses = F.multi_margin_loss(
        scores.reshape(-1, scores.shape[-1]), labels.reshape(-1), power, margin, weights, reduction=reduction
    )
    return losses.reshape(labels.shape) if reduction == "none" else losses


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
    """``F.ctc_loss`` of ``F.log_softmax``; its own mean divides by the number of labels."""
    log_probabilities = F.log_softmax(logits, -1).transpose(0, 1)
    return _reduce(F.ctc_loss(log_probabilities, labels, logit_lengths, label_lengths, blank, reduction="none"), reduction)


@operations.composed
def dice(
    probabilities: Native,
    target: Native,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Native:
    """The formula: PyTorch has none."""
    axes = tuple(range(1, probabilities.ndim))
    common = 2 * (probabilities * target).sum(axes) + (epsilon if epsilon_placement == "both" else 0)
    return _reduce(1 - common / (probabilities.sum(axes) + target.sum(axes) + epsilon), reduction)
