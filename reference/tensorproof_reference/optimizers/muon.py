"""Muon: see ``muon``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count as numbers_of
from tensorproof_reference.optimizers._samples import WIDE_DTYPES, arguments, at_ends
from tensorproof_reference.optimizers._steps import (
    Arrays,
    Gradients,
    Rate,
    require_fraction,
    require_not_negative,
    require_positive,
    run,
    shrunk,
    slot,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

QUINTIC = (3.4445, -4.775, 2.0315)
"""The coefficients of Jordan's iteration, which all frameworks have as their default."""
AVERAGES = ("mean", "corrected", "sum")
SCALES = ("rows", "columns", "size", "none")
GUARDS = ("added", "least")
SHAPES = ((4, 5), (6, 3))
WORKLOAD_SHAPES = {"S": ((32, 16),), "M": ((128, 64), (64, 128)), "L": ((512, 256), (256, 512))}


def orthogonalized(
    x: Array, *, coefficients: tuple[float, float, float], iterations: int, epsilon: float, guard: str = "added"
) -> Array:
    r"""The matrix with singular values near 1, by an iteration of Newton and Schulz of fifth order.

    X is divided by its norm, plus ``epsilon``, and then :math:`X \leftarrow a X + (b A + c A^2) X` with :math:`A = X X^T`.
    """
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    norm = np.sqrt(np.sum(np.square(x)))
    x = x / (norm + epsilon if guard == "added" else np.maximum(norm, epsilon))
    a, b, c = coefficients
    for _ in range(iterations):
        gram = np.matmul(x, x.T)
        x = a * x + np.matmul(b * gram + c * np.matmul(gram, gram), x)
    return x.T if tall else x


def scale_of(shape: tuple[int, ...], scale: str) -> float:
    """What the orthogonal matrix is multiplied by."""
    rows, columns = shape
    if scale == "size":
        return float(0.2 * max(rows, columns) ** 0.5)
    larger = {"rows": rows / columns, "columns": columns / rows, "none": 1.0}[scale]
    return float(max(1.0, larger) ** 0.5)


def muon(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    coefficient: float = 0.95,
    nesterov: bool = True,
    average: str = "mean",
    coefficients: tuple[float, float, float] = QUINTIC,
    iterations: int = 5,
    epsilon: float = 1e-7,
    guard: str = "added",
    scale: str = "rows",
    weight_decay: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    r"""Muon: momentum whose matrix is made nearly orthogonal, so that all its directions move alike.

    What is orthogonalized, M, is by ``average``, with the momentum μ (``coefficient``),

    - ``"mean"``: :math:`m \leftarrow \mu m + (1 - \mu) g`, and :math:`M = \mu m + (1 - \mu) g`, or without ``nesterov`` m;
    - ``"corrected"``: the same without bias: :math:`M = \mu \frac{m}{1 - \mu^{t+1}} + (1 - \mu) \frac{g}{1 - \mu^t}`, or
      :math:`\frac{m}{1 - \mu^t}`;
    - ``"sum"``: :math:`m \leftarrow \mu m + g`, and :math:`M = \mu m + g`, or m.

    M is divided by its norm plus ``epsilon`` (``guard="added"``) or by the larger of both (``"least"``), so that its singular
    values are at most 1. Then :math:`M \leftarrow a M + (b A + c A^2) M` with :math:`A = M M^T`, so many ``iterations``. The
    ``coefficients`` (a, b, c) raise small singular values fast, and leave all of them near 1. Then
    :math:`\theta \leftarrow \theta - \alpha s M`, where ``scale`` says how s depends on the shape:

    - ``"rows"``: :math:`\sqrt{\max(1, n / k)}` for n rows and k columns; ``"columns"``: :math:`\sqrt{\max(1, k / n)}`;
    - ``"size"``: :math:`0.2 \sqrt{\max(n, k)}`; ``"none"``: 1.

    ``weight_decay`` :math:`\lambda` subtracts :math:`\alpha\lambda\theta` beside the step. The number t goes on from ``taken``.

    Shapes: ``parameters`` and ``first_moment`` are lists of matrices; a state left out is zero. ``gradients`` is a list over
    steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does its
    state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters and moments; the arguments
    stay as they are.
    Special values: where g and m are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a parameter is no matrix, a number is out of range, or a
    convention is unknown.
    Source: Jordan et al. (2024), the algorithm and ``coefficients``; Liu et al. (2025), eqs. 3 and 4 (decay, ``"size"``).
    """
    require_fraction(coefficient=coefficient)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require(isinstance(iterations, int) and iterations > 0, "iterations", "a positive integer", iterations)
    require_choice(average, "average", AVERAGES)
    require_choice(guard, "guard", GUARDS)
    require_choice(scale, "scale", SCALES)
    for parameter in parameters:
        require(parameter.ndim == 2, "parameters", "matrices", f"an array of {parameter.ndim} axes")

    def update(parameter: Array, first: Array, gradient: Array, rate: float, count: int) -> tuple[Array, Array]:
        weight = 1.0 if average == "sum" else 1.0 - coefficient
        first = coefficient * first + weight * gradient
        ahead, now = first, gradient
        if average == "corrected":
            ahead = first / (1.0 - coefficient ** (count + nesterov))
            now = gradient / (1.0 - coefficient**count)
        direction = coefficient * ahead + weight * now if nesterov else ahead
        how: dict[str, Any] = {"coefficients": coefficients, "iterations": iterations, "epsilon": epsilon, "guard": guard}
        step = orthogonalized(direction, **how)
        return shrunk(parameter, rate, weight_decay) - (rate * scale_of(parameter.shape, scale)) * step, first

    start = slot(parameters, "first_moment", first_moment)
    moved, first = run(update, parameters, gradients, [start], learning_rate=learning_rate, taken=taken)
    return moved, first


def samples(stream: Stream) -> Iterator[Sample]:
    """Wide and tall matrices, ones of a row or a column, zero gradients, groups, state, decay, and the conventions.

    Most have one iteration: each multiplies rounding errors by ten or more, so several mean little in 16 bits.
    """
    keywords = {"learning_rate": 0.125, "iterations": 1}

    def case(name: str, *shapes: tuple[int, ...], more: dict[str, Any] | None = None, **others: Any) -> Sample:
        inputs = arguments(stream(name), shapes or SHAPES, **others)
        chosen = {**keywords, **(more or {})}
        return Sample(name=name, inputs=inputs, keywords=chosen, dtypes=DTYPES if chosen["iterations"] == 1 else WIDE_DTYPES)

    states, given = {"first_moment": "-"}, {"taken": 5}
    yield replace(case("plain_defaults"), keywords={}, dtypes=WIDE_DTYPES)
    yield case("plain_fast", more={"iterations": 5})
    yield case("plain_two_iterations", more={"iterations": 2})
    yield case("plain_one_step", steps=1)
    yield case("size_large", (48, 64), (64, 16))
    yield case("size_many_parameters", (3, 4), (4, 4), (4, 2))
    yield case("unit_row_and_column", (1, 5), (5, 1), (1, 1))
    yield case("long_ten_steps", steps=10)
    zeros = arguments(stream("zero_gradients"), SHAPES)
    zeros["gradients"] = [[np.zeros(shape) for shape in SHAPES] for _ in range(3)]
    # Epsilon and the squares of tiny gradients are no normal numbers of float16.
    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="zero_gradients", inputs=zeros, keywords=keywords, dtypes=wide)
    some = arguments(stream("zero_gradients_of_some"), SHAPES)
    for of_step in some["gradients"]:
        of_step[0][1, :] = 0.0
        of_step[1][:, 2] = 0.0
    yield Sample(name="zero_row_and_column", inputs=some, keywords=keywords)
    yield case("zero_learning_rate", more={"learning_rate": 0.0})
    yield replace(case("epsilon_tiny_gradients", scale=2.0**-20), dtypes=wide)
    yield case("epsilon_large", more={"epsilon": 0.25})
    yield case("state_given", states=states, more=given)
    yield case("state_of_long_ago", states=states, more={"taken": 1000})
    yield case("state_no_gradient", states=states, more=given, absent=((0, 1), (1, 1), (2, 1)))
    yield case("optional_second_group", more={"learning_rate": (0.125, 0.5)})
    yield case("optional_gradient_in_some_steps", steps=4, absent=((1, 1), (2, 0)))
    variants: dict[str, dict[str, Any]] = {
        "optional_no_nesterov": {"nesterov": False},
        "optional_weight_decay": {"weight_decay": 0.125},
        "optional_coefficient_half": {"coefficient": 0.5},
        "optional_cubic": {"coefficients": (1.5, -0.5, 0.0), "iterations": 8},
        "optional_three_iterations": {"iterations": 3},
    }
    variants |= at_ends({"coefficient_zero": {"coefficient": 0.0}}, {"no_nesterov": {"nesterov": False}})
    for word, values in (("average", AVERAGES), ("scale", SCALES)):
        for value in values:
            variants[f"convention_{word}_{value}"] = {word: value}
            variants[f"convention_{word}_{value}_no_nesterov"] = {word: value, "nesterov": False}
    for guard in GUARDS:
        variants[f"convention_guard_{guard}"] = {"guard": guard, "epsilon": 0.25}
    for name, chosen in variants.items():
        yield case(name, more=chosen)
        if name.startswith(("optional", "convention_average")):
            yield case(f"{name}_given", states=states, more={**given, **chosen})


def workload(stream: Stream, size: str) -> Sample:
    """One step of matrices with gradients, and state."""
    return Sample(name=size, inputs=arguments(stream(size), WORKLOAD_SHAPES[size], steps=1, states={"first_moment": "-"}))


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    coefficient: float = 0.95,
    nesterov: bool = True,
    average: str = "mean",
    coefficients: tuple[float, float, float] = QUINTIC,
    iterations: int = 5,
    epsilon: float = 1e-7,
    guard: str = "added",
    scale: str = "rows",
    weight_decay: float = 0.0,
) -> Work:
    """Three products of matrices in each iteration, of which the smaller side counts twice; the rest is small beside them."""
    total = 0
    for of_step in gradients:
        for parameter, gradient in zip(parameters, of_step, strict=True):
            if gradient is not None:
                small = min(parameter.shape)
                total += iterations * (4 * numbers_of(parameter) * small + 2 * small**3) + 10 * numbers_of(parameter)
    return Work(flops=total)


OPERATION = Operation(
    function=muon,
    vjp=None,
    samples=samples,
    family="matrix_optimizer",
    differentiable=(),
    outputs=("parameters", "first_moment"),
    cotangents=(),
    conventions={"average": AVERAGES, "guard": GUARDS, "scale": SCALES},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
