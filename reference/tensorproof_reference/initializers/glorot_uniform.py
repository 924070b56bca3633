"""Glorot's uniform initialiser: see ``glorot_uniform``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution
from tensorproof_reference.initializers._draws import AXES, distribution_of_variance, draw_of_variance, draw_samples, fans
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def glorot_uniform(like: Array, *, gain: float = 1.0, seed: int = 0) -> Array:
    r"""Glorot's uniform initialiser: independent numbers uniform between :math:`\pm\sqrt{3 v}`, so of variance
    :math:`v = 2 g^2 / (n_{in} + n_{out})`, which keeps the variance of values and of
    gradients about the same from layer to layer: the mean of what either asks for.

    The fan-in :math:`n_{in}` is the number of inputs times the size of the kernel of a convolution. The fan-out
    :math:`n_{out}` has the outputs for the inputs.
    Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself is free, and judged as a
    distribution.

    Shapes: ``like`` and the result are (outputs, inputs, …), followed by the axes of the kernel.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``like`` has fewer than two axes, ``gain`` is not positive or ``seed`` is negative.
    Source: Glorot & Bengio (2010), eqs. 12 and 16.
    """
    return draw_of_variance(like, _variance(like, gain), "uniform", seed, "glorot_uniform")


def _variance(like: Array, gain: float) -> float:
    require(gain > 0, "gain", "a positive number", gain)
    fan_in, fan_out = fans(like)
    return gain * gain * 2.0 / (fan_in + fan_out)


def distribution_of(like: Array, *, gain: float = 1.0, seed: int = 0) -> Distribution:
    """Of each element."""
    return distribution_of_variance(_variance(like, gain), "uniform")


def samples(stream: Stream) -> Iterator[Sample]:
    """A matrix, another seed, a kernel, other keywords."""
    yield from draw_samples(("gain_of_relu", {"gain": 2.0**0.5}))


OPERATION = Operation(
    function=glorot_uniform,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes=AXES,
    random=True,
    distribution=distribution_of,
)
