"""AdaMax: see ``adamax``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import DECAY, DECAYING, also_given, at_ends, counted_both_ways, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    COUNTS,
    DECAYS,
    Arrays,
    Gradients,
    Rate,
    decayed,
    require_fraction,
    require_not_negative,
    require_positive,
    run,
    slots,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLACEMENTS = ("gradient", "norm")
STATES = {"first_moment": "-", "infinity_norm": "+"}


def adamax(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    infinity_norm: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "gradient",
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""AdaMax: ``adam`` with a decaying maximum of the gradient's size in place of the root of the mean square.

    :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g`, :math:`u \leftarrow \max(\beta_2 u, |g|)`, and
    :math:`\theta \leftarrow \theta - \alpha \frac{m}{(1 - \beta_1^t) u}`. The paper has no epsilon. It is added by
    ``epsilon_placement`` to

    - ``"gradient"``: the size of the gradient, :math:`u \leftarrow \max(\beta_2 u, |g| + \epsilon)`;
    - ``"norm"``: the norm where it divides, :math:`u + \epsilon`.

    ``weight_decay`` :math:`\lambda` adds :math:`\lambda\theta` to the gradient first (``decay="coupled"``), or subtracts
    :math:`\alpha\lambda\theta` from the parameter before the step (``"decoupled"``). The number t goes on from ``taken``; it
    counts as ``counted`` says in ``adam``.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters, moments and norms;
    the arguments stay as they are.
    Special values: where g, m and u are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Kingma & Ba (2015), algorithm 2.
    """
    require_fraction(beta1=beta1, beta2=beta2)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)
    require_choice(decay, "decay", DECAYS)
    of_gradient, of_norm = (epsilon, 0.0) if epsilon_placement == "gradient" else (0.0, epsilon)

    def update(parameter: Array, first: Array, norm: Array, gradient: Array, rate: float, count: int) -> tuple[Array, ...]:
        parameter, gradient = decayed(parameter, gradient, rate, weight_decay, decay)
        first = beta1 * first + (1.0 - beta1) * gradient
        size = np.abs(gradient)
        norm = np.maximum(beta2 * norm, size + of_gradient if of_gradient else size)
        step = (first / (1.0 - beta1**count)) / (norm + of_norm if of_norm else norm)
        return parameter - rate * step, first, norm

    states = slots(parameters, first_moment=first_moment, infinity_norm=infinity_norm)
    moved, first, norms = run(update, parameters, gradients, states, learning_rate=learning_rate, taken=taken, counted=counted)
    return moved, first, norms


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, weight decay, and where epsilon is added."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        # The norm of the steps before decays below the gradient's size in some elements, and not in others.
        "optional_fast_decay_given": {"beta1": 0.5, "beta2": 0.5},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
    }
    ends = {"beta1_zero": {"beta1": 0.0}, "beta2_zero": {"beta2": 0.0}, "rate_zero": {"learning_rate": 0.0}}
    variants |= at_ends(ends, {"weight_decay": DECAY})
    variants |= also_given(
        {f"convention_epsilon_{placement}": {"epsilon_placement": placement, "epsilon": 0.25} for placement in PLACEMENTS}
    )
    variants |= also_given({f"convention_decay_{kind}": {"decay": kind, **DECAY} for kind in DECAYS})
    yield from counted_both_ways(optimizer_samples(stream, variants=variants, states=STATES, counted=True))


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states=STATES, counted=True)


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    infinity_norm: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "gradient",
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> Work:
    """The moment (three), the norm (a size, ε, a product and a maximum), a quotient, and the move (two).

    The correction is one of the rate. Two more for the decay.
    """
    return steps_work(parameters, gradients, flops=12 if weight_decay else 10)


OPERATION = Operation(
    function=adamax,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"epsilon_placement": PLACEMENTS, "decay": DECAYS, "counted": COUNTS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
