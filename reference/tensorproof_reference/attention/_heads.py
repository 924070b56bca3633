"""What operations of attention share: heads in groups, the keys that a query may see, and the weights of scores."""

from typing import TypeAlias

import numpy as np

from tensorproof_reference.arguments import require, require_broadcast, require_choice, require_pair, require_rank, require_shape
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS, masked_softmax, scale_of
from tensorproof_reference.trees import Array, Gradients

ALIGNMENTS = ("upper_left", "lower_right")
"""The corner of the scores where the diagonal begins: query l is at key l, or the last query at the last key."""

Window: TypeAlias = tuple[int, int] | None
"""How many keys before and after its own position a query may see."""


def require_heads(query: Array, key: Array, value: Array) -> None:
    """Raise ``ValueError`` unless these are heads of queries, and of keys and values for groups of them."""
    for name, array in (("query", query), ("key", key), ("value", value)):
        require_rank(array, name, 4)
    batch, heads, _, features = query.shape
    groups, keys = key.shape[1:3]
    require(features > 0, "query", "at least one feature", f"shape {query.shape}")
    require(groups > 0 and heads % groups == 0, "key", f"a number of heads that divides {heads}", groups)
    require_shape(key, "key", (batch, groups, keys, features))
    require(keys > 0, "key", "at least one key", f"shape {key.shape}")
    require_shape(value, "value", (batch, groups, keys, value.shape[-1]))


def scores_shape(query: Array, key: Array) -> tuple[int, ...]:
    """That of the score of each key for each query of each head."""
    return (*query.shape[:3], key.shape[2])


def grouped_product(heads: Array, groups: Array) -> Array:
    """Each head's matrix times that of its group: (B, H, L, X) by (B, G, X, Y); H/G heads after each other share a group."""
    batch, count, rows, inner = heads.shape
    together = heads.reshape(batch, groups.shape[1], count // groups.shape[1] * rows, inner)
    return np.matmul(together, groups).reshape(batch, count, rows, groups.shape[3])


def grouped_sum(left: Array, right: Array, groups: int) -> Array:
    """The products of transposed heads with heads, summed over each group: (B, H, L, X) and (B, H, L, Y) give (B, G, X, Y)."""
    batch, count, rows, _ = left.shape
    shape = (batch, groups, count // groups * rows)
    return np.matmul(np.swapaxes(left.reshape(*shape, left.shape[3]), -1, -2), right.reshape(*shape, right.shape[3]))


def scores_of(query: Array, key: Array, scale: float | None) -> Array:
    """The scaled score of each key for each query: (B, H, L, E) and (B, G, S, E) give (B, H, L, S)."""
    return grouped_product(query, np.swapaxes(key, -1, -2)) * scale_of(query, scale)


def heads_vjp(dy: Array, dscores: Array, weights: Array, query: Array, key: Array, scale: float | None) -> Gradients:
    """The gradients of queries, keys and values by those of the results and of scaled scores; summed over each group."""
    scaled, groups = dscores * scale_of(query, scale), key.shape[1]
    return {
        "query": grouped_product(scaled, key),
        "key": grouped_sum(scaled, query, groups),
        "value": grouped_sum(weights, dy, groups),
    }


def near_keys(queries: int, keys: int, causal: bool, window: Window, alignment: str) -> Array:
    """Which keys each query may see by its position among them.

    Raises:
        ValueError: the window or the alignment is none.
    """
    require_choice(alignment, "alignment", ALIGNMENTS)
    first = keys - queries if alignment == "lower_right" else 0
    after = np.arange(keys) - (np.arange(queries) + first)[:, None]
    near = after <= 0 if causal else np.ones(after.shape, dtype=bool)
    if window is None:
        return near
    most_before, most_after = require_pair(window, "window", 0)
    return near & (-most_before <= after) & (after <= most_after)


def allowed_keys(
    query: Array,
    key: Array,
    mask: Array | None,
    key_lengths: Array | None,
    causal: bool,
    window: Window,
    alignment: str,
) -> Array:
    """Which keys each query may see: an array of booleans that broadcasts to the scores.

    Raises:
        ValueError: an argument is malformed.
    """
    shape = scores_shape(query, key)
    allowed = near_keys(query.shape[2], key.shape[2], causal, window, alignment)
    if mask is not None:
        require(mask.dtype == np.bool_, "mask", "booleans", f"dtype {mask.dtype}")
        require_broadcast(mask, "mask", shape)
        allowed = allowed & mask
    if key_lengths is not None:
        require(np.issubdtype(key_lengths.dtype, np.integer), "key_lengths", "integers", f"dtype {key_lengths.dtype}")
        require_shape(key_lengths, "key_lengths", (len(query),))
        fits = bool(np.all((key_lengths >= 0) & (key_lengths <= shape[3])))
        require(fits, "key_lengths", f"numbers from 0 to {shape[3]}", key_lengths.tolist())
        allowed = allowed & (np.arange(shape[3]) < key_lengths[:, None, None, None])
    return allowed


def weights_of(scores: Array, allowed: Array, fully_masked_rows: str) -> tuple[Array, Array]:
    """The weight of each key, and through which scores gradients pass: allowed ones, in rows that are not all -∞."""
    require_choice(fully_masked_rows, "fully_masked_rows", FULLY_MASKED_ROWS)
    visible = np.any(allowed & (scores != -np.inf), axis=-1, keepdims=True)
    return masked_softmax(scores, allowed, visible, fully_masked_rows), allowed & visible
