"""Activations and softmax."""

from tensorproof.backend import Native
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations


@operations.native
def sigmoid(x: Native) -> Native:
    """``tf.math.sigmoid``."""
    return tf.math.sigmoid(x)


@operations.native
def tanh(x: Native) -> Native:
    """``tf.math.tanh``."""
    return tf.math.tanh(x)


@operations.native
def relu(x: Native) -> Native:
    """``tf.nn.relu``."""
    return tf.nn.relu(x)


@operations.native
def leaky_relu(x: Native, *, negative_slope: float = 0.2) -> Native:
    """``tf.nn.leaky_relu``."""
    return tf.nn.leaky_relu(x, alpha=negative_slope)


@operations.native
def softplus(x: Native) -> Native:
    """``tf.math.softplus``."""
    return tf.math.softplus(x)


@operations.native
def silu(x: Native) -> Native:
    """``tf.nn.silu``."""
    return tf.nn.silu(x)


@operations.native
def gelu(x: Native, *, approximation: str = "none") -> Native:
    """``tf.nn.gelu``, through erf or tanh."""
    return tf.nn.gelu(x, approximate=approximation == "tanh")


@operations.native
def softmax(x: Native, *, axis: int = -1) -> Native:
    """``tf.nn.softmax``."""
    return tf.nn.softmax(x, axis=axis)


@operations.native
def log_softmax(x: Native, *, axis: int = -1) -> Native:
    """``tf.nn.log_softmax``."""
    return tf.nn.log_softmax(x, axis=axis)
