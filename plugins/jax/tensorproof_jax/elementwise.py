"""Activations, and softmax along an axis."""

from tensorproof.backend import Native
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations


@operations.native
def sigmoid(x: Native) -> Native:
    """``jax.nn.sigmoid``."""
    return jax.nn.sigmoid(x)


@operations.native
def tanh(x: Native) -> Native:
    """``jnp.tanh``."""
    return jnp.tanh(x)


@operations.native
def relu(x: Native) -> Native:
    """``jax.nn.relu``."""
    return jax.nn.relu(x)


@operations.native
def leaky_relu(x: Native, *, negative_slope: float = 0.2) -> Native:
    """``jax.nn.leaky_relu``."""
    return jax.nn.leaky_relu(x, negative_slope)


@operations.native
def softplus(x: Native) -> Native:
    """``jax.nn.softplus``."""
    return jax.nn.softplus(x)


@operations.native
def silu(x: Native) -> Native:
    """``jax.nn.silu``."""
    return jax.nn.silu(x)


@operations.native
def gelu(x: Native, *, approximation: str = "none") -> Native:
    """``jax.nn.gelu``, through erf or tanh."""
    return jax.nn.gelu(x, approximate=approximation == "tanh")


@operations.native
def softmax(x: Native, *, axis: int = -1) -> Native:
    """``jax.nn.softmax``."""
    return jax.nn.softmax(x, axis)


@operations.native
def log_softmax(x: Native, *, axis: int = -1) -> Native:
    """``jax.nn.log_softmax``."""
    return jax.nn.log_softmax(x, axis)
