"""Numbers taken from places, put there, and sorted (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def take(x: Native, indices: Native, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error") -> Native:
    """``jnp.take``."""
    if negative == "error":
        raise Unsupported("jnp.take counts from the end")
    if out_of_range == "error":
        raise Unsupported("jnp.take gives NaN beyond the end, or clips")
    return jnp.take(x, indices, axis=axis, mode="clip" if out_of_range == "clip" else "fill")


@operations.native
def take_along_axis(
    x: Native, indices: Native, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error"
) -> Native:
    """``jnp.take_along_axis``."""
    if negative == "error":
        raise Unsupported("jnp.take_along_axis counts from the end")
    if out_of_range == "error":
        raise Unsupported("jnp.take_along_axis gives NaN beyond the end, or clips")
    return jnp.take_along_axis(x, indices, axis, mode="clip" if out_of_range == "clip" else "fill")


@operations.native
def scatter_add(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``jnp.ndarray.at``."""
    if out_of_range == "error":
        raise Unsupported("jnp.ndarray.at ignores indices beyond the end")
    return x.at[indices].add(updates)


@operations.native
def scatter_set(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``jnp.ndarray.at``."""
    if out_of_range == "error":
        raise Unsupported("jnp.ndarray.at ignores indices beyond the end")
    return x.at[indices].set(updates)


@operations.native
def sort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``jnp.sort``, stable."""
    return jnp.sort(x, axis=axis, descending=descending, stable=True)


@operations.native
def argsort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``jnp.argsort``, stable."""
    return jnp.argsort(x, axis=axis, descending=descending, stable=True)


@operations.native
def top_k(x: Native, *, k: int, axis: int = -1) -> tuple[Native, ...]:
    """``jax.lax.top_k``."""
    return tuple(jax.lax.top_k(x, k, axis=axis))
