"""Reductions over axes (profile ``extended``)."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reduce_sum(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_sum``."""
    return tf.math.reduce_sum(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_mean(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_mean``."""
    return tf.math.reduce_mean(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_max(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``tf.math.reduce_max``, which shares the gradient among ties."""
    if empty == "error":
        raise Unsupported("tf.math.reduce_max of nothing is -inf")
    return tf.math.reduce_max(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_min(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``tf.math.reduce_min``, which shares the gradient among ties."""
    if empty == "error":
        raise Unsupported("tf.math.reduce_min of nothing is inf")
    return tf.math.reduce_min(x, axis=axis, keepdims=keepdims)


@operations.native
def reduce_prod(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_prod``."""
    return tf.math.reduce_prod(x, axis=axis, keepdims=keepdims)


@operations.native
def variance(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``tf.math.reduce_variance``."""
    if correction:
        raise Unsupported("tf.math.reduce_variance has no correction")
    return tf.math.reduce_variance(x, axis=axis, keepdims=keepdims)


@operations.native
def standard_deviation(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``tf.math.reduce_std``."""
    if correction:
        raise Unsupported("tf.math.reduce_std has no correction")
    return tf.math.reduce_std(x, axis=axis, keepdims=keepdims)


@operations.native
def norm(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.norm``."""
    if isinstance(axis, tuple) and len(axis) != 2:
        raise Unsupported("tf.norm takes one axis, two or all")
    return tf.norm(x, axis=axis, keepdims=keepdims)


@operations.native
def logsumexp(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_logsumexp``."""
    return tf.math.reduce_logsumexp(x, axis=axis, keepdims=keepdims)


@operations.native
def any(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_any``."""
    return tf.math.reduce_any(x, axis=axis, keepdims=keepdims)


@operations.native
def all(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``tf.math.reduce_all``."""
    return tf.math.reduce_all(x, axis=axis, keepdims=keepdims)


@operations.native
def argmax(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``tf.math.argmax``, which takes one axis and keeps none."""
    if nan == "first":
        raise Unsupported("tf.math.argmax ignores NaN")
    if axis is None:
        position = tf.math.argmax(tf.reshape(x, [-1]))
        return tf.reshape(position, [1] * len(x.shape)) if keepdims else position
    position = tf.math.argmax(x, axis=axis)
    return tf.expand_dims(position, axis) if keepdims else position


@operations.native
def argmin(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``tf.math.argmin``, which takes one axis and keeps none."""
    if nan == "first":
        raise Unsupported("tf.math.argmin ignores NaN")
    if axis is None:
        position = tf.math.argmin(tf.reshape(x, [-1]))
        return tf.reshape(position, [1] * len(x.shape)) if keepdims else position
    position = tf.math.argmin(x, axis=axis)
    return tf.expand_dims(position, axis) if keepdims else position


@operations.native
def cumulative_sum(x: Native, *, axis: int = -1) -> Native:
    """``tf.math.cumsum``."""
    return tf.math.cumsum(x, axis=axis)
