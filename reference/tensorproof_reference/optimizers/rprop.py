"""Rprop: see ``rprop``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import also_given, optimizer_samples
from tensorproof_reference.optimizers._steps import Arrays, Gradients, Rate, rates_of, run, slot
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

KEPT = ("gradient", "step")
STATES = {"previous": "-", "step_size": "+"}


def rprop(
    parameters: Arrays,
    gradients: Gradients,
    previous: Arrays | None = None,
    step_size: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    shrinking: float = 0.5,
    growing: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
    kept: str = "gradient",
) -> tuple[list[Array], list[Array], list[Array]]:
    r"""Rprop: each number of a parameter has a step size of its own, and only the sign of its gradient counts.

    Compared with the step before, each number's step size :math:`\Delta` grows or shrinks, within the limits ``smallest`` and
    ``largest``:

    - same sign of the gradient: :math:`\Delta \leftarrow \min(\eta^+ \Delta, \Delta_{max})`;
    - another sign: :math:`\Delta \leftarrow \max(\eta^- \Delta, \Delta_{min})`, and the gradient is taken for 0;
    - one of both is 0: :math:`\Delta` stays.

    Then :math:`\theta \leftarrow \theta - \Delta \operatorname{sign} g`. So a number rests for one step after its gradient has
    changed its sign. Step sizes start at ``learning_rate``. ``kept`` says what is remembered of a step: the gradient, or the
    step :math:`\Delta \operatorname{sign} g`, whose sign is the same.

    Shapes: ``parameters`` and the states are lists of arrays of any shape; what is left out of ``previous`` is zero.
    ``gradients`` is a list over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it
    stays as it is, and so does its state. ``learning_rate`` is one number, or one per parameter. The results are the new
    parameters, what is remembered, and the step sizes; the arguments stay as they are.
    Special values: where g is 0 the parameter stays.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a convention is unknown, or the numbers are not in order:
    0 < ``shrinking`` < 1 < ``growing``, and 0 < ``smallest`` ≤ ``learning_rate`` ≤ ``largest``.
    Source: Riedmiller & Braun (1993); Igel & Hüsken (2000), section 2.2 (without going back).
    """
    require(0 < shrinking < 1, "shrinking", "a number between 0 and 1", shrinking)
    require(growing > 1, "growing", "a number above 1", growing)
    require(smallest > 0, "smallest", "a positive number", smallest)
    require_choice(kept, "kept", KEPT)
    rates = rates_of(learning_rate, len(parameters))
    within = all(smallest <= rate <= largest for rate in rates)
    require(within, "learning_rate", f"numbers from {smallest} to {largest}", learning_rate)

    def update(parameter: Array, before: Array, size: Array, gradient: Array, rate: float, count: int) -> tuple[Array, ...]:
        now = np.sign(gradient)
        agreement = np.sign(before) * now
        larger, smaller = np.minimum(growing * size, largest), np.maximum(shrinking * size, smallest)
        size = np.where(agreement > 0, larger, np.where(agreement < 0, smaller, size))
        resting = agreement < 0
        step = size * np.where(resting, np.zeros_like(now), now)
        remembered = np.where(resting, np.zeros_like(gradient), gradient) if kept == "gradient" else step
        return parameter - step, remembered, size

    start = [np.full_like(parameter, rate) for parameter, rate in zip(parameters, rates, strict=True)]
    sizes = start if step_size is None else slot(parameters, "step_size", step_size)
    states = [slot(parameters, "previous", previous), sizes]
    moved, remembered, sizes = run(update, parameters, gradients, states, learning_rate=learning_rate)
    return moved, remembered, sizes


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, limits, and both things that may be remembered."""
    variants: dict[str, Mapping[str, Any]] = {
        "optional_factors": {"shrinking": 0.25, "growing": 1.5},
        "optional_factors_given": {"shrinking": 0.25, "growing": 1.5},
        "optional_largest": {"largest": 0.14},
        "optional_largest_given": {"largest": 1.0},
        "optional_smallest_given": {"smallest": 0.5, "learning_rate": 0.5},
        "optional_smallest": {"smallest": 0.1},
        "bounds_rate_at_both_limits": {"smallest": 0.125, "largest": 0.125},
        "bounds_shrinks_to_the_smallest_at_once": {"shrinking": 2.0**-20, "smallest": 2.0**-10},
    }
    variants |= also_given({f"convention_kept_{kind}": {"kept": kind} for kind in KEPT})
    for sample in optimizer_samples(stream, variants=variants, states=STATES, epsilon=False):
        if sample.keywords.get("learning_rate") != 0.0:
            yield sample


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states=STATES)


def work(
    parameters: Arrays,
    gradients: Gradients,
    previous: Arrays | None = None,
    step_size: Arrays | None = None,
    *,
    learning_rate: Rate = 0.01,
    shrinking: float = 0.5,
    growing: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
    kept: str = "gradient",
) -> Work:
    """Two signs and their product, two comparisons, a product and a limit for the size, and the move (two)."""
    return steps_work(parameters, gradients, flops=9)


OPERATION = Operation(
    function=rprop,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"kept": KEPT},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
