"""Normal initialiser: see ``normal``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, normal_distribution
from tensorproof_reference.initializers._draws import draw_normal, draw_samples
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def normal(like: Array, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Array:
    """Independent normal numbers of this mean and standard deviation.

    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are any shape.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``deviation`` is not positive or ``seed`` is negative.
    Source: Krizhevsky et al. (2012), §5, draws weights so.
    """
    require(deviation > 0, "deviation", "a positive number", deviation)
    return draw_normal(like, mean, deviation, seed, "normal")


def distribution_of(like: Array, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Distribution:
    """Of each element."""
    return normal_distribution(mean, deviation)


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, other seeds and parameters."""
    yield from draw_samples(("mean_one", {"mean": 1.0, "deviation": 0.5}), ("standard", {"deviation": 1.0}), kernel=False)


OPERATION = Operation(
    function=normal,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    distribution=distribution_of,
)
