"""Matrix products, dense layers, and regressions."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations


@operations.native
def matmul(a: Native, b: Native) -> Native:
    """``tf.linalg.matmul``."""
    return tf.linalg.matmul(a, b)


@operations.library
def dense(x: Native, weight: Native, bias: Native | None = None, *, activation: str = "linear") -> Native:
    """``keras.layers.Dense``."""
    weights = [weight] if bias is None else [weight, bias]
    return layers.call("Dense", x, weights, units=weight.shape[1], activation=activation, use_bias=bias is not None)[0]


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
    """The formula, with ``tf.linalg.matmul``: TensorFlow has no function for it."""
    if beta == 0 and zero_beta == "unread":
        raise Unsupported("the formula multiplies what beta = 0 leaves")
    product = alpha * tf.linalg.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return product if c is None else product + beta * c


@operations.native
def einsum(arrays: Any, *, equation: str) -> Native:
    """``tf.einsum``."""
    return tf.einsum(equation, *arrays)


@operations.composed
def linear_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """``tf.linalg.matvec`` and an addition."""
    return tf.linalg.matvec(x, theta) + theta0


@operations.composed
def logistic_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """``tf.math.sigmoid`` of the linear regression."""
    return tf.math.sigmoid(tf.linalg.matvec(x, theta) + theta0)
