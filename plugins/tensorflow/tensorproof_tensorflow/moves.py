"""Moves of numbers: shapes, places and padding (profile ``extended``)."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reshape(x: Native, *, shape: Any) -> Native:
    """``tf.reshape``."""
    return tf.reshape(x, shape)


@operations.native
def permute(x: Native, *, axes: Any) -> Native:
    """``tf.transpose``."""
    return tf.transpose(x, axes)


@operations.native
def squeeze(x: Native, *, axis: Any) -> Native:
    """``tf.squeeze``."""
    return tf.squeeze(x, axis)


@operations.native
def expand_dims(x: Native, *, axis: int) -> Native:
    """``tf.expand_dims``."""
    return tf.expand_dims(x, axis)


@operations.native
def broadcast_to(x: Native, *, shape: Any) -> Native:
    """``tf.broadcast_to``."""
    return tf.broadcast_to(x, shape)


@operations.native
def tile(x: Native, *, repeats: Any) -> Native:
    """``tf.tile``."""
    return tf.tile(x, repeats)


@operations.native
def concatenate(arrays: Any, *, axis: int = 0) -> Native:
    """``tf.concat``."""
    return tf.concat(list(arrays), axis=axis)


@operations.native
def stack(arrays: Any, *, axis: int = 0) -> Native:
    """``tf.stack``."""
    return tf.stack(list(arrays), axis=axis)


@operations.native
def split_by_sizes(x: Native, *, sizes: Any, axis: int = 0) -> tuple[Native, ...]:
    """``tf.split``."""
    return tuple(tf.split(x, list(sizes), axis=axis))


@operations.native
def flip(x: Native, *, axis: Any) -> Native:
    """``tf.reverse``."""
    return tf.reverse(x, list(axis) if isinstance(axis, tuple) else [axis])


@operations.native
def roll(x: Native, *, shift: Any, axis: Any) -> Native:
    """``tf.roll``."""
    return tf.roll(x, shift, axis)


@operations.native
def strided_slice(x: Native, *, start: Any, stop: Any, step: Any) -> Native:
    """``tf.strided_slice``, as indexing calls it."""
    return x[tuple(slice(*ends) for ends in zip(start, stop, step, strict=True))]


@operations.native
def pad(x: Native, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Native:
    """``tf.pad``."""
    if mode in ("edge", "wrap"):
        raise Unsupported("tf.pad has no edge or wrap")
    if min(width for pair in widths for width in pair) < 0:
        raise Unsupported("tf.pad has no width below 0")
    return tf.pad(x, widths, mode=mode, constant_values=value)


@operations.native
def tril(x: Native, *, diagonal: int = 0) -> Native:
    """``tf.experimental.numpy.tril``."""
    return tf.experimental.numpy.tril(x, diagonal)


@operations.native
def triu(x: Native, *, diagonal: int = 0) -> Native:
    """``tf.experimental.numpy.triu``."""
    return tf.experimental.numpy.triu(x, diagonal)
