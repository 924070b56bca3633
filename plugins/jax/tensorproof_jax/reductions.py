"""Reductions over axes (profile ``extended``)."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reduce_sum(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.sum``."""
    return jnp.sum(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_mean(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.mean``."""
    return jnp.mean(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_max(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``jnp.max``, which shares the gradient among ties."""
    if empty == "identity":
        raise Unsupported("jnp.max of nothing is an error")
    return jnp.max(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_min(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``jnp.min``, which shares the gradient among ties."""
    if empty == "identity":
        raise Unsupported("jnp.min of nothing is an error")
    return jnp.min(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_prod(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.prod``."""
    return jnp.prod(x, axis=axis, keepdims=keepdims)


@operations.native
def variance(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``jnp.var``."""
    return jnp.var(x, axis=axis, keepdims=keepdims, ddof=correction)


@operations.native
def standard_deviation(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``jnp.std``."""
    return jnp.std(x, axis=axis, keepdims=keepdims, ddof=correction)


@operations.native
def norm(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.linalg.vector_norm``."""
    return jnp.linalg.vector_norm(x, axis=axis, keepdims=keepdims)


@operations.native
def logsumexp(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jax.nn.logsumexp``."""
    return jax.nn.logsumexp(x, axis=axis, keepdims=keepdims)


@operations.native
def any(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.any``."""
    return jnp.any(x, axis=axis, keepdims=keepdims)


@operations.native
def all(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``jnp.all``."""
    return jnp.all(x, axis=axis, keepdims=keepdims)


@operations.native
def argmax(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``jnp.argmax``."""
    if nan == "ignored":
        raise Unsupported("jnp.argmax takes NaN for the largest")
    return jnp.argmax(x, axis=axis, keepdims=keepdims)


@operations.native
def argmin(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``jnp.argmin``."""
    if nan == "ignored":
        raise Unsupported("jnp.argmin takes NaN for the smallest")
    return jnp.argmin(x, axis=axis, keepdims=keepdims)


@operations.native
def cumulative_sum(x: Native, *, axis: int = -1) -> Native:
    """``jnp.cumsum``."""
    return jnp.cumsum(x, axis=axis)
