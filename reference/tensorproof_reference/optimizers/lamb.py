"""LAMB: see ``lamb``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import DECAY, DECAYING, at_ends, counted_both_ways, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    COUNTS,
    Arrays,
    Gradients,
    Rate,
    require_fraction,
    require_not_negative,
    require_positive,
    run,
    shrunk,
    slots,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

DECAYS = ("scaled", "decoupled")
STATES = {"first_moment": "-", "second_moment": "+"}


def lamb(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "scaled",
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""LAMB: the step of ``adam`` for each parameter, scaled to the size of that parameter.

    With the corrected moments of ``adam``, :math:`r = \hat m / (\sqrt{\hat v} + \epsilon)` and
    :math:`u = r + \lambda \theta`, :math:`\theta \leftarrow \theta - \alpha \frac{\|\theta\|}{\|u\|} u`, where the norms are
    over all of one parameter. The quotient is 1 where a norm is 0. ``decay="decoupled"`` subtracts
    :math:`\alpha\lambda\theta` from the parameter before the step instead, and :math:`u = r`. The number t goes on from
    ``taken``; it counts as ``counted`` says in ``adam``.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and moments; the
    arguments stay as they are.
    Special values: where g, m and v are zero, and there is no decay, the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: You et al. (2020), algorithm 2, with the identity for φ.
    """
    require_fraction(beta1=beta1, beta2=beta2)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(decay, "decay", DECAYS)

    def update(parameter: Array, first: Array, second: Array, gradient: Array, rate: float, count: int) -> tuple[Array, ...]:
        if decay == "decoupled":
            parameter = shrunk(parameter, rate, weight_decay)
        first = beta1 * first + (1.0 - beta1) * gradient
        second = beta2 * second + (1.0 - beta2) * np.square(gradient)
        step = (first / (1.0 - beta1**count)) / (np.sqrt(second / (1.0 - beta2**count)) + epsilon)
        if weight_decay and decay == "scaled":
            step = step + weight_decay * parameter
        size, length = np.sqrt(np.sum(np.square(parameter))), np.sqrt(np.sum(np.square(step)))
        nothing = (size == 0.0) | (length == 0.0)
        ones = np.ones_like(size)
        ratio = np.where(nothing, ones, size / np.where(nothing, ones, length))
        return parameter - rate * (ratio * step), first, second

    states = slots(parameters, first_moment=first_moment, second_moment=second_moment)
    moved, first, second = run(update, parameters, gradients, states, learning_rate=learning_rate, taken=taken, counted=counted)
    return moved, first, second


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, and both places of weight decay."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
    }
    ends = {"betas_zero": {"beta1": 0.0, "beta2": 0.0}, "rate_zero": {"learning_rate": 0.0}}
    variants |= at_ends(ends, {"weight_decay": DECAY})
    for kind in DECAYS:
        variants[f"convention_decay_{kind}"] = {"decay": kind, **DECAY}
        variants[f"convention_decay_{kind}_given"] = {"decay": kind, **DECAY}
        variants[f"convention_decay_{kind}_large"] = {"decay": kind, "weight_decay": 1.0, "learning_rate": 0.5}
    for sample in counted_both_ways(optimizer_samples(stream, variants=variants, states=STATES, counted=True)):
        if sample.name == "unit_axes":
            # No parameter and no mean gradient of one number is near zero: whether a norm is zero decides about the step.
            apart = [np.where(p < 0, p - 1.0, p + 1.0) for p in sample.inputs["parameters"]]
            rising = [[np.abs(gradient) for gradient in of_step] for of_step in sample.inputs["gradients"]]
            sample = replace(sample, inputs={"parameters": apart, "gradients": rising})
        yield sample


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states=STATES, counted=True)


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "scaled",
    counted: str = "updates",
) -> Work:
    """The moments (three and four), their corrections, a root with ε, a quotient, two norms (two each), and the move (two).

    Two more for the decay.
    """
    return steps_work(parameters, gradients, flops=19 if weight_decay else 17, transcendentals=1)


OPERATION = Operation(
    function=lamb,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"decay": DECAYS, "counted": COUNTS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
