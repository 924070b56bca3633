"""Descent from where the loss is higher: see ``sharpness_aware_minimization``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import SHAPES, WIDE_DTYPES, also_given, arguments, optimizer_samples
from tensorproof_reference.optimizers._schedules import require_count
from tensorproof_reference.optimizers._steps import Arrays, require_not_negative, require_step, slot
from tensorproof_reference.optimizers._workloads import numbers_in, optimizer_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

EPSILONS = (0.0, 1e-12)
"""What is added to the norm that is divided by: nothing, or 1e-12, as a guard against zero."""
STATES = {"origin": "-"}


def sharpness_aware_minimization(
    parameters: Arrays,
    gradients: list[Arrays],
    origin: Arrays | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    radius: float = 0.05,
    learning_rate: float = 0.01,
    epsilon: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    r"""Gradient descent along gradients taken where the loss is higher, near the parameters. Also called SAM.

    Of each k gradients, ``every``, the first ones climb: :math:`\theta \leftarrow \theta + \rho\, g / (\|g\|_2 + \epsilon)` with
    the ``radius`` :math:`\rho` and the norm of the gradients of all parameters together. The last one is taken where this ends,
    and moves the parameters from where it began: :math:`\theta \leftarrow \theta_0 - \alpha g`.

    The number of gradients goes on from ``taken``. The ``origin`` :math:`\theta_0` is where the first of each k gradients finds
    the parameters; it is given where ``taken`` is in between.

    Shapes: ``parameters`` and ``origin``, which left out is the parameters, are lists of arrays of any shape. ``gradients`` is a
    list over steps of lists over parameters. The results are the parameters and the origin; the arguments stay as they are.
    Special values: a gradient of zero has no direction: without ε, climbing along it gives NaN. A step down may be along zero.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, ``every`` is no positive integer, a number is negative, or
    the convention is unknown.
    Source: Foret, Kleiner, Mobahi & Neyshabur (2021), algorithm 1; for more than one climbing gradient the text of
    ``optax.contrib.sam``.
    """
    require_count(every=every)
    require_not_negative(taken=taken, radius=radius, learning_rate=learning_rate)
    require_choice(epsilon, "epsilon", EPSILONS)
    moved = list(parameters)
    before = slot(parameters, "origin", parameters if origin is None else origin)
    for count, of_step in enumerate(gradients, taken):
        require_step(of_step, moved)
        if count % every == 0:
            before = moved
        if (count + 1) % every == 0:
            moved = [parameter - learning_rate * gradient for parameter, gradient in zip(before, of_step, strict=True)]
        else:
            norm = np.sqrt(np.sum(np.square(np.concatenate([gradient.reshape(-1) for gradient in of_step])))) + epsilon
            moved = [parameter + radius * (gradient / norm) for parameter, gradient in zip(moved, of_step, strict=True)]
    return moved, before


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of optimizers whose parameters all have gradients; more climbing gradients, and beginnings among them."""
    variants: dict[str, Mapping[str, Any]] = {
        "optional_every_three": {"every": 3},
        "optional_every_four_given": {"every": 4, "taken": 6},
        "optional_every_third_given": {"every": 3, "taken": 5},
        "optional_radius": {"radius": 0.5},
        "bounds_every_gradient": {"every": 1},
        "bounds_more_than_there_are": {"every": 8},
        "bounds_radius_zero": {"radius": 0.0},
        **also_given({f"convention_epsilon_{index}": {"epsilon": value} for index, value in enumerate(EPSILONS)}),
    }
    for sample in optimizer_samples(stream, variants=variants, states=STATES, counted=True, epsilon=False):
        flat = [gradient for of_step in sample.inputs["gradients"] for gradient in of_step]
        if any(gradient is None for gradient in flat) or "group" in sample.name:
            continue
        if not any(np.any(gradient) for gradient in flat):
            # What is added to the norm must not be zero in the dtype.
            sample = replace(sample, keywords={**sample.keywords, "epsilon": EPSILONS[1]}, dtypes=WIDE_DTYPES)
        if sample.inputs.get("origin") is not None:
            # What is climbed is short beside the parameters.
            pairs = zip(sample.inputs["parameters"], sample.inputs["origin"], strict=True)
            origin = [parameter + offset / 8.0 for parameter, offset in pairs]
            sample = replace(sample, inputs={**sample.inputs, "origin": origin})
        yield sample
    resting = arguments(stream("zero_gradient_of_the_step"), steps=4)
    resting["gradients"][3] = [np.zeros(shape) for shape in SHAPES]
    yield Sample(name="zero_gradient_of_the_step", inputs=resting, keywords={"learning_rate": 0.125})


def workload(stream: Stream, size: str) -> Sample:
    """The step down."""
    return optimizer_workload(stream, size, states=STATES, counted=True)


def work(
    parameters: Arrays,
    gradients: list[Arrays],
    origin: Arrays | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    radius: float = 0.05,
    learning_rate: float = 0.01,
    epsilon: float = 0.0,
) -> Work:
    """A product and a difference for each number in a step down; a square and its sum, a quotient, a product and a sum in a
    climbing one, with a root of all."""
    down = (taken + len(gradients)) // every - taken // every
    up = len(gradients) - down
    return Work(flops=(2 * down + 5 * up) * numbers_in(parameters) + bool(epsilon) * up, transcendentals=up)


OPERATION = Operation(
    function=sharpness_aware_minimization,
    vjp=None,
    samples=samples,
    family="accumulation",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"epsilon": EPSILONS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
