"""Stochastic gradient descent with weight decay: see ``sgd``."""

from collections.abc import Iterator
from typing import Any

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import at_ends, optimizer_samples
from tensorproof_reference.optimizers._steps import Arrays, Gradients, Rate, coupled, require_not_negative, run
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def sgd(parameters: Arrays, gradients: Gradients, *, learning_rate: Rate = 0.01, weight_decay: float = 0.0) -> list[Array]:
    r"""Gradient descent with weight decay: :math:`\theta \leftarrow \theta - \alpha (g + \lambda \theta)`.

    Without momentum, weight decay is the same number coupled to the gradient or decoupled from it: :math:`(1 - \alpha\lambda)
    \theta - \alpha g`. A parameter without a gradient does not decay.

    Shapes: ``parameters`` is a list of arrays of any shape; ``gradients`` is a list over steps of lists over parameters, of
    the parameters' shapes, or ``None`` where a parameter has no gradient in a step and stays as it is. ``learning_rate`` is
    one number, or one per parameter. The result is the list of new parameters; the arguments stay as they are.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if the lists differ in length, a gradient differs in shape, or the rate or the decay is negative.
    Source: Goodfellow, Bengio & Courville (2016), algorithm 8.1 and eq. 7.5.
    """
    require_not_negative(weight_decay=weight_decay)

    def update(parameter: Array, gradient: Array, rate: float, count: int) -> tuple[Array]:
        return (parameter - rate * coupled(parameter, gradient, weight_decay),)

    (moved,) = run(update, parameters, gradients, learning_rate=learning_rate)
    return moved


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, and weight decay."""
    variants: dict[str, dict[str, Any]] = {
        "optional_weight_decay": {"weight_decay": 0.125},
        "optional_weight_decay_second_group": {"weight_decay": 0.125, "learning_rate": (0.125, 0.5)},
        "convention_decay_is_scaled_by_the_rate": {"weight_decay": 0.5, "learning_rate": 0.5},
    }
    ends = {"rate_zero": {"learning_rate": 0.0}, "rate_one": {"learning_rate": 1.0}}
    variants |= at_ends(ends, {"weight_decay": {"weight_decay": 0.125}, "weight_decay_one": {"weight_decay": 1.0}})
    yield from optimizer_samples(stream, variants=variants, epsilon=False)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients."""
    return optimizer_workload(stream, size)


def work(parameters: Arrays, gradients: Gradients, *, learning_rate: Rate = 0.01, weight_decay: float = 0.0) -> Work:
    """A product with the rate and a difference; two for the decay."""
    return steps_work(parameters, gradients, flops=4 if weight_decay else 2)


OPERATION = Operation(
    function=sgd,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters",),
    cotangents=(),
    workload=workload,
    work=work,
)
