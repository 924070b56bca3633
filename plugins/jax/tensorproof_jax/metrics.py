"""Metrics beyond accuracies (profile ``extended``)."""

from tensorproof.backend import Native
from tensorproof_jax.framework import jnp
from tensorproof_jax.table import operations


def _counted(probabilities: Native, target: Native, threshold: float) -> tuple[Native, Native, Native]:
    """How many ones were found, how many answers are 1, and how many targets."""
    answers, ones = probabilities > threshold, target == 1
    return jnp.sum(answers & ones), jnp.sum(answers), jnp.sum(ones)


@operations.composed
def precision(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts; 0 where both are 0."""
    hits, answers, _ = _counted(probabilities, target, threshold)
    return hits / jnp.maximum(answers, 1)


@operations.composed
def recall(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts; 0 where both are 0."""
    hits, _, ones = _counted(probabilities, target, threshold)
    return hits / jnp.maximum(ones, 1)


@operations.composed
def f1_score(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """A quotient of counts; 0 where both are 0."""
    hits, answers, ones = _counted(probabilities, target, threshold)
    return 2 * hits / jnp.maximum(answers + ones, 1)


@operations.composed
def confusion_matrix(labels: Native, answers: Native, *, classes: int) -> Native:
    """Ones added at places in a matrix."""
    return jnp.zeros((classes, classes), labels.dtype).at[labels, answers].add(1, mode="promise_in_bounds")


@operations.composed
def top_k_accuracy(scores: Native, labels: Native, *, k: int = 5) -> Native:
    """The share of rows of which fewer than ``k`` scores are larger than the label's."""
    own = jnp.take_along_axis(scores, labels[:, None], -1)
    return jnp.mean((jnp.sum(scores > own, -1) < k) & jnp.isfinite(own[:, 0]))


@operations.composed
def r_squared(prediction: Native, target: Native) -> Native:
    """The formula."""
    left = jnp.mean((target - prediction) ** 2, 0)
    return jnp.mean(1 - left / jnp.mean((target - jnp.mean(target, 0)) ** 2, 0))
