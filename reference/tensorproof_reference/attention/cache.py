"""Attention of new positions to those of a cache: see ``cached_attention``."""

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.attention._cache_samples import cache_samples, cache_workload
from tensorproof_reference.attention._heads import grouped_product, heads_vjp, require_heads, scores_of, weights_of
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations.scaled_dot_product_attention import attention_work, masked_softmax_vjp
from tensorproof_reference.trees import Array, Gradients

AXES = {
    "query": "b h n e",
    "key": "b g n e",
    "value": "b g n v",
    "key_cache": "b g s e",
    "value_cache": "b g s v",
    "lengths": "b",
    "y": "b h n v",
    "keys": "b g s e",
    "values": "b g s v",
}


def cached_attention(
    query: Array,
    key: Array,
    value: Array,
    key_cache: Array,
    value_cache: Array,
    lengths: Array,
    *,
    scale: float | None = None,
) -> tuple[Array, Array, Array]:
    r"""A step of decoding: N new positions are written behind the t positions of a cache, and attend to all up to themselves,

    .. math:: y_i = \mathrm{softmax}(s\, q_i K_{\leq t+i}^\top)\, V_{\leq t+i}, \quad K_{t+i} = k_i, \; V_{t+i} = v_i,

    with :math:`s = 1/\sqrt{E}` unless ``scale`` is given, and i from 0. ``lengths`` holds t of each example. Heads share keys and
    values in groups, as in ``grouped_query_attention``. Rows of the cache behind the new positions have no effect on y.

    The step with t = 0 is the prefill: causal attention of the first N positions. Decoding position after position gives what
    the prefill of all positions gives.

    Shapes: ``query`` (B, H, N, E), ``key`` (B, G, N, E), ``value`` (B, G, N, V), ``key_cache`` (B, G, S, E), ``value_cache``
    (B, G, S, V), ``lengths`` (B) of integers from 0 to S - N. Returns y (B, H, N, V), and the caches with the new rows.
    Special values: NaN in a row of the cache that is not written yet stays in the cache, and is not in y. In a row that counts it
    spreads as in ``grouped_query_attention``.
    Raises: ``ValueError`` if shapes do not fit, there are no positions or features, or a cache has no room.
    Source: Shazeer (2019), section 2.4; Pope et al. (2022), section 2.1.
    """
    keys, values, _, used_values, weights, _ = _parts(query, key, value, key_cache, value_cache, lengths, scale)
    return grouped_product(weights, used_values), keys, values


def _parts(
    query: Array, key: Array, value: Array, key_cache: Array, value_cache: Array, lengths: Array, scale: float | None
) -> tuple[Array, ...]:
    """The new caches; what of them counts, the rest being zero; the weights, and which scores have gradients."""
    require_heads(query, key_cache, value_cache)
    batch, groups, slots, features = key_cache.shape
    new = query.shape[2]
    require(new > 0, "query", "at least one position", f"shape {query.shape}")
    require_shape(key, "key", (batch, groups, new, features))
    require_shape(value, "value", (batch, groups, new, value_cache.shape[3]))
    require(np.issubdtype(lengths.dtype, np.integer), "lengths", "integers", f"dtype {lengths.dtype}")
    require_shape(lengths, "lengths", (batch,))
    fits = bool(np.all((lengths >= 0) & (lengths + new <= slots)))
    require(fits, "lengths", f"numbers from 0 to {slots - new}", lengths.tolist())
    after = np.arange(slots) - lengths[:, None]
    written = ((after >= 0) & (after < new))[:, None, :, None]
    counts = (after < new)[:, None, :, None]
    places = np.clip(after, 0, new - 1)[:, None, :, None]
    keys = np.where(written, np.take_along_axis(key, places, axis=2), key_cache)
    values = np.where(written, np.take_along_axis(value, places, axis=2), value_cache)
    used_keys, used_values = np.where(counts, keys, 0.0), np.where(counts, values, 0.0)
    allowed = (after[:, None, :] <= np.arange(new)[:, None])[:, None]
    return (keys, values, used_keys, used_values, *weights_of(scores_of(query, used_keys, scale), allowed, "nan"))


def _vjp(
    cotangents: tuple[Array, Array, Array],
    query: Array,
    key: Array,
    value: Array,
    key_cache: Array,
    value_cache: Array,
    lengths: Array,
    *,
    scale: float | None = None,
) -> Gradients:
    r"""Rows of the new caches have the cotangents of the caches, and what comes through attention where they count. New rows
    give theirs to ``key`` and ``value``, all others to the caches before.
    """
    dy, dkeys, dvalues = cotangents
    _, _, used_keys, used_values, weights, passing = _parts(query, key, value, key_cache, value_cache, lengths, scale)
    new = query.shape[2]
    dscores = masked_softmax_vjp(grouped_product(dy, np.swapaxes(used_values, -1, -2)), weights, passing)
    through = heads_vjp(dy, dscores, weights, query, used_keys, scale)
    after = (np.arange(key_cache.shape[2]) - lengths[:, None])[:, None, :, None]
    written = (after >= 0) & (after < new)
    places = (lengths[:, None] + np.arange(new))[:, None, :, None]
    found = {"query": through["query"]}
    for name, given in (("key", dkeys), ("value", dvalues)):
        whole = given + np.where(after < new, through[name], 0.0)
        found[name] = np.take_along_axis(whole, places, axis=2)
        found[f"{name}_cache"] = np.where(written, 0.0, whole)
    return found


def _work(
    query: Array,
    key: Array,
    value: Array,
    key_cache: Array,
    value_cache: Array,
    lengths: Array,
    *,
    scale: float | None = None,
) -> Work:
    """That of attention over a full cache: how much of it counts is no matter of shapes. Rows that move are no operations; back,
    the sums with the cotangents of the caches.
    """
    batch, heads, new, features = query.shape
    slots, results = value_cache.shape[2:]
    pairs, rows = batch * heads * new * slots, batch * heads * new
    sums = Work(flops=0, backward_flops=batch * key.shape[1] * slots * (features + results))
    return attention_work(pairs, rows, features, results) + sums


OPERATIONS = (
    Operation(
        function=cached_attention,
        vjp=_vjp,
        samples=cache_samples,
        family="cache",
        profile=EXTENDED,
        differentiable=("query", "key", "value", "key_cache", "value_cache"),
        outputs=("y", "keys", "values"),
        cotangents=("y", "keys", "values"),
        axes=AXES,
        workload=cache_workload,
        work=_work,
    ),
)
