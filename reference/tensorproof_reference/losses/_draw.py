"""Random inputs of the losses' samples, by exact arithmetic and correctly rounded division only."""

import numpy as np

from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def distributions(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Positive rows (the last axis) that sum to one, up to rounding; no entry is small beside the others."""
    weights = stream("distributions").uniform(shape, 0.05, 1.0)
    return weights / np.sum(weights, axis=-1, keepdims=True)


def soft_targets(stream: Stream, shape: tuple[int, ...]) -> Array:
    """1/2, 1/4, 1/8, …, the last one twice, then zeros, in random order: rows that sum to one exactly in every dtype."""
    count = min(shape[-1], 8)
    row = np.zeros(shape[-1])
    row[:count] = 0.5 ** np.arange(1, count + 1)
    row[count - 1] *= 2.0
    order = np.argsort(stream("soft_targets").raw(int(np.prod(shape))).reshape(shape), axis=-1, kind="stable")
    return row[order]


def targets_of_any_sum(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Soft targets whose rows sum to 3/2, 1/2, 0, 2, 1/4 and 1 in turn, exactly in every dtype."""
    sums = np.resize(np.array((1.5, 0.5, 0.0, 2.0, 0.25, 1.0)), int(np.prod(shape[:-1])))
    return soft_targets(stream, shape) * sums.reshape(*shape[:-1], 1)


def one_hot_targets(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Rows of zeros with a single one."""
    return np.eye(shape[-1])[labels(stream, shape)]


def labels(stream: Stream, shape: tuple[int, ...]) -> Array:
    """A class for each row of an array of this shape, whose last axis are the classes."""
    return stream("labels").integers(shape[:-1], 0, shape[-1])


def bits(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Labels 0.0 and 1.0."""
    return stream("bits").integers(shape, 0, 2).astype(np.float64)


def sixteenths(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Soft binary labels: multiples of 1/16 between 0.125 and 0.875."""
    return stream("sixteenths").integers(shape, 2, 15) / 16.0
