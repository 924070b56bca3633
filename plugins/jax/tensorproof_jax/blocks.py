"""Blocks of transformers from the layers of Flax, as models in JAX write them."""

from collections.abc import Mapping
from typing import Any

from tensorproof.backend import Native
from tensorproof_jax.attention_layers import attend
from tensorproof_jax.elementwise import gelu, relu, silu
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.normalization import layer_norm, rms_norm
from tensorproof_jax.positions import rotary_embedding
from tensorproof_jax.products import dense
from tensorproof_jax.table import operations

Parameters = Mapping[str, Native]


def _attend(x: Native, parameters: Parameters, mask: Native | None = None, causal: bool = False) -> Native:
    """``flax.linen.MultiHeadDotProductAttention`` of positions to each other."""
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
    """Flax's attention, ``LayerNorm`` and ``Dense``."""
    middle = x + _attend(x, parameters, None if mask is None else mask[:, None, None, :])
    middle = _norm(middle, parameters, "attention", epsilon)
    return _norm(middle + _network(middle, parameters, relu), parameters, "network", epsilon)


@operations.composed
def gpt2_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-5) -> Native:
    """Flax's attention with a causal mask, ``LayerNorm`` and ``Dense``."""
    return _norm_before(x, parameters, True, "tanh", epsilon)


@operations.composed
def vision_transformer_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-6) -> Native:
    """Flax's attention, ``LayerNorm`` and ``Dense``."""
    return _norm_before(x, parameters, False, "none", epsilon)


@operations.composed
def llama_block(x: Native, parameters: Parameters, cosines: Native, sines: Native, *, epsilon: float = 1e-6) -> Native:
    """Flax's ``RMSNorm``, ``DenseGeneral`` and ``Dense``, and ``jax.nn.dot_product_attention``."""

    def projected(x: Native, name: str, axes: tuple[int, ...], features: tuple[int, ...]) -> Native:
        layer = linen.DenseGeneral(features, axis=axes, use_bias=False)
        return layer.apply({"params": {"kernel": parameters[f"{name}_weight"]}}, x)

    def turned(heads: Native) -> Native:
        return jnp.swapaxes(rotary_embedding(jnp.swapaxes(heads, 1, 2), cosines, sines), 1, 2)

    first = rms_norm(x, parameters["attention_scale"], epsilon=epsilon)
    query, key, value = (
        projected(first, name, (-1,), parameters[f"{name}_weight"].shape[1:]) for name in ("query", "key", "value")
    )
    heads = jax.nn.dot_product_attention(turned(query), turned(key), value, is_causal=True)
    middle = x + projected(heads, "output", (-2, -1), x.shape[-1:])
    second = rms_norm(middle, parameters["network_scale"], epsilon=epsilon)
    active = silu(dense(second, parameters["gate_weight"])) * dense(second, parameters["up_weight"])
    return middle + dense(active, parameters["down_weight"])
