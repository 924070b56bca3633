"""Normalizations: the layers of Keras."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {name: {"x": "n ... c", "y": "n ... c"} for name in ("batch_norm", "local_response_normalization")}


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


@operations.library
def rms_norm(x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Native:
    """``keras.ops.rms_normalization``: the layer always has a scale."""
    return keras.ops.rms_normalization(x, scale, axis=tuple(axes), epsilon=epsilon)


@operations.library
def group_norm(
    x: Native, scale: Native | None = None, offset: Native | None = None, *, groups: int = 1, epsilon: float = 1e-5
) -> Native:
    """``keras.layers.GroupNormalization``, of channels on axis 1."""
    y, _ = layers.call(
        "GroupNormalization",
        x,
        _given(scale, offset),
        groups=groups,
        axis=1,
        epsilon=epsilon,
        scale=scale is not None,
        center=offset is not None,
    )
    return y


@operations.library
def instance_norm(x: Native, scale: Native | None = None, offset: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """``keras.layers.GroupNormalization`` with a group for each channel."""
    return group_norm(x, scale, offset, groups=-1, epsilon=epsilon)


@operations.native
def local_response_normalization(
    x: Native, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, even_window: str = "one_more_before"
) -> Native:
    """``tf.nn.local_response_normalization``, whose alpha is for each channel of the window."""
    if size % 2 == 0:
        raise Unsupported("the window of tf.nn.local_response_normalization reaches as far before as after")
    if len(x.shape) != 4:
        raise Unsupported("tf.nn.local_response_normalization takes four axes")
    if x.dtype == tf.float64:
        raise Unsupported("tf.nn.local_response_normalization takes no float64")
    return tf.nn.local_response_normalization(x, depth_radius=size // 2, bias=bias, alpha=alpha / size, beta=beta)
