"""He's normal initialiser: see ``he_normal``."""

from collections.abc import Iterator

from tensorproof_reference.distributions import Distribution
from tensorproof_reference.initializers._draws import (
    AXES,
    DISTRIBUTIONS,
    distribution_of_variance,
    draw_of_variance,
    draw_samples,
    fans,
)
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def he_normal(like: Array, *, negative_slope: float = 0.0, distribution: str = "normal", seed: int = 0) -> Array:
    r"""He's normal initialiser: independent normal numbers of mean 0 and variance :math:`2 / ((1 + a^2) n_{in})`.
    It keeps the variance of values the same through layers of rectified units, whose slope below zero is a (``negative_slope``).

    The convention ``distribution`` is ``normal``, or ``truncated_normal``: cut at two deviations of the normal distribution
    that, once cut, has this variance.

    The fan-in :math:`n_{in}` is the number of inputs times the size of the kernel of a convolution.
    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are (outputs, inputs, …), followed by the axes of the kernel.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``like`` has fewer than two axes, ``distribution`` is unknown or ``seed`` is negative.
    Source: He et al. (2015), eq. 15.
    """
    return draw_of_variance(like, _variance(like, negative_slope), distribution, seed, "he_normal")


def _variance(like: Array, negative_slope: float) -> float:
    fan_in, _ = fans(like)
    return 2.0 / ((1.0 + negative_slope * negative_slope) * fan_in)


def distribution_of(like: Array, *, negative_slope: float = 0.0, distribution: str = "normal", seed: int = 0) -> Distribution:
    """Of each element."""
    return distribution_of_variance(_variance(like, negative_slope), distribution)


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, another seed, a kernel, other keywords."""
    yield from draw_samples(
        ("leaky_relu", {"negative_slope": 0.2}),
        ("truncated", {"distribution": "truncated_normal"}),
        ("untruncated", {"distribution": "normal"}),
    )


OPERATION = Operation(
    function=he_normal,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes=AXES,
    conventions={"distribution": DISTRIBUTIONS},
    random=True,
    distribution=distribution_of,
)
