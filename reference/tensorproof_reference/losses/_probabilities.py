"""What losses of probabilities share: clipping and normalising them, and the derivatives of both."""

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.trees import Array


def clipped(probabilities: Array, clipping: str, epsilon: float) -> Array:
    """The probabilities, brought into [ε, 1 - ε] if ``clipping`` is ``"probability"``."""
    require(0.0 < epsilon < 0.5, "epsilon", "a number between 0 and 0.5", epsilon)
    return np.clip(probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities


def unclipped_cotangent(d_clipped: Array, probabilities: Array, clipping: str, epsilon: float) -> Array:
    """The adjoint of ``clipped``: zero outside [ε, 1 - ε], unchanged within, at the ends, and for NaN."""
    if clipping != "probability":
        return d_clipped
    return np.where((probabilities < epsilon) | (probabilities > 1.0 - epsilon), 0.0, d_clipped)


def normalized(probabilities: Array, normalize: bool) -> Array:
    """The probabilities, divided by their sum over the classes (the last axis) if ``normalize``."""
    return probabilities / np.sum(probabilities, axis=-1, keepdims=True) if normalize else probabilities


def unnormalized_cotangent(d_normalized: Array, probabilities: Array, normalize: bool) -> Array:
    r"""The adjoint of ``normalized``: with s the sum and q = p/s, :math:`dp = (dq - \sum_k dq_k q_k) / s`."""
    if not normalize:
        return d_normalized
    total = np.sum(probabilities, axis=-1, keepdims=True)
    return (d_normalized - np.sum(d_normalized * (probabilities / total), axis=-1, keepdims=True)) / total


def require_clipping(clipping: str, choices: tuple[str, ...] = ("none", "probability")) -> None:
    """Raise ``ValueError`` unless the convention is known."""
    require_choice(clipping, "clipping", choices)
