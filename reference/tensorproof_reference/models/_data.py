"""What models are given to learn: random inputs and targets of the right kind."""

import numpy as np

from tensorproof_reference.model import Draw
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def uniform(*shape: int) -> Draw:
    """Numbers from 0 to 1, as of images."""
    return lambda stream, count: stream.uniform((count, *shape))


def bits(count: int) -> Draw:
    """Zeros and ones."""
    return lambda stream, examples: stream.integers((examples, count), 0, 2).astype(np.float64)


def normal(*shape: int) -> Draw:
    """Normal numbers."""
    return lambda stream, count: stream.normal((count, *shape))


def indices(length: int, rows: int) -> Draw:
    """Sequences of indices below ``rows``."""
    return lambda stream, count: stream.integers((count, length), 0, rows)


def labels(classes: int) -> Draw:
    """One label for each example."""
    return lambda stream, count: stream.integers((count,), 0, classes)


def one_hot(classes: int) -> Draw:
    """One indicator row for each example."""

    def draw(stream: Stream, count: int) -> Array:
        return np.eye(classes)[stream.integers((count,), 0, classes)]

    return draw


def binary() -> Draw:
    """0 or 1 for each example, in one column."""
    return lambda stream, count: stream.integers((count, 1), 0, 2).astype(np.float64)
