"""Activations beyond those of the texts (profile ``extended``): those of ``tf.nn``, and of Keras for what it lacks."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations


@operations.library
def elu(x: Native, *, alpha: float = 1.0) -> Native:
    """``keras.activations.elu``, since ``tf.nn.elu`` has no alpha."""
    return keras.activations.elu(x, alpha)


@operations.native
def selu(x: Native) -> Native:
    """``tf.nn.selu``."""
    return tf.nn.selu(x)


@operations.library
def celu(x: Native, *, alpha: float = 1.0) -> Native:
    """``keras.activations.celu``."""
    return keras.activations.celu(x, alpha)


@operations.library
def mish(x: Native) -> Native:
    """``keras.activations.mish``."""
    return keras.activations.mish(x)


@operations.native
def softsign(x: Native) -> Native:
    """``tf.nn.softsign``."""
    return tf.nn.softsign(x)


@operations.native
def relu6(x: Native) -> Native:
    """``tf.nn.relu6``."""
    return tf.nn.relu6(x)


@operations.library
def hard_sigmoid(x: Native, *, slope: str = "sixth") -> Native:
    """``keras.activations.hard_sigmoid``."""
    if slope != "sixth":
        raise Unsupported("keras.activations.hard_sigmoid has a slope of 1/6")
    return keras.activations.hard_sigmoid(x)


@operations.library
def hard_swish(x: Native) -> Native:
    """``keras.activations.hard_swish``."""
    return keras.activations.hard_swish(x)


@operations.library
def hard_tanh(x: Native, *, low: float = -1.0, high: float = 1.0) -> Native:
    """``keras.activations.hard_tanh``."""
    if (low, high) != (-1.0, 1.0):
        raise Unsupported("keras.activations.hard_tanh is between -1 and 1")
    return keras.activations.hard_tanh(x)


@operations.library
def threshold(x: Native, *, threshold: float = 1.0, value: float = 0.0) -> Native:
    """``keras.activations.threshold``."""
    return keras.activations.threshold(x, threshold, value)


@operations.library
def prelu(x: Native, slope: Native) -> Native:
    """``keras.layers.PReLU``, whose slopes are shared over all axes behind that of channels, or over all."""
    one = slope.shape[0] == 1
    shared = tuple(range(1 if one else 2, len(x.shape)))
    weights = tf.reshape(slope, (-1, *(1,) * (len(x.shape) - 2)))
    y, _ = layers.call("PReLU", x, [weights], shared_axes=shared or None)
    return y


@operations.library
def glu(x: Native, *, axis: int = -1) -> Native:
    """``keras.activations.glu``."""
    return keras.activations.glu(x, axis)


@operations.composed
def swiglu(x: Native, *, axis: int = -1) -> Native:
    """The product of ``tf.nn.silu`` and the other half."""
    gate, value = tf.split(x, 2, axis)
    return tf.nn.silu(gate) * value
