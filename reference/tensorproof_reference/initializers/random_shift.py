"""Random shifts: see ``random_shift``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, uniform_distribution
from tensorproof_reference.initializers._draws import draw_uniform
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def random_shift(like: Array, *, fraction: float = 0.1, seed: int = 0) -> Array:
    """Shifts for augmentation, as fractions of an image's height or width: independent, uniform between minus and plus
    ``fraction``.

    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are any shape, one element for each image.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``fraction`` is not positive or ``seed`` is negative.
    Source: the texts, 000 §4.1.1.
    """
    require(fraction > 0, "fraction", "a positive number", fraction)
    return draw_uniform(like, -fraction, fraction, seed, "random_shift")


def distribution_of(like: Array, *, fraction: float = 0.1, seed: int = 0) -> Distribution:
    """Of each element."""
    return uniform_distribution(-fraction, fraction)


def samples(stream: Stream) -> Iterator[Sample]:
    """A hundred thousand images, in two ranges."""
    like = {"like": np.zeros(100_000)}
    yield Sample(name="statistics_many", inputs=like, keywords={"seed": 1}, gradient=False)
    yield Sample(name="statistics_half", inputs=like, keywords={"seed": 2, "fraction": 0.5}, gradient=False)


OPERATION = Operation(
    function=random_shift,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    distribution=distribution_of,
    documents=("000 §4.1.1",),
)
