"""Blocks of Transformers, and the functions of its own that they are made of."""

from collections.abc import Mapping

import torch
from transformers.activations import ACT2FN
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from tensorproof.backend import Native, Unsupported
from tensorproof_transformers.layers import called
from tensorproof_transformers.table import ELSEWHERE, operations

Parameters = Mapping[str, Native]

PROJECTIONS = dict.fromkeys(("query_weight", "key_weight", "value_weight"), "h d e")
LINEAR = {**PROJECTIONS, "output_weight": "e h d", "gate_weight": "f e", "up_weight": "f e", "down_weight": "e f"}
LAYOUTS: dict[str, Mapping[str, str]] = dict.fromkeys(("encoder_block", "vision_transformer_block", "llama_block"), LINEAR)
"""Those of ``torch.nn.Linear``. GPT-2 has ``Conv1D``, whose weights lie as the specification's."""


def _sizes(x: Native, parameters: Parameters, epsilon: float) -> tuple[int, int, int, float]:
    """Features, heads, features between, and epsilon.

    Raises:
        Unsupported: the heads together are not as wide as the features.
    """
    heads, width = parameters["query_bias"].shape
    if heads * width != x.shape[-1]:
        raise Unsupported("the heads together are as wide as the features")
    return x.shape[-1], heads, parameters["up_bias"].shape[0], epsilon


def _linear(names: Mapping[str, str], parameters: Parameters) -> dict[str, Native]:
    """Weights and biases by the names of their layers; heads and their features are one axis."""
    found = {}
    for name, layer in names.items():
        weight = parameters[f"{name}_weight"]
        if weight.ndim == 3:
            weight = weight.flatten(1) if name == "output" else weight.flatten(0, 1)
        found[f"{layer}.weight"] = weight
        if f"{name}_bias" in parameters:
            found[f"{layer}.bias"] = parameters[f"{name}_bias"].flatten()
    return found


def _norms(names: Mapping[str, str], parameters: Parameters) -> dict[str, Native]:
    kinds = {"scale": "weight", "offset": "bias"}
    return {
        f"{layer}.{word}": parameters[f"{name}_{kind}"]
        for name, layer in names.items()
        for kind, word in kinds.items()
        if f"{name}_{kind}" in parameters
    }


BERT = {
    **{name: f"attention.self.{name}" for name in ("query", "key", "value")},
    "output": "attention.output.dense",
    "up": "intermediate.dense",
    "down": "output.dense",
}
VIT = {
    **{name: f"attention.{name[0]}_proj" for name in ("query", "key", "value", "output")},
    "up": "mlp.fc1",
    "down": "mlp.fc2",
}
LLAMA = {
    **{name: f"self_attn.{name[0]}_proj" for name in ("query", "key", "value", "output")},
    **{name: f"mlp.{name}_proj" for name in ("gate", "up", "down")},
}


@operations.library
def encoder_block(x: Native, parameters: Parameters, mask: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """``BertLayer``, with relu."""
    norms = _norms({"attention": "attention.output.LayerNorm", "network": "output.LayerNorm"}, parameters)
    keys = None if mask is None else mask[:, None, None]
    return called("bert", _sizes(x, parameters, epsilon), _linear(BERT, parameters) | norms, x, attention_mask=keys)


@operations.library
def gpt2_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-5) -> Native:
    """``GPT2Block``."""
    projections = ("query", "key", "value")
    named = {
        "attn.c_attn.weight": torch.cat([parameters[f"{name}_weight"].flatten(1) for name in projections], 1),
        "attn.c_attn.bias": torch.cat([parameters[f"{name}_bias"].flatten() for name in projections]),
        "attn.c_proj.weight": parameters["output_weight"].flatten(0, 1),
        "attn.c_proj.bias": parameters["output_bias"],
        **_linear({"up": "mlp.c_fc", "down": "mlp.c_proj"}, parameters),
        **_norms({"attention": "ln_1", "network": "ln_2"}, parameters),
    }
    return called("gpt2", _sizes(x, parameters, epsilon), named, x)


@operations.library
def vision_transformer_block(x: Native, parameters: Parameters, *, epsilon: float = 1e-6) -> Native:
    """``ViTLayer``."""
    norms = _norms({"attention": "layernorm_before", "network": "layernorm_after"}, parameters)
    return called("vit", _sizes(x, parameters, epsilon), _linear(VIT, parameters) | norms, x)


@operations.library
def llama_block(x: Native, parameters: Parameters, cosines: Native, sines: Native, *, epsilon: float = 1e-6) -> Native:
    """``LlamaDecoderLayer``."""
    (heads, width), groups = parameters["query_weight"].shape[:2], parameters["key_weight"].shape[0]
    sizes = (x.shape[-1], heads, groups, width, parameters["up_weight"].shape[0], epsilon)
    norms = _norms({"attention": "input_layernorm", "network": "post_attention_layernorm"}, parameters)
    positions = (_of_halves(cosines[: x.shape[1]]), _of_halves(sines[: x.shape[1]]))
    return called("llama", sizes, _linear(LLAMA, parameters) | norms, x, position_embeddings=positions)


def _of_halves(table: Native) -> Native:
    """A table as the models make it: for both features of each pair, and with an axis of examples."""
    return torch.cat([table, table], -1)[None]


@operations.library
def rms_norm(x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Native:
    """``LlamaRMSNorm``."""
    if scale is None or tuple(axis % x.ndim for axis in axes) != (x.ndim - 1,):
        raise Unsupported("LlamaRMSNorm has a scale, and takes the last axis")
    return called("rms_norm", (x.shape[-1], epsilon), {"weight": scale}, x)


@operations.library
def rotary_embedding(
    x: Native, cosines: Native, sines: Native, positions: Native | None = None, *, pairs: str = "halves"
) -> Native:
    """``apply_rotary_pos_emb`` of Llama."""
    if pairs != "halves" or x.ndim != 4 or 2 * cosines.shape[-1] != x.shape[-1]:
        raise Unsupported("apply_rotary_pos_emb turns all features of heads, by halves")
    tables = (cosines[: x.shape[-2]], sines[: x.shape[-2]]) if positions is None else (cosines[positions], sines[positions])
    of_halves = [torch.cat([table, table], -1) for table in tables]
    cosine, sine = (table if table.ndim == 3 else table[None] for table in of_halves)
    return apply_rotary_pos_emb(x, x, cosine, sine)[0]


@operations.library
def gelu(x: Native, *, approximation: str = "none") -> Native:
    """``ACT2FN["gelu_new"]``, which GPT-2 takes."""
    if approximation == "none":
        raise Unsupported(ELSEWHERE)
    return ACT2FN["gelu_new"](x)


@operations.library
def tanh(x: Native) -> Native:
    """``ACT2FN["tanh"]``."""
    return ACT2FN["tanh"](x)
