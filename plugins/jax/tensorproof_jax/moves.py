"""Moves of numbers: shapes, places and padding (profile ``extended``)."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reshape(x: Native, *, shape: Any) -> Native:
    """``jnp.reshape``."""
    return jnp.reshape(x, shape)


@operations.native
def permute(x: Native, *, axes: Any) -> Native:
    """``jnp.transpose``."""
    return jnp.transpose(x, axes)


@operations.native
def squeeze(x: Native, *, axis: Any) -> Native:
    """``jnp.squeeze``."""
    return jnp.squeeze(x, axis)


@operations.native
def expand_dims(x: Native, *, axis: int) -> Native:
    """``jnp.expand_dims``."""
    return jnp.expand_dims(x, axis)


@operations.native
def broadcast_to(x: Native, *, shape: Any) -> Native:
    """``jnp.broadcast_to``."""
    return jnp.broadcast_to(x, shape)


@operations.native
def tile(x: Native, *, repeats: Any) -> Native:
    """``jnp.tile``."""
    return jnp.tile(x, repeats)


@operations.native
def concatenate(arrays: Any, *, axis: int = 0) -> Native:
    """``jnp.concatenate``."""
    return jnp.concatenate(list(arrays), axis=axis)


@operations.native
def stack(arrays: Any, *, axis: int = 0) -> Native:
    """``jnp.stack``."""
    return jnp.stack(list(arrays), axis=axis)


@operations.native
def split_by_sizes(x: Native, *, sizes: Any, axis: int = 0) -> tuple[Native, ...]:
    """``jnp.split``."""
    return tuple(jnp.split(x, [sizes[0], sizes[0] + sizes[1]], axis=axis))


@operations.native
def flip(x: Native, *, axis: Any) -> Native:
    """``jnp.flip``."""
    return jnp.flip(x, axis)


@operations.native
def roll(x: Native, *, shift: Any, axis: Any) -> Native:
    """``jnp.roll``."""
    return jnp.roll(x, shift, axis)


@operations.native
def strided_slice(x: Native, *, start: Any, stop: Any, step: Any) -> Native:
    """Indexing."""
    return x[tuple(slice(*ends) for ends in zip(start, stop, step, strict=True))]


@operations.native
def pad(x: Native, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Native:
    """``jax.lax.pad`` with constants, which crops too, and otherwise ``jnp.pad``."""
    if mode == "constant":
        return jax.lax.pad(x, jnp.asarray(value, x.dtype), [(*pair, 0) for pair in widths])
    if min(width for pair in widths for width in pair) < 0:
        raise Unsupported("jnp.pad has no width below 0")
    return jnp.pad(x, widths, mode=mode)


@operations.native
def tril(x: Native, *, diagonal: int = 0) -> Native:
    """``jnp.tril``."""
    return jnp.tril(x, diagonal)


@operations.native
def triu(x: Native, *, diagonal: int = 0) -> Native:
    """``jnp.triu``."""
    return jnp.triu(x, diagonal)
