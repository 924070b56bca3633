"""RMSProp: see ``rmsprop``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import at_ends, optimizer_samples
from tensorproof_reference.optimizers._steps import (
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
from tensorproof_reference.optimizers.momentum import VELOCITIES
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLACEMENTS = ("outside", "inside")


def rmsprop(
    parameters: Arrays,
    gradients: Gradients,
    mean_square: Arrays | None = None,
    mean_gradient: Arrays | None = None,
    velocity: Arrays | None = None,
    *,
    learning_rate: Rate = 0.001,
    rho: float = 0.9,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    centered: bool = False,
    momentum: float = 0.0,
    accumulated: str = "gradients",
    weight_decay: float = 0.0,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    r"""RMSProp: gradients divided by the root of a running mean of their squares.

    :math:`s \leftarrow \rho s + (1 - \rho) g^2`, and :math:`d = \sqrt{s} + \epsilon` (``epsilon_placement="outside"`` of the
    root) or :math:`d = \sqrt{s + \epsilon}` (``"inside"``). ``centered`` replaces s under the root by the variance
    :math:`s - m^2` with :math:`m \leftarrow \rho m + (1 - \rho) g`. Then :math:`\theta \leftarrow \theta - \alpha g / d`, or
    with ``momentum`` :math:`\mu > 0`, and as ``accumulated`` says:

    - ``"gradients"``: :math:`v \leftarrow \mu v + g / d`, :math:`\theta \leftarrow \theta - \alpha v`;
    - ``"updates"``: :math:`v \leftarrow \mu v - \alpha g / d`, :math:`\theta \leftarrow \theta + v`.

    ``weight_decay`` :math:`\lambda` adds :math:`\lambda\theta` to the gradient first.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters, mean squares, mean
    gradients (an empty list unless ``centered``) and velocities (an empty list without momentum); the arguments stay as they
    are.
    Special values: where g and s are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Tieleman & Hinton (2012), lecture 6.5; Graves (2013), eqs. 38-41 (centered, with momentum).
    """
    require_fraction(rho=rho, momentum=momentum)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)
    require_choice(accumulated, "accumulated", VELOCITIES)

    def update(
        parameter: Array, square: Array, mean: Array, before: Array, gradient: Array, rate: float, count: int
    ) -> tuple[Array, ...]:
        gradient = coupled(parameter, gradient, weight_decay)
        square = rho * square + (1.0 - rho) * np.square(gradient)
        if centered:
            mean = rho * mean + (1.0 - rho) * gradient
        spread = square - np.square(mean) if centered else square
        step = gradient / (np.sqrt(spread) + epsilon if epsilon_placement == "outside" else np.sqrt(spread + epsilon))
        if not momentum:
            return parameter - rate * step, square, mean, before
        if accumulated == "gradients":
            after = momentum * before + step
            return parameter - rate * after, square, mean, after
        after = momentum * before - rate * step
        return parameter + after, square, mean, after

    states = slots(parameters, mean_square=mean_square, mean_gradient=mean_gradient, velocity=velocity)
    moved, squares, means, velocities = run(update, parameters, gradients, states, learning_rate=learning_rate)
    return moved, squares, means if centered else [], velocities if momentum else []


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, and every pair of options."""
    options: dict[str, dict[str, Any]] = {
        "centered": {"centered": True},
        "momentum": {"momentum": 0.5},
        "weight_decay": {"weight_decay": 0.125},
    }
    pairs = [(a, b) for index, a in enumerate(options) for b in list(options)[index + 1 :]]
    variants = {f"optional_{name}": option for name, option in options.items()}
    variants |= {f"optional_{a}_{b}": {**options[a], **options[b]} for a, b in pairs}
    variants |= {
        "optional_centered_momentum_given": {**options["centered"], **options["momentum"]},
        "optional_momentum_second_group": {**options["momentum"], "learning_rate": (0.125, 0.5)},
        "optional_rho_half": {"rho": 0.5},
        "epsilon_large": {"epsilon": 0.25},
    }
    others = {name: option for name, option in options.items() if name != "centered"}
    variants |= at_ends({"rho_zero": {"rho": 0.0}, "rate_zero": {"learning_rate": 0.0}}, others)
    for placement in PLACEMENTS:
        convention = {"epsilon_placement": placement, "epsilon": 0.25}
        variants[f"convention_epsilon_{placement}"] = convention
        variants[f"convention_epsilon_{placement}_centered"] = {**convention, **options["centered"]}
        variants[f"convention_epsilon_{placement}_momentum"] = {**convention, **options["momentum"]}
    for accumulated in VELOCITIES:
        convention = {"accumulated": accumulated, **options["momentum"]}
        variants[f"convention_accumulates_{accumulated}"] = convention
        variants[f"convention_accumulates_{accumulated}_given"] = {**convention, **options["centered"]}
    states = {"mean_square": "+", "mean_gradient": "-", "velocity": "-"}
    yield from optimizer_samples(stream, variants=variants, states=states)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"mean_square": "+"})


def work(
    parameters: Arrays,
    gradients: Gradients,
    mean_square: Arrays | None = None,
    mean_gradient: Arrays | None = None,
    velocity: Arrays | None = None,
    *,
    learning_rate: Rate = 0.001,
    rho: float = 0.9,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    centered: bool = False,
    momentum: float = 0.0,
    accumulated: str = "gradients",
    weight_decay: float = 0.0,
) -> Work:
    """The mean square (four), a root with ε, a quotient, and the move (a product with the rate and a difference).

    Two more for the decay and for momentum, and five for the mean gradient and the variance.
    """
    extra = 2 * bool(weight_decay) + 2 * bool(momentum) + 5 * centered
    return steps_work(parameters, gradients, flops=8 + extra, transcendentals=1)


OPERATION = Operation(
    function=rmsprop,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "mean_square", "mean_gradient", "velocity"),
    cotangents=(),
    conventions={"epsilon_placement": PLACEMENTS, "accumulated": VELOCITIES},
    workload=workload,
    work=work,
)
