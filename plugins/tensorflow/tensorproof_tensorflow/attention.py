"""Scaled dot-product attention: the operation of Keras."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations


@operations.library
def scaled_dot_product_attention(
    query: Native,
    key: Native,
    value: Native,
    mask: Native | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Native:
    """``keras.ops.dot_product_attention`` of one head, all leading axes taken together as its batch."""
    if fully_masked_rows != "uniform":
        raise Unsupported("Keras masks with a large negative number, so a fully masked row gives the mean of all values")
    *leading, rows, _ = query.shape
    columns = key.shape[-2]
    if mask is not None:
        mask = tf.reshape(tf.broadcast_to(mask, [*leading, rows, columns]), [-1, 1, rows, columns])
    query, key, value = (tf.reshape(item, [-1, item.shape[-2], 1, item.shape[-1]]) for item in (query, key, value))
    y = keras.ops.dot_product_attention(query, key, value, mask=mask, scale=scale, is_causal=causal)
    return tf.reshape(y, [*leading, rows, value.shape[-1]])
