"""Scaled dot-product attention: the operation of Keras."""

import functools
import math
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {
    "grouped_query_attention": {"query": "b l h e", "key": "b s g e", "value": "b s g v", "y": "b l h v"},
    "attention_dropout": {"query": "b l h e", "key": "b s h e", "value": "b s h v", "y": "b l h v"},
    "cached_attention": {
        "query": "b n h e",
        "key": "b n g e",
        "value": "b n g v",
        "y": "b n h v",
        **dict.fromkeys(("key_cache", "keys"), "b s g e"),
        **dict.fromkeys(("value_cache", "values"), "b s g v"),
    },
}


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


def _near(queries: int, keys: int, causal: bool, window: tuple[int, int] | None, alignment: str) -> Native:
    """The keys that each query may see by its position, as a mask."""
    first = keys - queries if alignment == "lower_right" else 0
    after = tf.range(keys)[None, :] - tf.range(first, first + queries)[:, None]
    near = after <= 0 if causal else tf.ones([queries, keys], tf.bool)
    return near if window is None else near & (after >= -window[0]) & (after <= window[1])


@operations.library
def grouped_query_attention(
    query: Native,
    key: Native,
    value: Native,
    mask: Native | None = None,
    bias: Native | None = None,
    key_lengths: Native | None = None,
    *,
    causal: bool = False,
    window: tuple[int, int] | None = None,
    alignment: str = "upper_left",
    scale: float | None = None,
    soft_cap: float | None = None,
    fully_masked_rows: str = "nan",
) -> Native:
    """``keras.ops.dot_product_attention``, to which windows, lengths (``tf.sequence_mask``) and the other corner are a mask."""
    if soft_cap is not None:
        raise Unsupported("keras.ops.dot_product_attention takes attn_logits_soft_cap for JAX on TPUs only")
    if fully_masked_rows != "uniform":
        raise Unsupported("Keras masks with a large negative number, so a fully masked row gives the mean of all values")
    queries, keys = query.shape[1], key.shape[1]
    masks = [] if mask is None else [mask]
    if window is not None or (causal and alignment == "lower_right"):
        masks.append(_near(queries, keys, causal, window, alignment))
        causal = False
    if key_lengths is not None:
        masks.append(tf.sequence_mask(key_lengths, keys)[:, None, None, :])
    for other in masks[1:]:
        masks[0] = masks[0] & other
    whole = masks[0] if masks else None
    return keras.ops.dot_product_attention(query, key, value, bias=bias, mask=whole, scale=scale, is_causal=causal)


@operations.library
def cached_attention(
    query: Native,
    key: Native,
    value: Native,
    key_cache: Native,
    value_cache: Native,
    lengths: Native,
    *,
    scale: float | None = None,
) -> tuple[Native, Native, Native]:
    """``tf.tensor_scatter_nd_update`` of the caches, and ``keras.ops.dot_product_attention`` of what counts."""
    batch, new = query.shape[:2]
    places = tf.cast(lengths, tf.int32)[:, None] + tf.range(new)
    examples = tf.broadcast_to(tf.range(batch)[:, None], [batch, new])
    rows = tf.stack([examples, places], axis=-1)
    keys, values = (tf.tensor_scatter_nd_update(*arrays) for arrays in ((key_cache, rows, key), (value_cache, rows, value)))
    mask = tf.range(keys.shape[1]) <= places[:, None, :, None]
    return keras.ops.dot_product_attention(query, keys, values, mask=mask, scale=scale), keys, values


@functools.cache
def _dropping(heads: int, features: int, results: int, rate: float, seed: int, dtype: str) -> Any:
    """A layer whose variables exist, outside of any graph that is being traced."""
    with tf.init_scope():
        layer = keras.layers.MultiHeadAttention(heads, features, results, dropout=rate, seed=seed, dtype=dtype)
        layer.build((1, 1, 1), (1, 1, 1), (1, 1, 1))
    return layer


@operations.library
def attention_dropout(
    query: Native,
    key: Native,
    value: Native,
    mask: Native | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    rate: float = 0.1,
    training: bool = True,
    seed: int = 0,
) -> Native:
    """What ``keras.layers.MultiHeadAttention`` does between its projections, with ``dropout``: products, Softmax and Dropout.

    It has a scale of its own. Without dropout it calls ``keras.ops.dot_product_attention``, which has none.
    """
    heads, features = query.shape[2:]
    layer = _dropping(heads, features, value.shape[-1], rate, seed, query.dtype.name)
    if scale is not None:
        query = query * (scale * math.sqrt(features))
    if mask is not None:
        mask = mask[(None,) * (4 - mask.shape.rank)]
    with keras.StatelessScope(state_mapping=[(variable, variable.value) for variable in layer.non_trainable_variables]):
        y, _ = layer._compute_attention(query, key, value, attention_mask=mask, training=training, use_causal_mask=causal)
    return y
