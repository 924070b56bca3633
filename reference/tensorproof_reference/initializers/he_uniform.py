"""He's uniform initialiser: see ``he_uniform``."""

from collections.abc import Iterator

from tensorproof_reference.distributions import Distribution
from tensorproof_reference.initializers._draws import AXES, distribution_of_variance, draw_of_variance, draw_samples, fans
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def he_uniform(like: Array, *, negative_slope: float = 0.0, seed: int = 0) -> Array:
    r"""He's uniform initialiser: independent numbers uniform between :math:`\pm\sqrt{3 v}`, so of variance
    :math:`v = 2 / ((1 + a^2) n_{in})`.
    It keeps the variance of values the same through layers of rectified units, whose slope below zero is a (``negative_slope``).

    The fan-in :math:`n_{in}` is the number of inputs times the size of the kernel of a convolution.
    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are (outputs, inputs, …), followed by the axes of the kernel.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``like`` has fewer than two axes or ``seed`` is negative.
    Source: He et al. (2015), eq. 15.
    """
    return draw_of_variance(like, _variance(like, negative_slope), "uniform", seed, "he_uniform")


def _variance(like: Array, negative_slope: float) -> float:
    fan_in, _ = fans(like)
    return 2.0 / ((1.0 + negative_slope * negative_slope) * fan_in)


def distribution_of(like: Array, *, negative_slope: float = 0.0, seed: int = 0) -> Distribution:
    """Of each element."""
    return distribution_of_variance(_variance(like, negative_slope), "uniform")


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, another seed, a kernel, other keywords."""
    yield from draw_samples(("leaky_relu", {"negative_slope": 0.2}))


OPERATION = Operation(
    function=he_uniform,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes=AXES,
    random=True,
    distribution=distribution_of,
)
