"""NAdam: see ``nadam``."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import DECAY, DECAYING, also_given, at_ends, counted_both_ways, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    COUNTS,
    Arrays,
    Gradients,
    Rate,
    coupled,
    require_fraction,
    require_not_negative,
    require_positive,
    run,
    slots,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

SCHEDULES = ("warming", "constant")


def momenta(steps: int, beta1: float, schedule: str, momentum_decay: float) -> list[float]:
    """The momenta of the steps 1, …, ``steps``."""
    if schedule == "constant":
        return [beta1] * steps
    return [beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay)) for step in range(1, steps + 1)]


def nadam(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    schedule: str = "warming",
    momentum_decay: float = 0.004,
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""NAdam: ``adam`` with Nesterov's momentum.

    The moments m and v are those of ``adam``. The step is :math:`\alpha \hat m / (\sqrt{v / (1 - \beta_2^t)} + \epsilon)` with

    .. math:: \hat m = \frac{\mu_{t+1} m}{1 - \prod_{i=1}^{t+1} \mu_i} + \frac{(1 - \mu_t) g}{1 - \prod_{i=1}^{t} \mu_i},

    where the momentum follows a ``schedule``: ``"warming"``, :math:`\mu_t = \beta_1 (1 - \frac{1}{2} 0.96^{\psi t})` with
    :math:`\psi` the ``momentum_decay``; or ``"constant"``, :math:`\mu_t = \beta_1`. ``weight_decay`` :math:`\lambda` adds
    :math:`\lambda\theta` to the gradient first. The number t goes on from ``taken``, and so does the product; it counts as
    ``counted`` says in ``adam``.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and moments; the
    arguments stay as they are.
    Special values: where g, m and v are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Dozat (2016), algorithm 2, without its second factor :math:`\beta_2`.
    """
    require_fraction(beta1=beta1, beta2=beta2)
    require_positive(epsilon=epsilon)
    require_not_negative(momentum_decay=momentum_decay, weight_decay=weight_decay)
    require_choice(schedule, "schedule", SCHEDULES)

    def update(
        parameter: Array, first: Array, second: Array, gradient: Array, rate: float, count: int
    ) -> tuple[Array, Array, Array]:
        gradient = coupled(parameter, gradient, weight_decay)
        first = beta1 * first + (1.0 - beta1) * gradient
        second = beta2 * second + (1.0 - beta2) * np.square(gradient)
        *before, now, then = momenta(count + 1, beta1, schedule, momentum_decay)
        product = math.prod(before) * now
        ahead = first * (then / (1.0 - product * then)) + gradient * ((1.0 - now) / (1.0 - product))
        step = ahead / (np.sqrt(second / (1.0 - beta2**count)) + epsilon)
        return parameter - rate * step, first, second

    states = slots(parameters, first_moment=first_moment, second_moment=second_moment)
    moved, first, second = run(update, parameters, gradients, states, learning_rate=learning_rate, taken=taken, counted=counted)
    return moved, first, second


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, both schedules of the momentum, and weight decay."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        "optional_momentum_decay_one": {"momentum_decay": 1.0},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
    }
    ends = {"betas_zero": {"beta1": 0.0, "beta2": 0.0}, "rate_zero": {"learning_rate": 0.0}}
    variants |= at_ends(ends, {"weight_decay": DECAY})
    variants |= also_given({f"convention_schedule_{schedule}": {"schedule": schedule} for schedule in SCHEDULES})
    states = {"first_moment": "-", "second_moment": "+"}
    yield from counted_both_ways(optimizer_samples(stream, variants=variants, states=states, counted=True))


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"first_moment": "-", "second_moment": "+"}, counted=True)


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    schedule: str = "warming",
    momentum_decay: float = 0.004,
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> Work:
    """The moments (three and four), the step ahead (three), a correction, a root with ε, a quotient, and the move (two).

    Two more for the decay.
    """
    return steps_work(parameters, gradients, flops=17 if weight_decay else 15, transcendentals=1)


OPERATION = Operation(
    function=nadam,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "first_moment", "second_moment"),
    cotangents=(),
    conventions={"schedule": SCHEDULES, "counted": COUNTS},
    workload=workload,
    work=work,
)
