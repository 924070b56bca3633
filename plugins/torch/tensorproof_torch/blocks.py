"""Blocks of transformers: ``torch.nn.TransformerEncoderLayer`` with the weights given, and Llama's from functions."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.positions import rotary_embedding
from tensorproof_torch.table import operations

Parameters = Mapping[str, Native]

PROJECTIONS = dict.fromkeys(("query_weight", "key_weight", "value_weight"), "h d e")
WEIGHTS = {**PROJECTIONS, "output_weight": "e h d", "gate_weight": "f e", "up_weight": "f e", "down_weight": "e f"}
LAYOUTS = dict.fromkeys(("encoder_block", "gpt2_block", "vision_transformer_block", "llama_block"), WEIGHTS)

GRAPH_BREAKS = ("encoder_block", "gpt2_block", "vision_transformer_block")
"""What calls a layer of ``torch.nn`` that is built outside of the traced function."""


def gelu_tanh(x: Native) -> Native:
    """``F.gelu`` through tanh, as an activation of a layer."""
    return F.gelu(x, approximate="tanh")


@functools.cache
def _build(features: int, heads: int, wide: int, activation: Callable[..., Any] | str, epsilon: float, norm_first: bool) -> Any:
    """The layer at inference without memory for its parameters, which are given in each call."""
    layer = torch.nn.TransformerEncoderLayer(
        *(features, heads, wide, 0.0, activation, epsilon),
        batch_first=True,
        norm_first=norm_first,
        device="meta",
    )
    return layer.eval()


compiler: Any = torch.compiler
_layer: Callable[..., Any] = compiler.disable(_build)


def _named(parameters: Parameters) -> dict[str, Native]:
    """The parameters as the layer names them."""
    projections = ("query", "key", "value")
    return {
        "self_attn.in_proj_weight": torch.cat([parameters[f"{name}_weight"].flatten(0, 1) for name in projections]),
        "self_attn.in_proj_bias": torch.cat([parameters[f"{name}_bias"].flatten() for name in projections]),
        "self_attn.out_proj.weight": parameters["output_weight"].flatten(1),
        "self_attn.out_proj.bias": parameters["output_bias"],
        "linear1.weight": parameters["up_weight"],
        "linear1.bias": parameters["up_bias"],
        "linear2.weight": parameters["down_weight"],
        "linear2.bias": parameters["down_bias"],
        "norm1.weight": parameters["attention_scale"],
        "norm1.bias": parameters["attention_offset"],
        "norm2.weight": parameters["network_scale"],
        "norm2.bias": parameters["network_offset"],
    }


def _block(x: Native, parameters: Parameters, activation: Any, epsilon: float, norm_first: bool, **masks: Any) -> Native:
    heads, wide = parameters["query_bias"].shape[0], parameters["up_bias"].shape[0]
    layer = _layer(x.shape[-1], heads, wide, activation, epsilon, norm_first)
    return torch.func.functional_call(layer, _named(parameters), (x,), masks)


@operations.native
def encoder_block(x: Native, parameters: Parameters, mask: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """``torch.nn.TransformerEncoderLayer`` at inference; the mask is its ``src_key_padding_mask``."""
    padding = None if mask is None else ~mask
    return _block(x, parameters, "relu", epsilon, False, src_key_padding_mask=padding)


@operations.native
def gpt2_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-5) -> Native:
    """``torch.nn.TransformerEncoderLayer`` with ``norm_first``, at inference, and a causal mask."""
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
    return _block(x, parameters, gelu_tanh, epsilon, True, src_mask=later, is_causal=True)


@operations.native
def vision_transformer_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-6) -> Native:
    """``torch.nn.TransformerEncoderLayer`` with ``norm_first``, at inference."""
    return _block(x, parameters, "gelu", epsilon, True)


@operations.composed
def llama_block(x: Native, parameters: Parameters, cosines: Native, sines: Native, *, epsilon: float = 1e-6) -> Native:
    """``F.rms_norm``, ``F.linear``, ``F.scaled_dot_product_attention`` and ``F.silu``, as models in PyTorch write it."""

    def heads(name: str, x: Native) -> Native:
        weight = parameters[f"{name}_weight"]
        return F.linear(x, weight.flatten(0, 1)).unflatten(-1, weight.shape[:2]).transpose(1, 2)

    first = F.rms_norm(x, x.shape[-1:], parameters["attention_scale"], epsilon)
    query, key, value = (heads(name, first) for name in ("query", "key", "value"))
    query, key = (rotary_embedding(item, cosines, sines) for item in (query, key))
    grouped = query.shape[1] != key.shape[1]
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
    middle = x + F.linear(attended.transpose(1, 2).flatten(2), parameters["output_weight"].flatten(1))
    second = F.rms_norm(middle, x.shape[-1:], parameters["network_scale"], epsilon)
    active = F.silu(F.linear(second, parameters["gate_weight"])) * F.linear(second, parameters["up_weight"])
    return middle + F.linear(active, parameters["down_weight"])
