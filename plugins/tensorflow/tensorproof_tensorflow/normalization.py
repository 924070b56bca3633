"""Batch and layer normalization: the layers of Keras."""

import math

from tensorproof.backend import Native
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {"batch_norm": {"x": "n ... c", "y": "n ... c"}}


@operations.library
def batch_norm(
    x: Native,
    scale: Native | None,
    offset: Native | None,
    running_mean: Native,
    running_variance: Native,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, Native, Native]:
    """``keras.layers.BatchNormalization``. Its running variance is the biased one; the other is added to its result."""
    y, (mean, variance) = layers.call(
        *("BatchNormalization", x, _given(scale, offset), [running_mean, running_variance]),
        arguments={"training": training},
        **{"momentum": momentum, "epsilon": epsilon, "scale": scale is not None, "center": offset is not None},
    )
    if training and running_variance_estimate == "unbiased":
        variance = _unbiased(x, running_variance, momentum)
    return y, mean, variance


def _given(scale: Native | None, offset: Native | None) -> list[Native]:
    return [weight for weight in (scale, offset) if weight is not None]


def _unbiased(x: Native, running_variance: Native, momentum: float) -> Native:
    """The running variance with Bessel's correction, as users write it who need it: from ``tf.nn.moments``."""
    axes = list(range(len(x.shape) - 1))
    count = math.prod(x.shape[:-1])
    _, variance = tf.nn.moments(x, axes)
    return running_variance * momentum + variance * (1.0 - momentum) * (count / (count - 1))


@operations.library
def layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Native:
    """``keras.layers.LayerNormalization``."""
    return layers.call(
        *("LayerNormalization", x, _given(scale, offset)),
        **{"axis": tuple(axes), "epsilon": epsilon, "scale": scale is not None, "center": offset is not None},
    )[0]
