"""RAdam: see ``radam``."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._adam import PLACEMENTS
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

THRESHOLDS = (5.0, 4.0)
"""The length that frameworks take, and that of the paper."""
STATES = {"first_moment": "-", "second_moment": "+"}


def rectification(count: int, beta2: float, threshold: float) -> float | None:
    """What the step ``count`` is multiplied by, or ``None`` where the second moments are too few to divide by.

    >>> rectification(5, 0.999, 5.0) is None
    True
    >>> round(rectification(6, 0.999, 5.0), 4)
    0.0258
    """
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * count * beta2**count / (1.0 - beta2**count)
    if length <= threshold:
        return None
    return math.sqrt((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length))


def radam(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""RAdam: ``adam`` that goes along the mean gradient until it has seen enough squares to divide by their root.

    The moments m and v are those of ``adam``. With :math:`\rho_\infty = 2 / (1 - \beta_2) - 1` and
    :math:`\rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)`, the step is

    - :math:`\alpha \hat m` with :math:`\hat m = m / (1 - \beta_1^t)`, where :math:`\rho_t \le` ``threshold``;
    - :math:`r_t` times the step of ``adam`` beyond, with

      .. math:: r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}}.

    ``epsilon_placement`` is as in ``adam``. The paper's ``threshold`` is 4; frameworks have 5. ``weight_decay`` and ``decay``
    are as in ``adamax``. The number t goes on from ``taken``; it counts as ``counted`` says in ``adam``.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and moments; the
    arguments stay as they are.
    Special values: where g, m and v are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Liu et al. (2020), algorithm 2; Loshchilov & Hutter (2019) for the decay.
    """
    require_fraction(beta1=beta1, beta2=beta2)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)
    require_choice(threshold, "threshold", THRESHOLDS)
    require_choice(decay, "decay", DECAYS)

    def update(parameter: Array, first: Array, second: Array, gradient: Array, rate: float, count: int) -> tuple[Array, ...]:
        parameter, gradient = decayed(parameter, gradient, rate, weight_decay, decay)
        first = beta1 * first + (1.0 - beta1) * gradient
        second = beta2 * second + (1.0 - beta2) * np.square(gradient)
        correction1, correction2 = 1.0 - beta1**count, 1.0 - beta2**count
        rectified = rectification(count, beta2, threshold)
        step = first / correction1
        if rectified is not None and epsilon_placement == "after_correction":
            step = rectified * step / (np.sqrt(second / correction2) + epsilon)
        elif rectified is not None:
            step = (rectified * correction2**0.5) * step / (np.sqrt(second) + epsilon)
        return parameter - rate * step, first, second

    states = slots(parameters, first_moment=first_moment, second_moment=second_moment)
    moved, first, second = run(update, parameters, gradients, states, learning_rate=learning_rate, taken=taken, counted=counted)
    return moved, first, second


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, before and after the rectification sets in, weight decay, and where epsilon is added."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        "optional_coefficients_given": {"beta1": 0.5, "beta2": 0.9, "taken": 12},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
        # The squares are enough from the step 5 or 6 on.
        "state_rectified_from_the_second_step_given": {"taken": 4, "threshold": 5.0},
    }
    ends = {"betas_zero": {"beta1": 0.0, "beta2": 0.0}, "rate_zero": {"learning_rate": 0.0}}
    variants |= at_ends(ends, {"weight_decay": DECAY})
    for placement in PLACEMENTS:
        convention = {"epsilon_placement": placement, "epsilon": 0.25}
        variants[f"convention_epsilon_{placement}_given"] = convention
        variants[f"convention_epsilon_{placement}_weight_decay_given"] = {**convention, **DECAY}
    for threshold, word in zip(THRESHOLDS, ("five", "four"), strict=True):
        variants[f"convention_threshold_{word}_given"] = {"threshold": threshold, "taken": 3}
    variants |= also_given({f"convention_decay_{kind}": {"decay": kind, **DECAY} for kind in DECAYS})
    yield from counted_both_ways(optimizer_samples(stream, variants=variants, states=STATES, counted=True))


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
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> Work:
    """The moments (three and four), a root with ε, a quotient, and the move (two); corrections and rectification are of the rate.

    Two more for the decay. Steps are counted as rectified ones.
    """
    return steps_work(parameters, gradients, flops=13 if weight_decay else 11, transcendentals=1)


OPERATION = Operation(
    function=radam,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"epsilon_placement": PLACEMENTS, "threshold": THRESHOLDS, "decay": DECAYS, "counted": COUNTS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
