"""Truncated normal initialiser: see ``truncated_normal``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, truncated_normal_distribution
from tensorproof_reference.initializers._draws import draw_samples, draw_truncated_normal
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def truncated_normal(like: Array, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Array:
    """Independent normal numbers, drawn again where they are more than two deviations from the mean; ``deviation`` is that
    of the normal distribution before truncation. After it, it is 0.8796 of that.

    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are any shape.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``deviation`` is not positive or ``seed`` is negative.
    Source: Johnson, Kotz & Balakrishnan (1994), §13.10.1.
    """
    require(deviation > 0, "deviation", "a positive number", deviation)
    return draw_truncated_normal(like, mean, deviation, seed, "truncated_normal")


def distribution_of(like: Array, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Distribution:
    """Of each element."""
    return truncated_normal_distribution(mean, deviation)


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, other seeds and parameters."""
    yield from draw_samples(("mean_one", {"mean": 1.0, "deviation": 0.5}), ("standard", {"deviation": 1.0}), kernel=False)


OPERATION = Operation(
    function=truncated_normal,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    distribution=distribution_of,
)
