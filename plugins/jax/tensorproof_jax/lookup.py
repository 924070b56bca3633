"""Flattening, looking up rows, one-hot rows, and dropout."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.table import operations


@operations.native
def flatten(x: Native, *, order: str = "channels_first") -> Native:
    """``jax.lax.collapse``, which keeps the order of the axes."""
    if order != "channels_first":
        raise Unsupported("jax.lax.collapse keeps the order of the axes")
    return jax.lax.collapse(x, 1)


@operations.native
def embedding(indices: Native, weight: Native, *, out_of_range: str = "error") -> Native:
    """``jnp.take``, which fills (with NaN unless told otherwise) or clips. Where an error is asked for, its default."""
    if out_of_range == "clamp":
        return jnp.take(weight, indices, axis=0, mode="clip")
    if out_of_range == "zeros":
        return jnp.take(weight, indices, axis=0, mode="fill", fill_value=0)
    return jnp.take(weight, indices, axis=0)


@operations.composed
def embedding_bag(
    indices: Native, weight: Native, offsets: Native | None = None, scales: Native | None = None, *, mode: str = "mean"
) -> Native:
    """``jax.ops.segment_sum`` or ``segment_max`` of the rows: JAX has no function for bags."""
    count = indices.shape[0] if offsets is None else offsets.shape[0]
    begins = jnp.arange(count) * indices.shape[1] if offsets is None else offsets
    bags = jnp.searchsorted(begins, jnp.arange(indices.size), side="right") - 1
    rows = jnp.take(weight, indices.reshape(-1), axis=0)
    if scales is not None:
        rows = rows * scales.reshape(-1, 1)
    sizes = jax.ops.segment_sum(jnp.ones(indices.size, weight.dtype), bags, count)[:, None]
    if mode == "max":
        return jnp.where(sizes > 0, jax.ops.segment_max(rows, bags, count), 0)
    total = jax.ops.segment_sum(rows, bags, count)
    return total if mode == "sum" else total / jnp.maximum(sizes, 1)


@operations.native
def one_hot(labels: Native, *, classes: int, out_of_range: str = "error") -> Native:
    """``jax.nn.one_hot``, which gives zeros for a label out of range."""
    if out_of_range not in ("error", "zeros"):
        raise Unsupported("jax.nn.one_hot gives zeros for a label out of range")
    return jax.nn.one_hot(labels, classes)


@operations.library
def dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``flax.linen.Dropout``."""
    return linen.Dropout(rate, deterministic=not training).apply({}, x, rngs={"dropout": jax.random.key(seed)})


@operations.library
def channel_dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``flax.linen.Dropout``, whose mask is broadcast over positions."""
    layer = linen.Dropout(rate, broadcast_dims=tuple(range(1, x.ndim - 1)), deterministic=not training)
    return layer.apply({}, x, rngs={"dropout": jax.random.key(seed)})


operations.unsupported("padded_embedding", "neither JAX nor Flax has an embedding with a row of padding")


@operations.native
def one_hot_with_values(
    labels: Native,
    *,
    classes: int,
    on: float = 1.0,
    off: float = 0.0,
    axis: int = -1,
    dtype: str = "float32",
    out_of_range: str = "error",
    negative: str = "error",
) -> Native:
    """``jax.nn.one_hot``, which gives zeros for a label out of range."""
    if (on, off) != (1, 0):
        raise Unsupported("jax.nn.one_hot gives 1 and 0")
    if negative == "from_the_end":
        raise Unsupported("jax.nn.one_hot gives zeros for a label below 0")
    return jax.nn.one_hot(labels, classes, axis=axis, dtype=dtype)
