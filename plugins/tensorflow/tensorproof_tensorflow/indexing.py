"""Numbers taken from places, put there, and sorted (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def take(x: Native, indices: Native, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error") -> Native:
    """``tf.gather``."""
    if negative == "from_the_end":
        raise Unsupported("tf.gather does not count from the end")
    if out_of_range != "error":
        raise Unsupported("tf.gather raises InvalidArgumentError beyond the end")
    return tf.gather(x, indices, axis=axis)


@operations.native
def take_along_axis(
    x: Native, indices: Native, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error"
) -> Native:
    """``tf.experimental.numpy.take_along_axis``."""
    if negative == "error":
        raise Unsupported("tf.experimental.numpy.take_along_axis counts from the end")
    if out_of_range != "error":
        raise Unsupported("tf.experimental.numpy.take_along_axis raises InvalidArgumentError beyond the end")
    return tf.experimental.numpy.take_along_axis(x, indices, axis)


@operations.native
def scatter_add(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``tf.tensor_scatter_nd_add``."""
    if out_of_range != "error":
        raise Unsupported("tf.tensor_scatter_nd_add raises InvalidArgumentError beyond the end")
    return tf.tensor_scatter_nd_add(x, indices[:, None], updates)


@operations.native
def scatter_set(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``tf.tensor_scatter_nd_update``."""
    if out_of_range != "error":
        raise Unsupported("tf.tensor_scatter_nd_update raises InvalidArgumentError beyond the end")
    return tf.tensor_scatter_nd_update(x, indices[:, None], updates)


@operations.native
def sort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``tf.sort``."""
    return tf.sort(x, axis=axis, direction="DESCENDING" if descending else "ASCENDING")


@operations.native
def argsort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``tf.argsort``, stable."""
    return tf.argsort(x, axis=axis, direction="DESCENDING" if descending else "ASCENDING", stable=True)


@operations.native
def top_k(x: Native, *, k: int, axis: int = -1) -> tuple[Native, ...]:
    """``tf.math.top_k``, along the last axis."""
    if axis % len(x.shape) != len(x.shape) - 1:
        raise Unsupported("tf.math.top_k has the last axis only")
    return tuple(tf.math.top_k(x, k))
