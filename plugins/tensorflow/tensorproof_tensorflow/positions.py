"""Positions by sines and cosines (profile ``extended``)."""

from tensorproof.backend import Native
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations


def _pairs(x: Native, columns: int, pairs: str) -> tuple[Native, Native, Native]:
    """The first of each pair of features, the second, and the features that are not turned."""
    turned, rest = x[..., : 2 * columns], x[..., 2 * columns :]
    if pairs == "halves":
        return turned[..., :columns], turned[..., columns:], rest
    return turned[..., ::2], turned[..., 1::2], rest


def _joined(first: Native, second: Native, rest: Native, pairs: str) -> Native:
    if pairs == "halves":
        return tf.concat([first, second, rest], axis=-1)
    turned = tf.reshape(tf.stack([first, second], axis=-1), (*first.shape[:-1], 2 * first.shape[-1]))
    return tf.concat([turned, rest], axis=-1)


@operations.composed
def rotary_embedding(
    x: Native, cosines: Native, sines: Native, positions: Native | None = None, *, pairs: str = "halves"
) -> Native:
    """The formula, as models in Keras write it: Keras has no function of its own."""
    if positions is None:
        cosines, sines = cosines[: x.shape[-2]], sines[: x.shape[-2]]
    else:
        shape = (x.shape[0], *(1,) * (len(x.shape) - 3), x.shape[-2], cosines.shape[1])
        cosines, sines = tf.reshape(tf.gather(cosines, positions), shape), tf.reshape(tf.gather(sines, positions), shape)
    first, second, rest = _pairs(x, cosines.shape[-1], pairs)
    return _joined(cosines * first - sines * second, cosines * second + sines * first, rest, pairs)


@operations.composed
def sinusoidal_positions(x: Native, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Native:
    """The formula with angles in float32 at least, as models in Keras write it: Keras has no function of its own."""
    half, wide = x.shape[-1] // 2, tf.float64 if x.dtype == tf.float64 else tf.float32
    exponents = -tf.range(half, dtype=wide) / half
    positions = tf.cast(tf.range(start, start + x.shape[-2]), wide)
    angles = positions[:, None] * tf.pow(tf.cast(base, wide), exponents)
    return x + tf.cast(_joined(tf.sin(angles), tf.cos(angles), angles[:, :0], pairs), x.dtype)
