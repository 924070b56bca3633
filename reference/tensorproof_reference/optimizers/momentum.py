"""Gradient descent with momentum: see ``momentum``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import at_ends, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    DECAYS,
    Arrays,
    Gradients,
    Rate,
    decayed,
    require_fraction,
    require_not_negative,
    run,
    slot,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

VELOCITIES = ("gradients", "updates")
FIRST_STEPS = ("undampened", "dampened")


def momentum(
    parameters: Arrays,
    gradients: Gradients,
    velocity: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    coefficient: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    accumulated: str = "gradients",
    first_step: str = "undampened",
) -> tuple[list[Array], list[Array]]:
    r"""Gradient descent with momentum :math:`\mu` (``coefficient``) and dampening :math:`\tau`.

    What the velocity accumulates (``accumulated``) differs where the learning rate changes, and in what the state means:

    - ``"gradients"``: :math:`v \leftarrow \mu v + (1 - \tau) g`, then :math:`\theta \leftarrow \theta - \alpha v`, or, with
      Nesterov's momentum, :math:`\theta \leftarrow \theta - \alpha (g + \mu v)`;
    - ``"updates"``: :math:`v \leftarrow \mu v - \alpha (1 - \tau) g`, then :math:`\theta \leftarrow \theta + v`, or
      :math:`\theta \leftarrow \theta + \mu v - \alpha g`.

    A parameter that has no velocity yet starts with :math:`v = g` (or :math:`-\alpha g`), not dampened; with
    ``first_step="dampened"`` it starts from zero. With :math:`\mu = 0` nothing of a velocity is kept, and it comes back as zero.
    Weight decay :math:`\lambda` adds :math:`\lambda\theta` to the gradient (``decay="coupled"``), or subtracts
    :math:`\alpha\lambda\theta` from the parameter beside the step (``"decoupled"``).

    Shapes: ``parameters`` and ``velocity`` are lists of arrays of any shape; ``gradients`` is a list over steps of lists over
    parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does its velocity.
    ``learning_rate`` is one number, or one per parameter. The results are the new parameters and velocities (zero where there
    is none yet); the arguments stay as they are.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, a convention is unknown, or
    Nesterov's momentum is dampened, which has no meaning.
    Source: Polyak (1964); Sutskever et al. (2013), eqs. 1-4; Loshchilov & Hutter (2019), algorithm 1.
    """
    require_fraction(coefficient=coefficient)
    require(0 <= dampening <= 1, "dampening", "a number from 0 to 1", dampening)
    require(not (nesterov and dampening), "dampening", "0 with Nesterov's momentum", dampening)
    require_not_negative(weight_decay=weight_decay)
    require_choice(decay, "decay", DECAYS)
    require_choice(accumulated, "accumulated", VELOCITIES)
    require_choice(first_step, "first_step", FIRST_STEPS)

    def update(parameter: Array, before: Array | None, gradient: Array, rate: float, count: int) -> tuple[Array, Array]:
        parameter, gradient = decayed(parameter, gradient, rate, weight_decay, decay)
        step = gradient if accumulated == "gradients" else -rate * gradient
        if before is None and first_step == "undampened":
            after = step
        else:
            kept = np.zeros_like(parameter) if before is None else coefficient * before
            after = kept + (1.0 - dampening) * step
        move = coefficient * after + step if nesterov else after
        return (parameter - rate * move if accumulated == "gradients" else parameter + move), after

    none_yet = [None] * len(parameters)
    start = none_yet if velocity is None else slot(parameters, "velocity", velocity)
    moved, velocities = run(update, parameters, gradients, [start], learning_rate=learning_rate)
    kept = [v if coefficient else None for v in velocities]
    return moved, [np.zeros_like(p) if v is None else v for p, v in zip(parameters, kept, strict=True)]


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, and every pair of options."""
    decay = {"weight_decay": 0.125}
    variants: dict[str, dict[str, Any]] = {
        "optional_nesterov": {"nesterov": True},
        "optional_dampening": {"dampening": 0.25},
        "optional_weight_decay": decay,
        "optional_nesterov_weight_decay": {"nesterov": True, **decay},
        "optional_dampening_weight_decay": {"dampening": 0.25, **decay},
        "optional_nesterov_given_velocity": {"nesterov": True},
        "optional_dampening_given_velocity": {"dampening": 0.25},
        "optional_weight_decay_given_velocity": decay,
        "optional_weight_decay_second_group": {"learning_rate": (0.125, 0.5), **decay},
        "optional_nesterov_second_group": {"learning_rate": (0.125, 0.5), "nesterov": True},
        "optional_coefficient_half": {"coefficient": 0.5},
    }
    ends = {"coefficient_zero": {"coefficient": 0.0}, "dampening_one": {"dampening": 1.0}}
    variants |= at_ends(ends, {"weight_decay": decay, "given_velocity": {}, "weight_decay_given_velocity": decay})
    variants |= at_ends({"coefficient_zero_nesterov": {"coefficient": 0.0, "nesterov": True}}, {"weight_decay": decay})
    variants |= at_ends({"rate_zero": {"learning_rate": 0.0}}, {"weight_decay_given_velocity": decay})
    variants |= at_ends({"weight_decay_one": {"weight_decay": 1.0}}, {})
    for accumulated in VELOCITIES:
        variants[f"convention_accumulates_{accumulated}"] = {"accumulated": accumulated}
        variants[f"convention_accumulates_{accumulated}_given_velocity"] = {"accumulated": accumulated}
        variants[f"convention_accumulates_{accumulated}_nesterov"] = {"accumulated": accumulated, "nesterov": True}
    for kind in DECAYS:
        variants[f"convention_decay_{kind}"] = {"decay": kind, **decay}
        variants[f"convention_decay_{kind}_nesterov"] = {"decay": kind, "nesterov": True, **decay}
    for kind in FIRST_STEPS:
        variants[f"convention_first_step_{kind}"] = {"first_step": kind, "dampening": 0.25}
        variants[f"convention_first_step_{kind}_weight_decay"] = {"first_step": kind, "dampening": 0.25, **decay}
    yield from optimizer_samples(stream, variants=variants, states={"velocity": "-"}, epsilon=False)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"velocity": "-"})


def work(
    parameters: Arrays,
    gradients: Gradients,
    velocity: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    coefficient: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    accumulated: str = "gradients",
    first_step: str = "undampened",
) -> Work:
    """The velocity (a product and a sum) and the move (a product with the rate and a difference).

    Two more for the decay and for Nesterov's momentum, and one for dampening. What starts without a velocity is counted as from
    zero.
    """
    extra = 2 * bool(weight_decay) + 2 * nesterov + bool(dampening)
    return steps_work(parameters, gradients, flops=4 + extra)


OPERATION = Operation(
    function=momentum,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "velocity"),
    cotangents=(),
    conventions={"decay": DECAYS, "accumulated": VELOCITIES, "first_step": FIRST_STEPS},
    workload=workload,
    work=work,
    version=2,
)
