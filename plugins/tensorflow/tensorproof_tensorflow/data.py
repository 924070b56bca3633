"""Preparing data, and accuracies: Keras, and ``tf.image``."""

import math

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {name: {"x": "n h w c", "y": "n h w c"} for name in ("horizontal_flip", "rotate", "shift")}
SIDES = {"before": "pre", "after": "post"}


@operations.library
def rescale(x: Native, *, scale: float = 1 / 255, offset: float = 0.0) -> Native:
    """``keras.layers.Rescaling``."""
    return keras.layers.Rescaling(scale, offset, dtype=x.dtype.name)(x)


@operations.native
def horizontal_flip(x: Native) -> Native:
    """``tf.image.flip_left_right``."""
    return tf.image.flip_left_right(x)


def resample(x: Native, matrix: list[Native], interpolation: str, fill: str, fill_value: float) -> Native:
    """``keras.ops.image.affine_transform``: ``matrix`` takes columns and rows of the result to those of ``x``."""
    if fill == "mirror":
        raise Unsupported("keras.ops.image.affine_transform does not reflect about the centre of the last pixel")
    none = tf.zeros_like(matrix[0])
    transform = tf.stack([*matrix, none, none])
    return keras.ops.image.affine_transform(
        x, transform, interpolation=interpolation, fill_mode=fill, fill_value=fill_value, data_format="channels_last"
    )


@operations.library
def rotate(
    x: Native,
    degrees: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``keras.ops.image.affine_transform``."""
    row, column = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
    angle = degrees * (math.pi / 180)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    across = [cosine, -sine, column - cosine * column + sine * row]
    down = [sine, cosine, row - sine * column - cosine * row]
    return resample(x, [*across, *down], interpolation, fill, fill_value)


@operations.library
def shift(
    x: Native,
    vertical: Native,
    horizontal: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``keras.ops.image.affine_transform``."""
    one, none = tf.ones_like(vertical), tf.zeros_like(vertical)
    return resample(x, [one, none, -horizontal, none, one, -vertical], interpolation, fill, fill_value)


@operations.library
def pad_sequences(
    sequences: Native, *, maxlen: int, padding: str = "before", truncating: str = "before", value: int = 0
) -> Native:
    """``keras.utils.pad_sequences``, which gives a NumPy array."""
    rows = keras.utils.pad_sequences(
        sequences, maxlen, dtype="int64", padding=SIDES[padding], truncating=SIDES[truncating], value=value
    )
    return tf.convert_to_tensor(rows)


@operations.composed
def split(x: Native, *, validation_fraction: float = 0.2) -> Native:
    """Slices at the row at which ``Model.fit`` splits."""
    count = math.floor(x.shape[0] * (1.0 - validation_fraction))
    return x[:count], x[count:]


@operations.native
def mini_batches(x: Native, *, batch_size: int, drop_remainder: bool = False) -> Native:
    """``tf.data.Dataset.batch``."""
    return list(tf.data.Dataset.from_tensor_slices(x).batch(batch_size, drop_remainder=drop_remainder))


@operations.library
def binary_accuracy(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.binary_accuracy`` of all elements in one row."""
    row = tf.reshape(target, (1, -1)), tf.reshape(probabilities, (1, -1))
    return tf.reduce_mean(keras.metrics.binary_accuracy(*row, threshold=threshold))


@operations.library
def categorical_accuracy(scores: Native, target: Native) -> Native:
    """The mean of ``keras.metrics.categorical_accuracy``."""
    return tf.reduce_mean(keras.metrics.categorical_accuracy(target, scores))


@operations.library
def sparse_categorical_accuracy(scores: Native, labels: Native) -> Native:
    """The mean of ``keras.metrics.sparse_categorical_accuracy``."""
    return tf.reduce_mean(keras.metrics.sparse_categorical_accuracy(labels, scores))
