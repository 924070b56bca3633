"""Metrics beyond accuracies (profile ``extended``)."""

import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.table import operations


def _quotient(part: Native, whole: Native) -> Native:
    """In float32; 0 where both are 0."""
    return part.float() / whole.clamp(min=1).float()


def _counted(probabilities: Native, target: Native, threshold: float) -> tuple[Native, Native, Native]:
    """How many ones were found, how many answers are 1, and how many targets."""
    answers, ones = probabilities > threshold, target.bool()
    return (answers & ones).sum(), answers.sum(), ones.sum()


@operations.composed
def precision(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts."""
    hits, answers, _ = _counted(probabilities, target, threshold)
    return _quotient(hits, answers)


@operations.composed
def recall(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts."""
    hits, _, ones = _counted(probabilities, target, threshold)
    return _quotient(hits, ones)


@operations.composed
def f1_score(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts."""
    hits, answers, ones = _counted(probabilities, target, threshold)
    return _quotient(2 * hits, answers + ones)


@operations.composed
def confusion_matrix(labels: Native, answers: Native, *, classes: int) -> Native:
    """A product of ``F.one_hot``."""
    return F.one_hot(labels, classes).T @ F.one_hot(answers, classes)


@operations.composed
def top_k_accuracy(scores: Native, labels: Native, *, k: int = 5) -> Native:
    """The share of rows of which fewer than ``k`` scores are larger than the label's."""
    own = scores.gather(-1, labels[:, None])
    right = ((scores > own).sum(-1) < k) & own[:, 0].isfinite()
    return right.float().mean()


@operations.composed
def r_squared(prediction: Native, target: Native) -> Native:
    """The formula."""
    left = ((target - prediction) ** 2).mean(0)
    return (1 - left / ((target - target.mean(0)) ** 2).mean(0)).mean()
