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


operations.unsupported(
    "padded_embedding", "TensorFlow has no embedding with a row of padding: the zeros that Keras masks do train"
)


@operations.native
def one_hot_with_values(
    labels: Native,
    *,
    classes: int,
    on: float = 1.0,
    off: float = 0.0,
    axis: int = -1,
    dtype: str = "float32",
    out_of_range: str = "error",
    negative: str = "error",
) -> Native:
    """``tf.one_hot``, which is off everywhere for a label out of range."""
    if axis < -1:
        raise Unsupported("tf.one_hot counts axes from the front, but for -1, which is the last")
    if negative == "from_the_end":
        raise Unsupported("tf.one_hot is off everywhere for a label below 0")
    held = tf.as_dtype(dtype)
    values = (tf.constant(held.as_numpy_dtype(value)) for value in (on, off))
    return tf.one_hot(labels, classes, *values, axis=axis, dtype=held)
