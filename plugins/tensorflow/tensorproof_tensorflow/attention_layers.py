"""The layer of heads with projections: that of Keras."""

import functools
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

Shape = tuple[int, ...]


@functools.cache
def _built(shapes: tuple[Shape, Shape, Shape], dtype: str, options: tuple[tuple[str, Any], ...]) -> Any:
    """A layer whose variables exist, outside of any graph that is being traced."""
    with tf.init_scope():
        layer = keras.layers.MultiHeadAttention(**dict(options), dtype=dtype)
        query, key, value = shapes
        layer.build(query, value, key)
    return layer


def attend(
    arrays: tuple[Native, Native, Native],
    weights: tuple[Native, ...],
    biases: tuple[Native | None, ...],
    mask: Native | None,
    causal: bool,
    need_weights: bool = False,
) -> Any:
    """``keras.layers.MultiHeadAttention`` with these weights, whose mask may be any that broadcasts to the scores."""
    query, key, value = arrays
    options = {
        "num_heads": weights[0].shape[1],
        "key_dim": weights[0].shape[2],
        "value_dim": weights[2].shape[2],
        "output_shape": weights[3].shape[2],
        "use_bias": biases[0] is not None,
    }
    layer = _built((tuple(query.shape), tuple(key.shape), tuple(value.shape)), query.dtype.name, tuple(options.items()))
    given = [item for pair in zip(weights, biases, strict=True) for item in pair if item is not None]
    state = [variable.value for variable in layer.non_trainable_variables]
    found, _ = layer.stateless_call(
        *(given, state, query, value, key),
        attention_mask=None if mask is None else mask[(None,) * (4 - mask.ndim)],
        use_causal_mask=causal,
        return_attention_scores=need_weights,
    )
    return found


@operations.library
def multi_head_attention(
    query: Native,
    key: Native,
    value: Native,
    query_weight: Native,
    key_weight: Native,
    value_weight: Native,
    output_weight: Native,
    query_bias: Native | None = None,
    key_bias: Native | None = None,
    value_bias: Native | None = None,
    output_bias: Native | None = None,
    mask: Native | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> Native:
    """The layer's output, by ``keras.ops.dot_product_attention``."""
    if fully_masked_rows != "uniform":
        raise Unsupported("Keras masks with a large negative number, so a fully masked row gives the mean of all values")
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    return attend((query, key, value), weights, biases, mask, causal)


@operations.library
def multi_head_attention_weights(
    query: Native,
    key: Native,
    value: Native,
    query_weight: Native,
    key_weight: Native,
    value_weight: Native,
    output_weight: Native,
    query_bias: Native | None = None,
    key_bias: Native | None = None,
    value_bias: Native | None = None,
    output_bias: Native | None = None,
    mask: Native | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> tuple[Native, Native]:
    """The layer's output and weights, by products and ``keras.layers.Softmax``."""
    if fully_masked_rows != "zero":
        raise Unsupported("keras.layers.Softmax gives zero for a fully masked row")
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    y, attended = attend((query, key, value), weights, biases, mask, causal, need_weights=True)
    return y, attended
