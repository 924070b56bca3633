"""Matrix products, dense layers, and regressions."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.table import operations

ACTIVATIONS = {"linear": lambda x: x, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}


@operations.native
def matmul(a: Native, b: Native) -> Native:
    """``jnp.matmul``."""
    return jnp.matmul(a, b)


@operations.library
def dense(x: Native, weight: Native, bias: Native | None = None, *, activation: str = "linear") -> Native:
    """``flax.linen.Dense``, followed by the activation."""
    parameters = {"kernel": weight} if bias is None else {"kernel": weight, "bias": bias}
    layer = linen.Dense(weight.shape[1], use_bias=bias is not None)
    return ACTIVATIONS[activation](layer.apply({"params": parameters}, x))


@operations.composed
def gemm(
    a: Native,
    b: Native,
    c: Native | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transpose_a: bool = False,
    transpose_b: bool = False,
    zero_beta: str = "unread",
) -> Native:
    """The formula: JAX has no function for it."""
    if beta == 0 and zero_beta == "unread":
        raise Unsupported("the formula multiplies what beta = 0 leaves")
    product = alpha * jnp.matmul(a.mT if transpose_a else a, b.mT if transpose_b else b)
    return product if c is None else product + beta * c


@operations.native
def einsum(arrays: Any, *, equation: str) -> Native:
    """``jnp.einsum``."""
    return jnp.einsum(equation, *arrays)


@operations.composed
def linear_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """The formula."""
    return theta0 + x @ theta


@operations.composed
def logistic_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """The formula."""
    return jax.nn.sigmoid(theta0 + x @ theta)
