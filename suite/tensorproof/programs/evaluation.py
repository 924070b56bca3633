"""A program by the reference: every value with its bar, and all gradients by reverse accumulation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.expectation import Expected, is_floating
from tensorproof.programs.program import CAPTURED, NUMBER, Node, Program
from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import Precision, bar_of, value_of
from tensorproof_reference.operation import DTYPES, Operation
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Conventions = Mapping[str, Mapping[str, Any]]
"""By operation, the values of those keywords that a program leaves to the backend."""

KINKED = ("abs", "maximum", "minimum", "reduce_max", "reduce_min")
"""Operations whose derivative at an exact tie frameworks choose differently, or in one way in eager mode and another compiled."""


@dataclass(frozen=True)
class Expectations:
    """What the reference expects of a program."""

    values: tuple[Expected, ...]
    """By number, each with its bar."""
    outputs: Mapping[str, Expected]
    cotangents: tuple[NDArray[Any], ...]
    gradients: Mapping[str, Expected]
    """By the name of the input."""
    tied: bool
    """Whether an operation that has a kink stands on it exactly, or within its bars."""
    singular: bool
    """Whether a value that does not come of infinite inputs, or a gradient on the way, is not finite; or a value NaN."""
    arguments: Mapping[str, Expected]
    """By the name of an input that is an array, what it holds after a call."""


def name_of(number: int) -> str:
    """The name of a value: ``v3``."""
    return f"v{number}"


def primals_of(program: Program) -> tuple[int, ...]:
    """The numbers of the inputs that the program is differentiated with respect to."""
    return tuple(
        number for number, item in enumerate(program.inputs) if item.dtype in DTYPES and item.kind not in (NUMBER, CAPTURED)
    )


def constants_of(program: Program) -> tuple[int, ...]:
    """The numbers of the other inputs that are arrays."""
    return tuple(number for number, item in enumerate(program.inputs) if item.dtype not in DTYPES and item.kind != CAPTURED)


def written_numbers(program: Program) -> list[str]:
    """A line of Python for each number that is written into the program."""
    numbers = {number: float(item.array) for number, item in enumerate(program.inputs) if item.kind == NUMBER}
    return [
        f"{name_of(number)} = {value!r}" if np.isfinite(value) else f"{name_of(number)} = float({str(value)!r})"
        for number, value in numbers.items()
    ]


def arguments_of(node: Node, values: Any) -> dict[str, Any]:
    """A node's arrays by the name of the argument."""
    return {
        name: [values[item] for item in operand] if isinstance(operand, tuple) else values[operand]
        for name, operand in node.operands
    }


def keywords_of(node: Node, conventions: Conventions) -> dict[str, Any]:
    """A node's keywords, and the conventions that it leaves open."""
    return {**conventions.get(node.operation, {}), **dict(node.keywords)}


def forward_values(
    program: Program, specification: Mapping[str, Operation], conventions: Conventions, precision: Precision | None
) -> list[Array]:
    """All values by number; with bars if there is a precision, else plain float64.

    Raises:
        ValueError: a node's operation rejects its arguments.
    """
    values: list[Array] = []
    for item in program.inputs:
        array = item.array
        values.append(with_bars(array, precision) if precision is not None and is_floating(array) else array)
    with np.errstate(all="ignore"):
        for node in program.nodes:
            function = specification[node.operation].function
            values.append(function(**arguments_of(node, values), **keywords_of(node, conventions)))
    return values


def cotangents_of(program: Program, shapes: tuple[tuple[int, ...], ...]) -> tuple[NDArray[Any], ...]:
    """A random cotangent on the dtype's grid for each output."""
    stream = Stream(program.seed)("cotangents")
    return tuple(round_to(stream(str(place)).normal(shape), program.dtype) for place, shape in enumerate(shapes))


def expected_of(
    program: Program, specification: Mapping[str, Operation], conventions: Conventions, precision: Precision
) -> Expectations:
    """Values, outputs and gradients of a program with their bars.

    Raises:
        ValueError: a node's operation rejects its arguments.
    """
    values = forward_values(program, specification, conventions, precision)
    cotangents = cotangents_of(program, tuple(np.shape(value_of(values[number])) for number in program.outputs))
    with np.errstate(all="ignore"):
        pulled = _pulled_back(program, specification, conventions, values, cotangents, precision)
    zero = {number: (np.zeros(program.inputs[number].shape),) * 2 for number in primals_of(program)}
    return Expectations(
        values=tuple(_expected(value) for value in values),
        outputs={name_of(number): _expected(values[number]) for number in program.outputs},
        cotangents=cotangents,
        gradients={
            name_of(number): _expected(pulled[number]) if number in pulled else zero[number] for number in primals_of(program)
        },
        singular=_is_singular(program, [value_of(item) for item in values], [value_of(item) for item in pulled.values()]),
        arguments={
            name_of(number): (item.array, np.zeros(item.shape))
            for number, item in enumerate(program.inputs)
            if item.kind != NUMBER
        },
        tied=any(_is_tied(node, arguments_of(node, values)) for node in program.nodes if node.operation in KINKED),
    )


def _is_singular(program: Program, values: list[NDArray[Any]], gradients: list[NDArray[Any]]) -> bool:
    """A mask of minus infinities is no singularity, nor what follows from it, unless that is NaN."""
    infinite = {number for number in range(len(program.inputs)) if not np.isfinite(values[number]).all()}
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        if infinite & set(node.numbers):
            infinite.add(number)
    tame = [value for number, value in enumerate(values) if number not in infinite]
    finite = all(np.isfinite(item).all() for item in (*tame, *gradients))
    return not finite or any(np.isnan(value).any() for value in values)


def _expected(value: Array) -> Expected:
    array, bar = values_and_bars(value)
    return np.asarray(array), np.asarray(bar)


def _pulled_back(
    program: Program,
    specification: Mapping[str, Operation],
    conventions: Conventions,
    values: list[Array],
    cotangents: tuple[NDArray[Any], ...],
    precision: Precision,
) -> dict[int, Array]:
    """The cotangent of each value that the outputs depend on, by number: backwards through each node's ``vjp``."""
    parts: dict[int, list[Array]] = {}
    found: dict[int, Array] = {}

    def add(number: int, cotangent: Array) -> None:
        parts.setdefault(number, []).append(cotangent)

    for number, cotangent in zip(program.outputs, cotangents, strict=True):
        add(number, with_bars(cotangent, precision))
    first = len(program.inputs)
    for place, node in reversed(list(enumerate(program.nodes))):
        operation = specification[node.operation]
        if first + place not in parts or operation.vjp is None or first + place in program.held:
            continue
        found[first + place] = _sum(parts[first + place])
        gradients = operation.vjp(found[first + place], **arguments_of(node, values), **keywords_of(node, conventions))
        for name, operand in node.operands:
            gradient = gradients.get(name)
            if isinstance(operand, tuple):
                for item, part in zip(operand, gradient or (), strict=gradient is not None):
                    add(item, part)
            elif gradient is not None:
                add(operand, gradient)
    found.update({number: _sum(parts[number]) for number in range(first) if number in parts})
    return found


def _sum(parts: list[Array]) -> Array:
    """The sum of the cotangents of a value from its consumers; of three or more with the bars of a sum in any order."""
    if len(parts) < 3:
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
    return np.sum(np.stack(parts), axis=0)


def closest_of(program: Program, specification: Mapping[str, Operation], conventions: Conventions, precision: Precision) -> float:
    """The distance in bars of the branch that came closest to going the other way."""
    with closest_branch() as closest:
        expected_of(program, specification, conventions, precision)
    return min(closest.comparison, closest.selection)


def _is_tied(node: Node, arguments: Mapping[str, Any]) -> bool:
    """Whether an element lies on the kink of an operation, by its bars."""
    given = list(arguments.values())
    if node.operation.startswith("reduce"):
        value = value_of(given[0]).ravel()
        return len(np.unique(value)) < value.size
    one, other = (given[0], 0.0) if len(given) == 1 else given
    difference = value_of(one) - value_of(other)
    bars = np.hypot(bar_of(one), bar_of(other)) if len(given) > 1 else bar_of(one)
    return bool(np.any(np.abs(difference) <= 10.0 * bars))
