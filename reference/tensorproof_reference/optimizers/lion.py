"""Lion: see ``lion``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.optimizers._samples import DECAY, DECAYING, at_ends, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    Arrays,
    Gradients,
    Rate,
    require_fraction,
    require_not_negative,
    run,
    shrunk,
    slot,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def lion(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    *,
    learning_rate: Rate = 0.0001,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    r"""Lion: steps of one size, in the direction of the sign of a mean of gradients.

    With :math:`c = \beta_1 m + (1 - \beta_1) g`, :math:`\theta \leftarrow \theta - \alpha (\operatorname{sign} c + \lambda
    \theta)`, and then :math:`m \leftarrow \beta_2 m + (1 - \beta_2) g`. Weight decay :math:`\lambda` is decoupled from the
    gradient. The sign of 0 is 0.

    Shapes: ``parameters`` and ``first_moment`` are lists of arrays of any shape; a state left out is zero. ``gradients`` is a
    list over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so
    does its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and moments; the
    arguments stay as they are.
    Special values: where g and m are zero only the decay moves.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, or a number is out of range.
    Source: Chen et al. (2023), algorithm 2.
    """
    require_fraction(beta1=beta1, beta2=beta2)
    require_not_negative(weight_decay=weight_decay)

    def update(parameter: Array, first: Array, gradient: Array, rate: float, count: int) -> tuple[Array, Array]:
        direction = np.sign(beta1 * first + (1.0 - beta1) * gradient)
        first = beta2 * first + (1.0 - beta2) * gradient
        return shrunk(parameter, rate, weight_decay) - rate * direction, first

    start = slot(parameters, "first_moment", first_moment)
    moved, first = run(update, parameters, gradients, [start], learning_rate=learning_rate)
    return moved, first


def _decided(sample: Sample) -> Sample:
    """The sample with gradients and moments of such sizes that no sum of them is near zero, where its sign would be chance.

    Gradients change their sign in each step, which a moment without a start never outweighs, and one with a start always does.
    """
    inputs = dict(sample.inputs)
    signs = [np.where(parameter < 0, -1.0, 1.0) for parameter in inputs["parameters"]]

    def gradient(step: int, sign: Array, values: Array | None) -> Array | None:
        if values is None:
            return None
        scale = 2.0**-20 if sample.name == "epsilon_tiny_gradients" else 1.0
        sized = (-1.0) ** step * scale * sign * (1.0 + np.abs(values) % 1.0)
        return asarray(np.where(values == 0, 0.0, sized))

    steps = enumerate(inputs["gradients"])
    inputs["gradients"] = [[gradient(step, *pair) for pair in zip(signs, of_step, strict=True)] for step, of_step in steps]
    if inputs.get("first_moment") is not None:
        inputs["first_moment"] = [np.where(m < 0, m - 1.0, m + 1.0) for m in inputs["first_moment"]]
    return replace(sample, inputs=inputs)


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, weight decay, and moments that outweigh the gradient or do not."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        "convention_decay_is_scaled_by_the_rate": {"weight_decay": 0.5, "learning_rate": 0.5},
    }
    ends = {"beta1_zero": {"beta1": 0.0}, "beta2_zero": {"beta2": 0.0}, "rate_zero": {"learning_rate": 0.0}}
    variants |= at_ends(ends, {"weight_decay": DECAY})
    for sample in optimizer_samples(stream, variants=variants, states={"first_moment": "-"}, epsilon=False):
        yield _decided(sample)
    # 0.9 m + 0.1 g is ±0.125 or ±0.325: the sign is that of the moment for small gradients, of the gradient for large ones.
    weighed = [asarray([1.0, -1.0, 1.0, -1.0, 4.0, -4.0, 4.0, -4.0])]
    moments = [asarray([0.25, 0.25, -0.25, -0.25] * 2)]
    inputs = {"parameters": [stream("weighed").normal((8,))], "gradients": [weighed], "first_moment": moments}
    yield Sample(name="state_weighed_against_the_gradient", inputs=inputs, keywords={"learning_rate": 0.125})


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return _decided(optimizer_workload(stream, size, states={"first_moment": "-"}))


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    *,
    learning_rate: Rate = 0.0001,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> Work:
    """Two means of moment and gradient (three each), a sign, and the move (two); two more for the decay."""
    return steps_work(parameters, gradients, flops=11 if weight_decay else 9)


OPERATION = Operation(
    function=lion,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "first_moment"),
    cotangents=(),
    profile=EXTENDED,
    workload=workload,
    work=work,
)
