"""What all losses share: reducing the loss of each sample to one number, and spreading the cotangent back."""

import math

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.trees import Array

REDUCTIONS = ("mean", "sum", "none")


def reduced(losses: Array, reduction: str, count: int | None = None) -> Array:
    """The mean, the sum, or the losses as they are.

    ``count`` is the divisor of the mean where it is not the number of losses (some are ignored, and are zero in ``losses``).

    Raises: ``ValueError`` if ``reduction`` is unknown.
    """
    require_choice(reduction, "reduction", REDUCTIONS)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.sum(losses)
    return np.mean(losses) if count is None else np.sum(losses) / count


def spread(dy: Array, shape: tuple[int, ...], reduction: str, count: int | None = None) -> Array:
    """The cotangent of each loss, given that of the reduced result: the adjoint of ``reduced``."""
    require_choice(reduction, "reduction", REDUCTIONS)
    if reduction == "none":
        return dy
    if reduction == "mean":
        dy = dy / (math.prod(shape) if count is None else count)
    return np.broadcast_to(dy, shape)
