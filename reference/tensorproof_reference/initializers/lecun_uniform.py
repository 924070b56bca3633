"""LeCun's uniform initialiser: see ``lecun_uniform``."""

from collections.abc import Iterator

from tensorproof_reference.distributions import Distribution
from tensorproof_reference.initializers._draws import AXES, distribution_of_variance, draw_of_variance, draw_samples, fans
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def lecun_uniform(like: Array, *, seed: int = 0) -> Array:
    r"""LeCun's uniform initialiser: independent numbers uniform between :math:`\pm\sqrt{3 v}`, so of variance
    :math:`v = 1 / n_{in}`, which keeps the variance of values the same through linear layers.

    The fan-in :math:`n_{in}` is the number of inputs times the size of the kernel of a convolution.
    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are (outputs, inputs, …), followed by the axes of the kernel.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``like`` has fewer than two axes or ``seed`` is negative.
    Source: LeCun et al. (1998), eq. 16.
    """
    return draw_of_variance(like, _variance(like), "uniform", seed, "lecun_uniform")


def _variance(like: Array) -> float:
    fan_in, _ = fans(like)
    return 1.0 / fan_in


def distribution_of(like: Array, *, seed: int = 0) -> Distribution:
    """Of each element."""
    return distribution_of_variance(_variance(like), "uniform")


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, another seed, a kernel."""
    yield from draw_samples()


OPERATION = Operation(
    function=lecun_uniform,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes=AXES,
    random=True,
    distribution=distribution_of,
)
