"""Preparing data, and accuracies: JAX has functions for images, and the rest is a few lines."""

import math

from tensorproof.backend import Native
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations


@operations.composed
def rescale(x: Native, *, scale: float = 1 / 255, offset: float = 0.0) -> Native:
    """A product and a sum."""
    return x * scale + offset


@operations.native
def horizontal_flip(x: Native) -> Native:
    """``jnp.flip``."""
    return jnp.flip(x, 3)


def resample(x: Native, rows: Native, columns: Native, interpolation: str, fill: str, fill_value: float) -> Native:
    """``jax.scipy.ndimage.map_coordinates`` of every channel of every image."""
    order = {"nearest": 0, "bilinear": 1}[interpolation]

    def of_one(image: Native) -> Native:
        return jax.scipy.ndimage.map_coordinates(image, [rows, columns], order, mode=fill, cval=fill_value)

    return jax.vmap(jax.vmap(of_one))(x)


@operations.native
def rotate(
    x: Native,
    degrees: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``jax.scipy.ndimage.map_coordinates``."""
    height, width = x.shape[2:]
    angle = jnp.deg2rad(degrees)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    row, column = (height - 1) / 2, (width - 1) / 2
    down, right = jnp.meshgrid(jnp.arange(height, dtype=x.dtype) - row, jnp.arange(width, dtype=x.dtype) - column, indexing="ij")
    return resample(x, row + down * cosine + right * sine, column + right * cosine - down * sine, interpolation, fill, fill_value)


@operations.native
def shift(
    x: Native,
    vertical: Native,
    horizontal: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``jax.scipy.ndimage.map_coordinates``."""
    height, width = x.shape[2:]
    down, right = jnp.meshgrid(jnp.arange(height, dtype=x.dtype), jnp.arange(width, dtype=x.dtype), indexing="ij")
    return resample(x, down - vertical, right - horizontal, interpolation, fill, fill_value)


@operations.composed
def pad_sequences(
    sequences: Native, *, maxlen: int, padding: str = "before", truncating: str = "before", value: int = 0
) -> Native:
    """``jnp.pad`` of each sequence, cut to length."""
    kept = [sequence[:maxlen] if truncating == "after" else sequence[max(len(sequence) - maxlen, 0) :] for sequence in sequences]
    missing = [maxlen - len(sequence) for sequence in kept]
    sides = [(count, 0) if padding == "before" else (0, count) for count in missing]
    return jnp.stack([jnp.pad(sequence, side, constant_values=value) for sequence, side in zip(kept, sides, strict=True)])


@operations.composed
def split(x: Native, *, validation_fraction: float = 0.2) -> Native:
    """``jnp.split`` at the row that a user counts."""
    return jnp.split(x, [math.floor(len(x) * (1.0 - validation_fraction))])


@operations.composed
def mini_batches(x: Native, *, batch_size: int, drop_remainder: bool = False) -> Native:
    """Slices."""
    end = len(x) - len(x) % batch_size if drop_remainder else len(x)
    return [x[start : start + batch_size] for start in range(0, end, batch_size)]


@operations.composed
def binary_accuracy(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """The mean of the answers that are right."""
    return jnp.mean((probabilities > threshold) == (target == 1))


@operations.composed
def categorical_accuracy(scores: Native, target: Native) -> Native:
    """The mean of the answers that are right."""
    return jnp.mean(jnp.argmax(scores, -1) == jnp.argmax(target, -1))


@operations.composed
def sparse_categorical_accuracy(scores: Native, labels: Native) -> Native:
    """The mean of the answers that are right."""
    return jnp.mean(jnp.argmax(scores, -1) == labels)
