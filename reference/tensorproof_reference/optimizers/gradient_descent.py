"""Gradient descent: see ``gradient_descent``."""

from collections.abc import Iterator

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import optimizer_samples
from tensorproof_reference.optimizers._steps import Arrays, Gradients, Rate, run
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def gradient_descent(parameters: Arrays, gradients: Gradients, *, learning_rate: Rate = 0.01) -> list[Array]:
    r"""Steps down the gradient: :math:`\theta \leftarrow \theta - \alpha g`, once for each list of gradients.

    Shapes: ``parameters`` is a list of arrays of any shape; ``gradients`` is a list over steps of lists over parameters, of
    the parameters' shapes, or ``None`` where a parameter has no gradient in a step and stays as it is. ``learning_rate`` is
    one number, or one per parameter. The result is the list of new parameters; the arguments stay as they are.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if the lists differ in length, a gradient differs in shape, or the rate is negative.
    Source: Goodfellow, Bengio & Courville (2016), §4.3, eq. 4.5.
    """

    def update(parameter: Array, gradient: Array, rate: float, count: int) -> tuple[Array]:
        return (parameter - rate * gradient,)

    (moved,) = run(update, parameters, gradients, learning_rate=learning_rate)
    return moved


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer; the convention is that of the sign."""
    variants = {"convention_gradient_is_subtracted": {"learning_rate": 1.0}, "optional_rate_one": {"learning_rate": 1.0}}
    yield from optimizer_samples(stream, variants=variants, epsilon=False)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients."""
    return optimizer_workload(stream, size)


def work(parameters: Arrays, gradients: Gradients, *, learning_rate: Rate = 0.01) -> Work:
    """A product with the rate and a difference."""
    return steps_work(parameters, gradients, flops=2)


OPERATION = Operation(
    function=gradient_descent,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters",),
    cotangents=(),
    workload=workload,
    work=work,
)
