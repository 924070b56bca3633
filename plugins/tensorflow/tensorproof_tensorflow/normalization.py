"""Normalizations, and dropout of channels: the layers of Keras."""

import functools
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {name: {"x": "n ... c", "y": "n ... c"} for name in ("batch_norm", "local_response_normalization", "channel_dropout")}
LAYOUTS["spectral_norm"] = {"weight": "... a", "y": "... a"}
"""Channels are last; and so are the features of a kernel."""


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


@operations.library
def channel_dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``keras.layers.SpatialDropout1D``, ``SpatialDropout2D`` and ``SpatialDropout3D``."""
    kind = f"SpatialDropout{len(x.shape) - 2}D"
    return layers.call(kind, x, [], arguments={"training": training}, rate=rate, seed=seed)[0]


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


@operations.composed
def weight_norm(direction: Native, scale: Native, *, axis: int | None = 0) -> Native:
    """``tf.math.l2_normalize``, without its epsilon, and a product: Keras has no weight normalization."""
    kept = () if axis is None else (axis % len(direction.shape),)
    others = [place for place in range(len(direction.shape)) if place not in kept]
    shape = [size if place in kept else 1 for place, size in enumerate(direction.shape)]
    return tf.math.l2_normalize(direction, others, epsilon=0.0) * tf.reshape(scale, shape)


@functools.cache
def _spectral(columns: int, rows: int, dtype: str) -> Any:
    """A layer of that kernel whose variables exist, outside of any graph that is being traced."""
    with tf.init_scope():
        layer = keras.layers.SpectralNormalization(keras.layers.Dense(rows, use_bias=False, dtype=dtype), dtype=dtype)
        layer.build((None, columns))
    return layer


@operations.library
def spectral_norm(weight: Native, vector: Native) -> tuple[Native, Native]:
    """``keras.layers.SpectralNormalization.normalized_weights``, which iterates from the vector of the last axis."""
    kernel = tf.reshape(weight, [-1, weight.shape[-1]])
    layer = _spectral(*kernel.shape, weight.dtype.name)
    with keras.StatelessScope(state_mapping=[(layer.kernel, kernel), (layer.vector_u, vector[None])]):
        u, normalized = layer.normalized_weights()
    return tf.reshape(normalized, weight.shape), u[0]
