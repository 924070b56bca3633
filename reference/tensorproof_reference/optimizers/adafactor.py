"""Adafactor: see ``adafactor``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import also_given, counted_both_ways, optimizer_samples
from tensorproof_reference.optimizers._steps import COUNTS, Arrays, Gradients, Rate, require_positive, run
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLACEMENTS = ("added", "least")
FACTORED = ("last", "largest")
STATES = ("row_moment", "column_moment", "second_moment")


def factored_axes(shape: tuple[int, ...], factored: str) -> tuple[int, int]:
    """The two axes whose moments are kept apart, in order; among axes of one length the later ones are the largest.

    >>> factored_axes((4, 3, 3, 2), "last"), factored_axes((4, 3, 3, 2), "largest")
    ((2, 3), (0, 2))
    """
    if factored == "last":
        return len(shape) - 2, len(shape) - 1
    one, other = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[-2:]
    return min(one, other), max(one, other)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _starts(parameters: Arrays, given: Sequence[Arrays | None], factored: str) -> list[tuple[Array, ...]]:
    """For each parameter its row and column moments, or its second moment alone."""
    matrices = [index for index, parameter in enumerate(parameters) if parameter.ndim >= 2]
    others = [index for index, parameter in enumerate(parameters) if parameter.ndim < 2]
    found: list[list[Array]] = [[] for _ in parameters]
    for place, (name, arrays, indices) in enumerate(zip(STATES, given, (matrices, matrices, others), strict=True)):
        if arrays is not None:
            require(len(arrays) == len(indices), name, f"{len(indices)} arrays", f"{len(arrays)}")
        for number, index in enumerate(indices):
            parameter = parameters[index]
            shape = parameter.shape
            if place < 2:
                first, second = factored_axes(shape, factored)
                shape = _without(shape, second if place == 0 else first)
            if arrays is None:
                found[index].append(np.zeros_like(parameter, shape=shape))
            else:
                require_shape(arrays[number], name, shape)
                found[index].append(arrays[number])
    return [tuple(arrays) for arrays in found]


def _root_mean_square(x: Array) -> Array:
    return np.sqrt(np.mean(np.square(x)))


def adafactor(
    parameters: Arrays,
    gradients: Gradients,
    row_moment: Arrays | None = None,
    column_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.01,
    exponent: float = 0.8,
    epsilon: float = 1e-30,
    epsilon_placement: str = "added",
    smallest_size: float = 0.001,
    threshold: float = 1.0,
    factored: str = "last",
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    r"""Adafactor: gradients divided by the root of second moments, of which only means over rows and columns are kept.

    With :math:`\beta_t = 1 - t^{-c}` (c is the ``exponent``), a parameter of two axes or more has
    :math:`r \leftarrow \beta_t r + (1 - \beta_t) \operatorname{mean}_j (g_{ij}^2 + \epsilon)`,
    :math:`k \leftarrow \beta_t k + (1 - \beta_t) \operatorname{mean}_i (g_{ij}^2 + \epsilon)`, and
    :math:`v_{ij} = r_i k_j / \operatorname{mean}(r)`. Any other has :math:`v \leftarrow \beta_t v + (1 - \beta_t) (g^2 +
    \epsilon)`. ``epsilon_placement="least"`` adds nothing: it divides by at least ε in place of the mean of r, and takes the
    root of at least ε².

    Then, with :math:`u = g / \sqrt v`, :math:`\rho_t = \min(\alpha, 1 / \sqrt t)` and RMS the root of the mean square,

    .. math:: \theta \leftarrow \theta - \rho_t \max(\epsilon_2, \operatorname{RMS}(\theta))
        \frac{u}{\max(1, \operatorname{RMS}(u) / d)},

    where :math:`\epsilon_2` is ``smallest_size`` and d the ``threshold``. Of more than two axes, i and j are the ``"last"`` two
    or the ``"largest"`` two (``factored``), and each matrix along the others has means of its own. The number t goes on from
    ``taken``; it counts as ``counted`` says in ``adam``.

    Shapes: ``parameters`` is a list of arrays of any shape. ``row_moment`` and ``column_moment`` are lists over those of two
    axes or more, without the axis j or i; ``second_moment`` is a list over the others. What is left out is zero. ``gradients``
    is a list over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is,
    and so does its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and
    moments; the arguments stay as they are.
    Special values: where g and the moments are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is not positive, or a convention is unknown.
    Source: Shazeer & Stern (2018), algorithms 4 to 6.
    """
    numbers = {"exponent": exponent, "epsilon": epsilon, "smallest_size": smallest_size, "threshold": threshold}
    require_positive(**numbers)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)
    require_choice(factored, "factored", FACTORED)
    least = epsilon_placement == "least"

    def update(parameter: Array, state: tuple[Array, ...], gradient: Array, rate: float, count: int) -> tuple[Any, ...]:
        new = float(count) ** -exponent
        square = np.square(gradient) if least else np.square(gradient) + epsilon
        if parameter.ndim < 2:
            state = ((1.0 - new) * state[0] + new * square,)
            (moment,) = state
        else:
            i, j = factored_axes(parameter.shape, factored)
            row = (1.0 - new) * state[0] + new * np.mean(square, axis=j)
            column = (1.0 - new) * state[1] + new * np.mean(square, axis=i)
            state = row, column
            middle = np.mean(row, axis=i, keepdims=True)
            share = row / (np.maximum(middle, epsilon) if least else middle)
            moment = np.expand_dims(share, j) * np.expand_dims(column, i)
        step = gradient / np.sqrt(np.maximum(moment, epsilon**2) if least else moment)
        step = step / np.maximum(_root_mean_square(step) / threshold, 1.0)
        size = np.maximum(_root_mean_square(parameter), smallest_size)
        return parameter - min(rate, 1.0 / float(count) ** 0.5) * (size * step), state

    starts = _starts(parameters, (row_moment, column_moment, second_moment), factored)
    moved, states = run(update, parameters, gradients, [starts], learning_rate=learning_rate, taken=taken, counted=counted)
    matrices, others = [s for s in states if len(s) == 2], [s[0] for s in states if len(s) == 1]
    return moved, [row for row, _ in matrices], [column for _, column in matrices], others


def _kept_apart(sample: Sample) -> Sample:
    """The sample with its second moments as means over rows and columns, and an epsilon whose square is no zero."""
    inputs, keywords = dict(sample.inputs), dict(sample.keywords)
    moments = inputs.pop("moments", None)
    if moments is not None:
        matrices = [moment for moment in moments if moment.ndim >= 2]
        inputs["row_moment"] = [np.mean(moment, axis=-1) for moment in matrices]
        inputs["column_moment"] = [np.mean(moment, axis=-2) for moment in matrices]
        inputs["second_moment"] = [moment for moment in moments if moment.ndim < 2]
    if sample.name in ("zero_gradients", "zero_gradients_of_some"):
        keywords["epsilon"] = 1e-16
    return replace(sample, inputs=inputs, keywords=keywords)


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, thresholds, and where epsilon and the axes differ."""
    variants: dict[str, Mapping[str, Any]] = {
        "optional_exponent": {"exponent": 0.5},
        "optional_exponent_given": {"exponent": 0.5},
        "optional_threshold": {"threshold": 2.0},
        "optional_threshold_given": {"threshold": 2.0},
        "optional_smallest_size": {"smallest_size": 4.0},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
        "bounds_rate_zero": {"learning_rate": 0.0},
        "bounds_rate_above_what_is_allowed": {"learning_rate": 2.0},
    }
    variants |= also_given(
        {f"convention_epsilon_{placement}": {"epsilon_placement": placement, "epsilon": 0.25} for placement in PLACEMENTS}
    )
    drawn = optimizer_samples(stream, variants=variants, states={"moments": "+"}, counted=True)
    for sample in counted_both_ways(_kept_apart(sample) for sample in drawn):
        yield sample
        if sample.name == "rank_four":
            for kind in FACTORED:
                keywords = {**sample.keywords, "factored": kind}
                yield replace(sample, name=f"convention_factored_{kind}", keywords=keywords)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, counted=True)


def work(
    parameters: Arrays,
    gradients: Gradients,
    row_moment: Arrays | None = None,
    column_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.01,
    exponent: float = 0.8,
    epsilon: float = 1e-30,
    epsilon_placement: str = "added",
    smallest_size: float = 0.001,
    threshold: float = 1.0,
    factored: str = "last",
    counted: str = "updates",
) -> Work:
    """The square with ε, two means, their product, a root, a quotient, two mean squares (two each), and the move (three)."""
    return steps_work(parameters, gradients, flops=13, transcendentals=1)


OPERATION = Operation(
    function=adafactor,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"epsilon_placement": PLACEMENTS, "factored": FACTORED, "counted": COUNTS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
