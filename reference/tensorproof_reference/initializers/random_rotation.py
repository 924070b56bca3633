"""Random rotations: see ``random_rotation``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, uniform_distribution
from tensorproof_reference.initializers._draws import draw_uniform
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def random_rotation(like: Array, *, degrees: float = 15.0, seed: int = 0) -> Array:
    """Angles of rotation for augmentation: independent, uniform between minus and plus ``degrees``.

    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are any shape, one element for each image.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``degrees`` is not positive or ``seed`` is negative.
    Source: the texts, 000 §4.1.1.
    """
    require(degrees > 0, "degrees", "a positive number", degrees)
    return draw_uniform(like, -degrees, degrees, seed, "random_rotation")


def distribution_of(like: Array, *, degrees: float = 15.0, seed: int = 0) -> Distribution:
    """Of each element."""
    return uniform_distribution(-degrees, degrees)


def samples(stream: Stream) -> Iterator[Sample]:
    """A hundred thousand images, in two ranges."""
    like = {"like": np.zeros(100_000)}
    yield Sample(name="statistics_many", inputs=like, keywords={"seed": 1}, gradient=False)
    yield Sample(name="statistics_right_angles", inputs=like, keywords={"seed": 2, "degrees": 90.0}, gradient=False)


OPERATION = Operation(
    function=random_rotation,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    distribution=distribution_of,
    documents=("000 §4.1.1",),
)
