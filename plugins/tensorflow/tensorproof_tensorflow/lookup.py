"""Looking up rows, one-hot rows, and dropout."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations


@operations.native
def embedding(indices: Native, weight: Native, *, out_of_range: str = "error") -> Native:
    """``tf.nn.embedding_lookup``."""
    return tf.nn.embedding_lookup(weight, indices)


@operations.native
def one_hot(labels: Native, *, classes: int, out_of_range: str = "error") -> Native:
    """``tf.one_hot``, which gives zeros for a label out of range."""
    if out_of_range in ("clamp", "nan"):
        raise Unsupported("tf.one_hot gives zeros for a label out of range")
    return tf.one_hot(labels, classes)


@operations.native
def dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``tf.nn.experimental.stateless_dropout``."""
    return tf.nn.experimental.stateless_dropout(x, rate, seed=[seed, 0]) if training else tf.identity(x)
