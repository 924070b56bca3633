"""Blocks of transformers from the layers of Keras, as its examples write them."""

from collections.abc import Mapping
from typing import Any

from tensorproof.backend import Native
from tensorproof_tensorflow.attention_layers import attend
from tensorproof_tensorflow.elementwise import gelu, relu, silu
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.normalization import layer_norm, rms_norm
from tensorproof_tensorflow.positions import rotary_embedding
from tensorproof_tensorflow.products import dense
from tensorproof_tensorflow.table import operations

Parameters = Mapping[str, Native]


def _attend(x: Native, parameters: Parameters, mask: Native | None = None, causal: bool = False) -> Native:
    """``keras.layers.MultiHeadAttention`` of positions to each other."""
    weights, biases = (
        tuple(parameters[f"{name}_{kind}"] for name in ("query", "key", "value", "output")) for kind in ("weight", "bias")
    )
    return attend((x, x, x), weights, biases, mask, causal)


def _norm(x: Native, parameters: Parameters, name: str, epsilon: float) -> Native:
    return layer_norm(x, parameters[f"{name}_scale"], parameters[f"{name}_offset"], epsilon=epsilon)


def _network(x: Native, parameters: Parameters, activation: Any, **keywords: Any) -> Native:
    wide = activation(dense(x, parameters["up_weight"], parameters["up_bias"]), **keywords)
    return dense(wide, parameters["down_weight"], parameters["down_bias"])


def _norm_before(x: Native, parameters: Parameters, causal: bool, approximation: str, epsilon: float) -> Native:
    middle = x + _attend(_norm(x, parameters, "attention", epsilon), parameters, causal=causal)
    second = _norm(middle, parameters, "network", epsilon)
    return middle + _network(second, parameters, gelu, approximation=approximation)


@operations.composed
def encoder_block(x: Native, parameters: Parameters, mask: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """Keras's attention, ``LayerNormalization`` and ``Dense``."""
    middle = x + _attend(x, parameters, None if mask is None else mask[:, None, None, :])
    middle = _norm(middle, parameters, "attention", epsilon)
    return _norm(middle + _network(middle, parameters, relu), parameters, "network", epsilon)


@operations.composed
def gpt2_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-5) -> Native:
    """Keras's attention with ``use_causal_mask``, ``LayerNormalization`` and ``Dense``."""
    return _norm_before(x, parameters, True, "tanh", epsilon)


@operations.composed
def vision_transformer_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-6) -> Native:
    """Keras's attention, ``LayerNormalization`` and ``Dense``."""
    return _norm_before(x, parameters, False, "none", epsilon)


@operations.composed
def llama_block(x: Native, parameters: Parameters, cosines: Native, sines: Native, *, epsilon: float = 1e-6) -> Native:
    """``keras.layers.RMSNormalization``, ``tf.einsum``, ``keras.ops.dot_product_attention`` and ``keras.layers.Dense``."""

    def turned(heads: Native) -> Native:
        swapped = tf.transpose(heads, (0, 2, 1, 3))
        return tf.transpose(rotary_embedding(swapped, cosines, sines), (0, 2, 1, 3))

    first = rms_norm(x, parameters["attention_scale"], epsilon=epsilon)
    query, key, value = (tf.einsum("ble,ehd->blhd", first, parameters[f"{name}_weight"]) for name in ("query", "key", "value"))
    heads = keras.ops.dot_product_attention(turned(query), turned(key), value, is_causal=True)
    middle = x + tf.einsum("blhd,hde->ble", heads, parameters["output_weight"])
    second = rms_norm(middle, parameters["network_scale"], epsilon=epsilon)
    active = silu(dense(second, parameters["gate_weight"])) * dense(second, parameters["up_weight"])
    return middle + dense(active, parameters["down_weight"])
