"""Attention beyond that of the texts (profile ``extended``)."""

import torch
import torch.nn.functional as F
from torch.nn.attention.bias import causal_lower_right

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations


def _near(query: Native, key: Native, causal: bool, window: tuple[int, int] | None, alignment: str) -> Native:
    """The keys that each query may see by its position, as a mask."""
    queries, keys = query.shape[-2], key.shape[-2]
    first = keys - queries if alignment == "lower_right" else 0
    near = torch.ones(queries, keys, dtype=torch.bool, device=query.device)
    if causal:
        near = near.tril(first)
    return near if window is None else near.triu(first - window[0]).tril(first + window[1])


@operations.native
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
    """``F.scaled_dot_product_attention`` with ``enable_gqa``.

    It takes ``is_causal``, or one mask: whatever else there is, is made one. Its mask may be ``causal_lower_right``.
    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if soft_cap is not None:
        raise Unsupported("F.scaled_dot_product_attention has no soft cap, and flex_attention has no gradient on CPU")
    if fully_masked_rows == "uniform":
        raise Unsupported("a fully masked row has no weights")
    grouped = query.shape[1] != key.shape[1]
    given = {"scale": scale, "enable_gqa": grouped}
    if causal and window is None and mask is None and bias is None and key_lengths is None:
        if alignment == "upper_left":
            return F.scaled_dot_product_attention(query, key, value, is_causal=True, **given)
        corner = causal_lower_right(query.shape[-2], key.shape[-2])
        return F.scaled_dot_product_attention(query, key, value, attn_mask=corner, **given)
    masks = [] if mask is None else [mask]
    if causal or window is not None:
        masks.append(_near(query, key, causal, window, alignment))
    if key_lengths is not None:
        masks.append(torch.arange(key.shape[-2], device=key.device) < key_lengths[:, None, None, None])
    for other in masks[1:]:
        masks[0] = masks[0] & other
    whole = masks[0] if masks else None
    if bias is not None:
        whole = bias if whole is None else torch.where(whole, bias, -torch.inf)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=whole, **given)


@operations.native
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
    """``torch.scatter`` into the caches, and ``F.scaled_dot_product_attention`` with a mask of the rows that count."""
    new, slots = query.shape[2], key_cache.shape[2]
    places = lengths[:, None] + torch.arange(new, device=query.device)
    keys = torch.scatter(key_cache, 2, places[:, None, :, None].expand(key.shape), key)
    values = torch.scatter(value_cache, 2, places[:, None, :, None].expand(value.shape), value)
    mask = torch.arange(slots, device=query.device) <= places[:, None, :, None]
    grouped = query.shape[1] != key.shape[1]
    y = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scale, enable_gqa=grouped)
    return y, keys, values


@operations.native
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
    """``F.scaled_dot_product_attention`` with ``dropout_p``, after seeding the generator; it drops at inference too."""
    torch.manual_seed(seed)
    if causal and mask is not None:
        mask, causal = mask & _near(query, key, causal, None, "upper_left"), False
    dropped = rate if training else 0.0
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropped, is_causal=causal, scale=scale)
