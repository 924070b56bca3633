"""Layers of Transformers without weights of their own: they are given in each call.

Attention is ``sdpa``, which the models take on their own. Layers are at inference, as Transformers' ``eval`` leaves them.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from transformers import BertConfig, GPT2Config, LlamaConfig, PretrainedConfig, ViTConfig
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm
from transformers.models.vit.modeling_vit import ViTLayer

from tensorproof.backend import Native


def _bert(features: int, heads: int, wide: int, epsilon: float) -> Any:
    sizes = {"hidden_size": features, "num_attention_heads": heads, "intermediate_size": wide}
    return BertLayer(_attending(BertConfig(**sizes, hidden_act="relu", layer_norm_eps=epsilon)))


def _gpt2(features: int, heads: int, wide: int, epsilon: float) -> Any:
    return GPT2Block(_attending(GPT2Config(n_embd=features, n_head=heads, n_inner=wide, layer_norm_epsilon=epsilon)), 0)


def _vit(features: int, heads: int, wide: int, epsilon: float) -> Any:
    sizes = {"hidden_size": features, "num_attention_heads": heads, "intermediate_size": wide}
    return ViTLayer(_attending(ViTConfig(**sizes, hidden_act="gelu", layer_norm_eps=epsilon)))


def _llama(features: int, heads: int, groups: int, width: int, wide: int, epsilon: float) -> Any:
    sizes = {"hidden_size": features, "num_attention_heads": heads, "num_key_value_heads": groups, "head_dim": width}
    return LlamaDecoderLayer(_attending(LlamaConfig(**sizes, intermediate_size=wide, rms_norm_eps=epsilon)), 0)


def _attending(configuration: PretrainedConfig) -> PretrainedConfig:
    """The configuration of a model outside of one, which chooses how to attend otherwise."""
    configuration._attn_implementation = "sdpa"
    return configuration


KINDS: dict[str, Callable[..., Any]] = {"bert": _bert, "gpt2": _gpt2, "vit": _vit, "llama": _llama, "rms_norm": LlamaRMSNorm}


Key: TypeAlias = tuple[str | float, ...]

LAYERS: dict[Key, Any] = {}
"""Layers by kind and sizes. Dynamo reads this table within a graph; it cannot make a layer there."""


def called(kind: str, sizes: tuple[float, ...], parameters: dict[str, Native], *arguments: Any, **keywords: Any) -> Any:
    """What a layer gives with these parameters. It is made at the first call: at inference, without memory for its own."""
    key: Key = (kind, *sizes)
    if key not in LAYERS:
        with torch.device("meta"):
            LAYERS[key] = KINDS[kind](*sizes).eval()
    return torch.func.functional_call(LAYERS[key], parameters, arguments, keywords)
