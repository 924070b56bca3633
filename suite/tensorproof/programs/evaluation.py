"""A program by the reference: every value with its bar, and all gradients by reverse accumulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.expectation import Expected
from tensorproof.programs.dtypes import CAST, WHOLE, Arithmetic, coarsest_of, dtypes_of
from tensorproof.programs.program import CAPTURED, NUMBER, Node, Program
from tensorproof.programs.singularities import (
    EDGES,
    KINKED,
    PRODUCT,
    is_at_an_edge,
    is_singular,
    is_tied,
    may_overflow,
    overflows_on_the_way,
)
from tensorproof_reference.errorbars.array import ErrorBars, values_and_bars
from tensorproof_reference.errorbars.doubt import Doubtful, Undecided, settled
from tensorproof_reference.errorbars.rules import value_of
from tensorproof_reference.operation import Operation
from tensorproof_reference.rounding import HELD, round_to
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Conventions = Mapping[str, Mapping[str, Any]]
"""By operation, the values of those keywords that a program leaves to the backend."""


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
    """Whether a value that does not come of infinite inputs is not finite, or NaN; or one on the way, a partial product also, may
    be beyond the range of its dtype."""
    singular_gradient: bool
    """Whether a gradient, or one on the way, is not finite, or may be beyond the range of its dtype."""
    at_an_edge: bool
    """Whether an argument lies at the pole of an operation, or at the end of its domain, within its bars."""
    pulled: Mapping[int, NDArray[Any]]
    """By number of a node that the outputs depend on, the cotangent of its value, on the grid of its dtype."""
    arguments: Mapping[str, Expected]
    """By the name of an input that is an array, what it holds after a call."""
    dtypes: Mapping[str, str]
    """By the name of a value."""
    hold_either_way: bool = False
    """Whether the bars hold for both sides of each branch that lies near."""

    @property
    def coarsest(self) -> str:
        """The dtype with the fewest digits that anything is computed in."""
        return coarsest_of(tuple(self.dtypes.values()))


def name_of(number: int) -> str:
    """The name of a value: ``v3``."""
    return f"v{number}"


def primals_of(program: Program) -> tuple[int, ...]:
    """The numbers of the inputs that the program is differentiated with respect to."""
    return tuple(
        number for number, item in enumerate(program.inputs) if item.dtype in HELD and item.kind not in (NUMBER, CAPTURED)
    )


def constants_of(program: Program) -> tuple[int, ...]:
    """The numbers of the other inputs that are arrays."""
    return tuple(number for number, item in enumerate(program.inputs) if item.dtype not in HELD and item.kind != CAPTURED)


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
    program: Program, specification: Mapping[str, Operation], conventions: Conventions, arithmetic: Arithmetic | None
) -> list[Array]:
    """All values by number; with bars if there is an arithmetic, else plain float64.

    Raises:
        ValueError: a node's operation rejects its arguments.
        MalformedProgram: floating operands of a node differ in dtype.
    """
    values: list[Array] = []
    dtypes = dtypes_of(program, specification)
    for item in program.inputs:
        array = item.array
        values.append(arithmetic.held(array, item.dtype) if arithmetic is not None else array)
    with np.errstate(all="ignore"):
        for number, node in enumerate(program.nodes, start=len(program.inputs)):
            given = arguments_of(node, values)
            if (
                arithmetic is not None
                and node.operation == CAST
                and isinstance(given["x"], ErrorBars)
                and dtypes[number] != WHOLE
            ):
                values.append(arithmetic.cast(given["x"], dtypes[number], _saturates(node, conventions)))
                continue
            value = specification[node.operation].function(**given, **keywords_of(node, conventions))
            values.append(value if arithmetic is None else arithmetic.held(value, dtypes[number]))
    return values


def _saturates(node: Node, conventions: Conventions) -> bool:
    """Whether a cast makes what is beyond a dtype without infinity its largest number."""
    return bool(keywords_of(node, conventions).get("saturate", False))


def cotangents_of(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str], seed: int) -> tuple[NDArray[Any], ...]:
    """A random cotangent for each output, on the grid of its dtype."""
    stream = Stream(seed)("cotangents")
    return tuple(
        round_to(stream(str(place)).normal(shape), dtype) for place, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    )


def expected_of(
    program: Program,
    specification: Mapping[str, Operation],
    conventions: Conventions,
    arithmetic: Arithmetic,
    cotangents: tuple[NDArray[Any], ...] = (),
) -> Expectations:
    """Values, outputs and gradients of a program with their bars; with cotangents of the program's seed unless some are given.

    Raises:
        ValueError: a node's operation rejects its arguments.
        Undecided: of a branch that lies near, both sides are wanted (``either_way``) and cannot be followed.
    """
    taken = forward_values(program, specification, conventions, arithmetic)
    values = [settled(value) for value in taken]
    if any(isinstance(taken[number], Doubtful) for number in program.outputs):
        raise Undecided
    dtypes = judged_dtypes(program, specification)
    shapes = [np.shape(value_of(values[number])) for number in program.outputs]
    cotangents = cotangents or cotangents_of(shapes, [dtypes[name_of(number)] for number in program.outputs], program.seed)
    with np.errstate(all="ignore"):
        pulled, beyond = _pulled_back(program, specification, conventions, taken, cotangents, arithmetic)
    zero = {number: (np.zeros(program.inputs[number].shape),) * 2 for number in primals_of(program)}
    return Expectations(
        values=tuple(as_expected(value) for value in values),
        outputs={name_of(number): as_expected(values[number]) for number in program.outputs},
        cotangents=cotangents,
        gradients={
            name_of(number): as_expected(pulled[number]) if number in pulled else zero[number] for number in primals_of(program)
        },
        singular=any(may_overflow(values[number]) for node in program.nodes for number in node.numbers)
        or any(
            overflows_on_the_way(arguments_of(node, values)["x"], dict(node.keywords).get("axis"))
            for node in program.nodes
            if node.operation == PRODUCT
        )
        or is_singular(program, [value_of(item) for item in values]),
        singular_gradient=beyond or not all(np.isfinite(value_of(item)).all() for item in pulled.values()),
        at_an_edge=any(is_at_an_edge(node, arguments_of(node, values)) for node in program.nodes if node.operation in EDGES),
        pulled={
            number: round_to(value_of(item), dtypes[name_of(number)])
            for number, item in pulled.items()
            if number >= len(program.inputs)
        },
        arguments={
            name_of(number): (item.array, np.zeros(item.shape))
            for number, item in enumerate(program.inputs)
            if item.kind != NUMBER
        },
        tied=any(is_tied(node, arguments_of(node, values)) for node in program.nodes if node.operation in KINKED),
        dtypes=dtypes,
    )


def judged_dtypes(program: Program, specification: Mapping[str, Operation]) -> dict[str, str]:
    """The floating dtype that each value is judged in, by name; integers and booleans are equal or not in any."""
    found = dtypes_of(program, specification)
    return {name_of(number): dtype if dtype in HELD else program.dtype for number, dtype in enumerate(found)}


def as_expected(value: Array) -> Expected:
    """A value and its bar; what is exact has none."""
    array, bar = values_and_bars(value)
    return np.asarray(array), np.asarray(bar)


def _pulled_back(
    program: Program,
    specification: Mapping[str, Operation],
    conventions: Conventions,
    values: list[Array],
    cotangents: tuple[NDArray[Any], ...],
    arithmetic: Arithmetic,
) -> tuple[dict[int, Array], bool]:
    """The cotangent of each value that the outputs depend on, and that depends on a primal, by number: backwards through each
    node's ``vjp``; and whether one that is taken on the way may overflow.
    """
    moving = set(primals_of(program))
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        if moving.intersection(node.numbers):
            moving.add(number)
    parts: dict[int, list[ErrorBars]] = {}
    found: dict[int, Array] = {}
    dtypes = dtypes_of(program, specification)

    def add(number: int, cotangent: Array, node: Node | None = None) -> None:
        dtype = dtypes[number]
        if dtype in HELD and number in moving:
            if node is not None and node.operation == CAST:
                held = arithmetic.cast(cotangent, dtype, _saturates(node, conventions))
            else:
                held = arithmetic.held(cotangent, dtype)
            parts.setdefault(number, []).append(held)

    for number, cotangent in zip(program.outputs, cotangents, strict=True):
        add(number, cotangent)
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
                    add(item, part, node)
            elif gradient is not None:
                add(operand, gradient, node)
    found.update({number: _sum(parts[number]) for number in range(first) if number in parts})
    on_the_way = [part for number, several in parts.items() if number >= first or len(several) > 1 for part in several]
    return found, any(map(may_overflow, [*on_the_way, *(item for number, item in found.items() if number >= first)]))


def _sum(parts: list[ErrorBars]) -> ErrorBars:
    """The sum of the cotangents of a value from its consumers, each sum of two in their dtype; of three or more in any order."""
    if len(parts) < 3:
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
    precision = parts[0].precision
    one_by_one = replace(precision, ua=precision.u)
    total: ErrorBars = np.sum(np.stack([part.in_precision(one_by_one) for part in parts]), axis=0)
    return total.in_precision(precision)
