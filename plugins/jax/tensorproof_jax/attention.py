"""Scaled dot-product attention."""

import math

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.table import operations

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


def _filled(x: Native, width: int) -> Native:
    """Features or values of heads, (b, l, h, e), filled up with zeros to a width."""
    return x if x.shape[-1] == width else jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, width - x.shape[-1])))


@operations.native
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
    """``jax.nn.dot_product_attention`` of one head, all leading axes taken together as its batch.

    JAX wants features and values of one width: the narrower ones are filled up with zeros, which change nothing.
    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if fully_masked_rows == "zero":
        raise Unsupported("JAX masks with a large negative number, so a fully masked row gives the mean of all values")
    *leading, rows, features = query.shape
    columns, results = value.shape[-2:]
    batch, width = math.prod(leading), max(features, results)
    if mask is not None:
        mask = jnp.broadcast_to(mask, (*leading, rows, columns)).reshape(batch, 1, rows, columns)

    def one_head(x: Native) -> Native:
        return _filled(x.reshape(batch, x.shape[-2], 1, x.shape[-1]), width)

    y = jax.nn.dot_product_attention(
        *(one_head(query), one_head(key), one_head(value)),
        mask=mask,
        scale=features**-0.5 if scale is None and width > features else scale,
        is_causal=causal,
    )
    return y[..., :results].reshape(*leading, rows, results)


def _near(queries: int, keys: int, causal: bool, window: tuple[int, int] | None) -> Native:
    """The keys that each query may see by its position, the last one standing at the last key, as a mask."""
    first = keys - queries
    near = jnp.ones((queries, keys), bool)
    if causal:
        near = jnp.tril(near, first)
    return near if window is None else jnp.tril(jnp.triu(near, first - window[0]), first + window[1])


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
    """``jax.nn.dot_product_attention``, which has all of this but ``alignment="lower_right"``: that is made a mask.

    Features and values of two widths are filled up with zeros. ``fully_masked_rows="nan"`` is accepted, since it is the default,
    for masks without such rows.
    """
    if soft_cap is not None:
        raise Unsupported("jax.nn.dot_product_attention has no soft cap")
    if fully_masked_rows == "zero":
        raise Unsupported("JAX masks with a large negative number, so a fully masked row gives the mean of all values")
    features, results = query.shape[-1], value.shape[-1]
    width = max(features, results)
    if alignment == "lower_right" and (causal or window is not None):
        near = _near(query.shape[1], key.shape[1], causal, window)
        mask = near if mask is None else mask & near
        causal, window = False, None
    y = jax.nn.dot_product_attention(
        *(_filled(query, width), _filled(key, width), _filled(value, width)),
        bias=bias if bias is None else jnp.expand_dims(bias, tuple(range(4 - bias.ndim))),
        mask=mask if mask is None else jnp.expand_dims(mask, tuple(range(4 - mask.ndim))),
        scale=features**-0.5 if scale is None and width > features else scale,
        is_causal=causal,
        key_value_seq_lengths=key_lengths if key_lengths is None else key_lengths.astype(jnp.int32),
        local_window_size=window,
    )
    return y[..., :results]


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
    """``jax.lax.dynamic_update_slice`` into the cache of each example, and ``jax.nn.dot_product_attention`` of what counts."""

    def updated(cache: Native, rows: Native, length: Native) -> Native:
        return jax.lax.dynamic_update_slice_in_dim(cache, rows, length, axis=0)

    keys, values = (jax.vmap(updated)(*arrays, lengths) for arrays in ((key_cache, key), (value_cache, value)))
    places = lengths[:, None] + jnp.arange(query.shape[1])
    mask = jnp.arange(keys.shape[1]) <= places[:, None, :, None]
    return jax.nn.dot_product_attention(query, keys, values, mask=mask, scale=scale), keys, values


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
    """``flax.linen.dot_product_attention`` without ``broadcast_dropout``; ``jax.nn.dot_product_attention`` has no dropout.

    It has a scale of its own, and one mask.
    """
    if scale is not None:
        query = query * (scale * math.sqrt(query.shape[-1]))
    if causal:
        near = _lower(query.shape[1], key.shape[1])
        mask = near if mask is None else mask & near
    return linen.dot_product_attention(
        query,
        key,
        value,
        mask=mask,
        broadcast_dropout=False,
        dropout_rng=jax.random.key(seed),
        dropout_rate=rate,
        deterministic=not training,
    )


def _lower(queries: int, keys: int) -> Native:
    """The keys up to each query's own position, as a mask."""
    return jnp.tril(jnp.ones((queries, keys), bool))
