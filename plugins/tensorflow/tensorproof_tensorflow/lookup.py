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


@operations.native
def embedding_bag(
    indices: Native, weight: Native, offsets: Native | None = None, scales: Native | None = None, *, mode: str = "mean"
) -> Native:
    """``tf.nn.safe_embedding_lookup_sparse``, whose empty bags are zero."""
    if mode == "max":
        raise Unsupported("tf.nn.embedding_lookup_sparse adds, or takes the mean")

    def bags(flat: Native) -> Native:
        whole = tf.RaggedTensor.from_tensor(flat) if offsets is None else tf.RaggedTensor.from_row_starts(flat, offsets)
        return whole.to_sparse()

    return tf.nn.safe_embedding_lookup_sparse(weight, bags(indices), None if scales is None else bags(scales), combiner=mode)
