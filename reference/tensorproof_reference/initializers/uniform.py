"""Uniform initialiser: see ``uniform``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, uniform_distribution
from tensorproof_reference.initializers._draws import draw_samples, draw_uniform
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def uniform(like: Array, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Array:
    """Independent numbers uniform between ``low`` and ``high``.

    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are any shape.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``high`` is not more than ``low`` or ``seed`` is negative.
    Source: Glorot & Bengio (2010), eq. 1, is the common heuristic that draws so.
    """
    require(low < high, "high", f"more than low={low}", high)
    return draw_uniform(like, low, high, seed, "uniform")


def distribution_of(like: Array, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Distribution:
    """Of each element."""
    return uniform_distribution(low, high)


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, other seeds and parameters."""
    yield from draw_samples(
        ("unit_interval", {"low": 0.0, "high": 1.0}), ("around_three", {"low": 2.5, "high": 3.5}), kernel=False
    )


OPERATION = Operation(
    function=uniform,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    distribution=distribution_of,
)
