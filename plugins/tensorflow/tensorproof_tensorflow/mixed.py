"""Calls whose arrays have different dtypes, and quantization (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.optimizers import Natives, adamw
from tensorproof_tensorflow.table import operations

operations.implementations["mixed_adamw"] = operations.implementations["adamw"]
POLICIES = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16", "float32": "float32"}
"""Keras's policies by the dtype that a layer gives; all have variables of float32."""


@operations.composed
def mixed_matmul(a: Native, b: Native, *, dtype: str = "float32") -> Native:
    """``tf.linalg.matmul``, whose CPU kernels take one dtype, of both in float32."""
    return tf.cast(tf.linalg.matmul(tf.cast(a, tf.float32), tf.cast(b, tf.float32)), dtype)


@operations.library
def mixed_layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
    dtype: str = "bfloat16",
) -> Native:
    """``keras.layers.LayerNormalization`` with a policy of mixed precision; a layer casts its input to its dtype."""
    given = [array for array in (scale, offset) if array is not None]
    chosen: dict[str, Any] = {"axis": tuple(axes), "epsilon": epsilon, "scale": scale is not None, "center": offset is not None}
    y, _ = layers.call("LayerNormalization", tf.cast(x, dtype), given, policy=POLICIES[dtype], **chosen)
    return y


@operations.library
def mixed_rms_norm(
    x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6, dtype: str = "bfloat16"
) -> Native:
    """``keras.layers.RMSNormalization`` with a policy of mixed precision; a layer casts its input to its dtype."""
    if scale is None:
        raise Unsupported("keras.layers.RMSNormalization always has a scale")
    y, _ = layers.call("RMSNormalization", tf.cast(x, dtype), [scale], policy=POLICIES[dtype], axis=tuple(axes), epsilon=epsilon)
    return y


@operations.composed
def master_adamw(
    master: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    weight_decay: float = 0.01,
) -> tuple[list[Native], ...]:
    """``keras.optimizers.AdamW`` over the master weights, of which copies in bfloat16 are made."""
    moved, first, second, _ = adamw(
        master,
        [[None if gradient is None else tf.cast(gradient, tf.float32) for gradient in step] for step in gradients],
        first_moment,
        second_moment,
        taken=taken,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        epsilon_placement=epsilon_placement,
        weight_decay=weight_decay,
        counted="steps",
    )
    return [tf.cast(weight, tf.bfloat16) for weight in moved], moved, first, second


def _along(scale: Native, axis: int | None, rank: int) -> Native:
    """A scale that broadcasts along an axis."""
    return scale if axis is None else tf.reshape(scale, [-1 if place == axis % rank else 1 for place in range(rank)])


@operations.native
def quantize(
    x: Native, scale: Native, zero_point: Native | None = None, *, dtype: str = "int8", axis: int | None = None
) -> Native:
    """``tf.raw_ops.UniformQuantize``; ``tf.cast`` after a division for floats."""
    if dtype.startswith("float8"):
        limit = float(tf.dtypes.as_dtype(dtype).max)
        return tf.cast(tf.clip_by_value(x / _along(scale, axis, len(x.shape)), -limit, limit), dtype)
    if dtype != "int8":
        raise Unsupported("tf.raw_ops.UniformQuantize gives int8 and int32 only")
    zero = tf.zeros_like(scale, tf.int32) if zero_point is None else zero_point
    place = -1 if axis is None else axis % len(x.shape)
    ends = {"quantization_min_val": -128, "quantization_max_val": 127, "quantization_axis": place}
    return tf.bitcast(tf.raw_ops.UniformQuantize(input=x, scales=scale, zero_points=zero, Tout=tf.qint8, **ends), tf.int8)


@operations.native
def dequantize(
    q: Native, scale: Native, zero_point: Native | None = None, *, axis: int | None = None, dtype: str = "float32"
) -> Native:
    """``tf.raw_ops.UniformDequantize``; a product after ``tf.cast`` for floats."""
    if q.dtype.is_floating:
        return tf.cast(tf.cast(q, tf.float32) * _along(scale, axis, len(q.shape)), dtype)
    if q.dtype != tf.int8:
        raise Unsupported("tf.raw_ops.UniformDequantize takes int8 and int32 only")
    zero = tf.zeros_like(scale, tf.int32) if zero_point is None else zero_point
    place = -1 if axis is None else axis % len(q.shape)
    ends = {"quantization_min_val": -128, "quantization_max_val": 127, "quantization_axis": place}
    whole = tf.bitcast(q, tf.qint8)
    return tf.cast(tf.raw_ops.UniformDequantize(input=whole, scales=scale, zero_points=zero, Tout=tf.float32, **ends), dtype)
