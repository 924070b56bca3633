"""The layer of heads with projections, by the function that ``torch.nn.MultiheadAttention`` calls."""

from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

PROJECTIONS = {"query_weight": "h d e", "key_weight": "h d k", "value_weight": "h r v", "output_weight": "o h r"}
LAYOUTS = {"multi_head_attention": PROJECTIONS, "multi_head_attention_weights": PROJECTIONS}


def _layer(
    arrays: tuple[Native, Native, Native],
    weights: tuple[Native, Native, Native, Native],
    biases: tuple[Native | None, Native | None, Native | None, Native | None],
    mask: Native | None,
    causal: bool,
    need_weights: bool,
) -> Any:
    """``F.multi_head_attention_forward``, whose masks are true where a key does not count.

    A mask of each example's keys is its ``key_padding_mask``; all others, and causality, its ``attn_mask``.
    """
    query, key, value = (x.transpose(0, 1) for x in arrays)
    query_weight, key_weight, value_weight, output_weight = weights
    heads, width, features = query_weight.shape
    if heads * width != features or value_weight.shape[1] != width:
        raise Unsupported("the heads of torch.nn.MultiheadAttention share the features of the query among them")
    (queries, batch, _), keys = query.shape, key.shape[0]
    padding = attention = None
    if mask is not None and mask.ndim == 4 and mask.shape[1:3] == (1, 1):
        padding = ~mask[:, 0, 0].expand(batch, keys)
    elif mask is not None:
        attention = ~mask if mask.ndim == 2 else ~mask.expand(batch, heads, queries, keys).reshape(-1, queries, keys)
    if causal:
        later = torch.ones(queries, keys, dtype=torch.bool, device=query.device).triu(1)
        attention = later if attention is None else attention | later
    in_biases = biases[:3]
    y, attended = F.multi_head_attention_forward(
        *(query, key, value, features, heads, None),
        None if in_biases[0] is None else torch.cat([bias.flatten() for bias in in_biases if bias is not None]),
        *(None, None, False, 0.0, output_weight.flatten(1), biases[3]),
        training=False,
        key_padding_mask=padding,
        need_weights=need_weights,
        attn_mask=attention,
        use_separate_proj_weight=True,
        q_proj_weight=query_weight.flatten(0, 1),
        k_proj_weight=key_weight.flatten(0, 1),
        v_proj_weight=value_weight.flatten(0, 1),
        average_attn_weights=False,
        is_causal=causal and mask is None,
    )
    return y.transpose(0, 1), attended


@operations.native
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
    """The layer without weights, which is that of ``F.scaled_dot_product_attention``.

    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if fully_masked_rows == "uniform":
        raise Unsupported("a fully masked row has no weights")
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    return _layer((query, key, value), weights, biases, mask, causal, need_weights=False)[0]


@operations.native
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
    """The layer with ``need_weights=True``, which is made of products and a softmax."""
    if fully_masked_rows != "nan":
        raise Unsupported("where torch.nn.MultiheadAttention returns weights, a fully masked row is NaN")
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    y, attended = _layer((query, key, value), weights, biases, mask, causal, need_weights=True)
    return y, attended
