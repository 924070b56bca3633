"""Batch and layer normalization: the layers of Keras."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
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
    """``keras.layers.BatchNormalization``, whose running variance is the biased one."""
    if training and running_variance_estimate != "biased":
        raise Unsupported("Keras updates the running variance with the biased variance of the batch")
    y, (mean, variance) = layers.call(
        "BatchNormalization",
        x,
        _given(scale, offset),
        [running_mean, running_variance],
        arguments={"training": training},
        momentum=momentum,
        epsilon=epsilon,
        scale=scale is not None,
        center=offset is not None,
    )
    return y, mean, variance


def _given(scale: Native | None, offset: Native | None) -> list[Native]:
    return [weight for weight in (scale, offset) if weight is not None]


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
    y, _ = layers.call(
        "LayerNormalization",
        x,
        _given(scale, offset),
        axis=tuple(axes),
        epsilon=epsilon,
        scale=scale is not None,
        center=offset is not None,
    )
    return y
