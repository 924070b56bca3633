"""Adadelta: see ``adadelta``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._samples import DECAY, DECAYING, at_ends, optimizer_samples
from tensorproof_reference.optimizers._steps import (
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


def adadelta(
    parameters: Arrays,
    gradients: Gradients,
    mean_square: Arrays | None = None,
    mean_square_update: Arrays | None = None,
    *,
    learning_rate: Rate = 1.0,
    rho: float = 0.95,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "coupled",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""Adadelta: gradients scaled by the ratio of the root mean squares of past updates and of gradients.

    :math:`s \leftarrow \rho s + (1 - \rho) g^2`, :math:`\Delta = \frac{\sqrt{u + \epsilon}}{\sqrt{s + \epsilon}} g`,
    :math:`u \leftarrow \rho u + (1 - \rho) \Delta^2`, :math:`\theta \leftarrow \theta - \alpha\Delta`. The mean square of
    updates is of those before the learning rate. Weight decay :math:`\lambda` adds :math:`\lambda\theta` to the gradient
    (``decay="coupled"``), or subtracts :math:`\alpha\lambda\theta` from the parameter beside the step (``"decoupled"``).

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters, mean squares of
    gradients, and mean squares of updates; the arguments stay as they are.
    Special values: where g is zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, or a convention is unknown.
    Source: Zeiler (2012), algorithm 1.
    """
    require_fraction(rho=rho)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(decay, "decay", DECAYS)

    def update(
        parameter: Array, square: Array, updates: Array, gradient: Array, rate: float, count: int
    ) -> tuple[Array, Array, Array]:
        parameter, gradient = decayed(parameter, gradient, rate, weight_decay, decay)
        square = rho * square + (1.0 - rho) * np.square(gradient)
        step = np.sqrt(updates + epsilon) / np.sqrt(square + epsilon) * gradient
        updates = rho * updates + (1.0 - rho) * np.square(step)
        return parameter - rate * step, square, updates

    states = slots(parameters, mean_square=mean_square, mean_square_update=mean_square_update)
    moved, squares, updates = run(update, parameters, gradients, states, learning_rate=learning_rate)
    return moved, squares, updates


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, weight decay of both kinds, and other constants."""
    variants: dict[str, Mapping[str, Any]] = {
        **DECAYING,
        "optional_rho_half": {"rho": 0.5},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
    }
    variants |= at_ends({"rho_zero": {"rho": 0.0}, "rate_zero": {"learning_rate": 0.0}}, {"weight_decay": DECAY})
    variants |= {f"convention_decay_{kind}": {"decay": kind, **DECAY} for kind in DECAYS}
    variants |= {f"convention_decay_{kind}_given": {"decay": kind, **DECAY} for kind in DECAYS}
    states = {"mean_square": "+", "mean_square_update": "+"}
    # The squares of the first updates are below the normal numbers of float16.
    dtypes = ("float64", "float32", "bfloat16")
    yield from optimizer_samples(stream, variants=variants, states=states, rate=0.5, dtypes=dtypes)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"mean_square": "+", "mean_square_update": "+"})


def work(
    parameters: Arrays,
    gradients: Gradients,
    mean_square: Arrays | None = None,
    mean_square_update: Arrays | None = None,
    *,
    learning_rate: Rate = 1.0,
    rho: float = 0.95,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "coupled",
) -> Work:
    """Two mean squares (four each), two roots with ε, a quotient and a product, and the move (two).

    Two more for the decay.
    """
    return steps_work(parameters, gradients, flops=16 if weight_decay else 14, transcendentals=2)


OPERATION = Operation(
    function=adadelta,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", "mean_square", "mean_square_update"),
    cotangents=(),
    conventions={"decay": DECAYS},
    workload=workload,
    work=work,
)
