"""Adagrad: see ``adagrad``."""

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
    require_not_negative,
    require_positive,
    run,
    slot,
)
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.optimizers.rmsprop import PLACEMENTS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def adagrad(
    parameters: Arrays,
    gradients: Gradients,
    sum_of_squares: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    initial_accumulator: float = 0.0,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    weight_decay: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    r"""Adagrad: gradients divided by the root of the sum of all their squares.

    :math:`s \leftarrow s + g^2`, :math:`\theta \leftarrow \theta - \alpha g / (\sqrt{s} + \epsilon)`
    (``epsilon_placement="outside"`` of the root) or :math:`\theta \leftarrow \theta - \alpha g / \sqrt{s + \epsilon}`
    (``"inside"``). The sum starts at ``initial_accumulator``. ``weight_decay`` :math:`\lambda` adds :math:`\lambda\theta` to the
    gradient first.

    Shapes: ``parameters`` and ``sum_of_squares`` are lists of arrays of any shape. ``gradients`` is a list over steps of lists
    over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does its sum.
    ``learning_rate`` is one number, or one per parameter. The results are the new parameters and sums; the arguments stay as
    they are.
    Special values: where g and s are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Duchi, Hazan & Singer (2011), figure 1 (diagonal); Goodfellow, Bengio & Courville (2016), algorithm 8.4.
    """
    require_positive(epsilon=epsilon)
    require_not_negative(initial_accumulator=initial_accumulator, weight_decay=weight_decay)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)

    def update(parameter: Array, total: Array, gradient: Array, rate: float, count: int) -> tuple[Array, Array]:
        gradient = coupled(parameter, gradient, weight_decay)
        total = total + np.square(gradient)
        root = np.sqrt(total) + epsilon if epsilon_placement == "outside" else np.sqrt(total + epsilon)
        return parameter - rate * gradient / root, total

    start = slot(parameters, "sum_of_squares", sum_of_squares, initial_accumulator)
    moved, totals = run(update, parameters, gradients, [start], learning_rate=learning_rate)
    return moved, totals


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, initial sums, weight decay, and where epsilon is added."""
    decay = {"weight_decay": 0.125}
    initial = {"initial_accumulator": 0.125}
    variants: dict[str, dict[str, Any]] = {
        "optional_initial_accumulator": initial,
        "optional_weight_decay": decay,
        "optional_initial_accumulator_weight_decay": {**initial, **decay},
        "optional_weight_decay_given": decay,
        "optional_initial_accumulator_second_group": {"learning_rate": (0.125, 0.5), **initial},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
    }
    variants |= at_ends({"rate_zero": {"learning_rate": 0.0}}, {"weight_decay": decay, "initial_accumulator": initial})
    for placement in PLACEMENTS:
        convention = {"epsilon_placement": placement, "epsilon": 0.25}
        variants[f"convention_epsilon_{placement}"] = convention
        variants[f"convention_epsilon_{placement}_initial_accumulator"] = {**convention, **initial}
    yield from optimizer_samples(stream, variants=variants, states={"sum_of_squares": "+"})


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"sum_of_squares": "+"})


def work(
    parameters: Arrays,
    gradients: Gradients,
    sum_of_squares: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    initial_accumulator: float = 0.0,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    weight_decay: float = 0.0,
) -> Work:
    """The sum of squares (two), a root with ε, a quotient, and the move (two); two more for the decay."""
    return steps_work(parameters, gradients, flops=8 if weight_decay else 6, transcendentals=1)


OPERATION = Operation(
    function=adagrad,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "sum_of_squares"),
    cotangents=(),
    conventions={"epsilon_placement": PLACEMENTS},
    workload=workload,
    work=work,
)
