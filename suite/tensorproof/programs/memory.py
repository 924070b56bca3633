"""Programs that write over values: which values share memory, and the program without writes that gives the same numbers.

The reference has values only. So a write makes a new value of the array that is written to, and what is a view of it is made
again wherever it is read afterwards. Which values are views is the framework's affair: it is asked, once, in its first mode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Native
from tensorproof.programs.dtypes import Arithmetic
from tensorproof.programs.evaluation import (
    Conventions,
    Expectations,
    arguments_of,
    expected_of,
    forward_values,
    judged_dtypes,
    keywords_of,
    name_of,
)
from tensorproof.programs.program import CAPTURED, INTEGER, NUMBER, Input, MalformedProgram, Node, Program
from tensorproof_reference.operation import Operation

Views = Mapping[int, int]
"""By number of a value that shares memory with an operand of its call, the number of that operand."""


def without_overs(program: Program) -> Program:
    """The same calls with nothing written, and every node's value an output."""
    first = len(program.inputs)
    nodes = tuple(replace(node, over=None) for node in program.nodes)
    return replace(program, nodes=nodes, outputs=tuple(range(first, first + len(nodes))))


def views_among(backend: Backend, program: Program, values: Mapping[int, Native]) -> Views:
    """The values that share memory with an operand of their call, from a framework's array of each value."""
    views = {}
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        for operand in node.numbers:
            if operand in values and backend.shares_memory(values[number], values[operand]):
                views[number] = operand
    return views


@dataclass(frozen=True)
class Unwritten:
    """A program without writes that computes what another one computes with them."""

    program: Program
    made: tuple[int, ...]
    """By number in the program with writes, the value as its call gives it."""
    last: Mapping[int, int]
    """By number of an output or an input, its value in the end."""


class _Writing:
    """A program with writes, written out call by call as one without."""

    def __init__(self, program: Program, specification: Mapping[str, Operation], conventions: Conventions, views: Views) -> None:
        self.program = program
        self.specification = specification
        self.conventions = conventions
        self.views = views
        self.first = len(program.inputs)
        self.values = [np.asarray(value) for value in forward_values(without_overs(program), specification, conventions, None)]
        self.nodes: list[Node] = []
        self.places: list[Input] = []
        """Inputs with the places that views have in what they are views of; by the numbers -1, -2, …"""
        self.roots = list(range(self.first))
        self.indices: list[NDArray[Any]] = [_own_places(value) for value in self.values[: self.first]]
        self.content = {number: number for number in range(self.first)}
        """By number of what owns its memory, what is in it now."""
        self.known: dict[int, tuple[int, int]] = {}
        """By number of a view, what its owner held when it was made last, and what was made."""

    def call(self, operation: str, operands: Mapping[str, Any], keywords: Mapping[str, Any]) -> int:
        """Add a call; the number of its value."""
        self.nodes.append(Node(operation, tuple(operands.items()), tuple(keywords.items())))
        return self.first + len(self.nodes) - 1

    def read(self, number: int) -> int:
        """A value as it is now."""
        content = self.content[self.roots[number]]
        if self.roots[number] == number:
            return content
        if self.known[number][0] != content:
            node = self.program.nodes[number - self.first]
            ((name, operand),) = node.operands
            assert isinstance(operand, int)
            self.known[number] = content, self.call(node.operation, {name: self.read(operand)}, dict(node.keywords))
        return self.known[number][1]

    def made(self, number: int, node: Node) -> int:
        """Add a node of the program, with what its operands are now.

        Raises:
            MalformedProgram: its value shares memory with an operand, and is not only its numbers elsewhere.
        """
        operands = {
            name: tuple(map(self.read, operand)) if isinstance(operand, tuple) else self.read(operand)
            for name, operand in node.operands
        }
        value = self.call(node.operation, operands, dict(node.keywords))
        if number not in self.views:
            self.roots.append(number)
            self.indices.append(_own_places(self.values[number]))
            self.content[number] = value
            return value
        root = self.roots[self.views[number]]
        self.roots.append(root)
        self.indices.append(self._moved(number, node, root))
        self.known[number] = self.content[root], value
        return value

    def _moved(self, number: int, node: Node, root: int) -> NDArray[Any]:
        """The places of a view's numbers in what it is a view of: those of its operand, moved as its numbers are."""
        if len(node.operands) == 1 and isinstance(node.operands[0][1], int):
            function = self.specification[node.operation].function
            places = np.asarray(function(**arguments_of(node, self.indices), **keywords_of(node, self.conventions)))
            if places.dtype.kind == "i" and places.shape == self.values[number].shape and len(np.unique(places)) == places.size:
                expected = self.values[root].ravel()[places.ravel() % self.values[root].size]
                if np.array_equal(self.values[number].ravel(), expected, equal_nan=True):
                    return places
        raise MalformedProgram(f"{name_of(number)} ({node.operation}) shares memory with its operand, and is no view of it")

    def write(self, over: int, value: int, shape: tuple[int, ...]) -> None:
        """Write a value over another one."""
        root, target = self.roots[over], self.values[over].shape
        if shape != target:
            value = self.call("broadcast_to", {"x": value}, {"shape": target})
        if over != root:
            indices = self.indices[over].ravel()
            self.places.append(Input(indices.shape, INTEGER, CAPTURED, values=tuple(map(float, indices))))
            flat, updates = (self.call("reshape", {"x": item}, {"shape": (-1,)}) for item in (self.content[root], value))
            put = self.call("scatter_set", {"x": flat, "indices": -len(self.places), "updates": updates}, {})
            value = self.call("reshape", {"x": put}, {"shape": self.values[root].shape})
        self.content[root] = value

    def run(self) -> Unwritten:
        """The whole program."""
        made = list(range(self.first))
        for number, node in enumerate(self.program.nodes, start=self.first):
            made.append(self.made(number, node))
            if node.over is not None:
                self.write(node.over, made[-1], self.values[number].shape)
        last = {number: self.read(number) for number in (*range(self.first), *self.program.outputs)}
        return self._numbered(made, last)

    def _numbered(self, made: Sequence[int], last: Mapping[int, int]) -> Unwritten:
        """With the inputs of places after the others, and the nodes after them."""
        more = len(self.places)
        numbers = {number: number for number in range(self.first)}
        numbers |= {-1 - place: self.first + place for place in range(more)}
        numbers |= {self.first + place: self.first + more + place for place in range(len(self.nodes))}
        final = {number: numbers[value] for number, value in last.items()}
        whole = Program(
            (*self.program.inputs, *self.places),
            tuple(node.renumbered(numbers) for node in self.nodes),
            tuple(final[number] for number in self.program.outputs),
            self.program.seed,
        )
        return Unwritten(whole, tuple(numbers[value] for value in made), final)


def _own_places(value: NDArray[Any]) -> NDArray[Any]:
    return np.arange(value.size).reshape(value.shape)


def unwritten(program: Program, specification: Mapping[str, Operation], conventions: Conventions, views: Views) -> Unwritten:
    """The program without writes that computes the same, where these values are views.

    Raises:
        MalformedProgram: a value that shares memory with an operand is not only that one's numbers elsewhere.
        ValueError: a node's operation rejects its arguments, or what is written does not fit.
    """
    return _Writing(program, specification, conventions, views).run()


def expected_after_writes(
    program: Program, plain: Unwritten, specification: Mapping[str, Operation], conventions: Conventions, arithmetic: Arithmetic
) -> Expectations:
    """Values, outputs, gradients and arguments of a program with writes: outputs and arguments as they are in the end.

    Raises:
        ValueError: a node's operation rejects its arguments.
    """
    found = expected_of(plain.program, specification, conventions, arithmetic)
    values = found.values
    given = [number for number, item in enumerate(program.inputs) if item.kind != NUMBER]
    return replace(
        found,
        values=tuple(values[number] for number in plain.made),
        outputs={name_of(number): values[plain.last[number]] for number in program.outputs},
        arguments={name_of(number): values[plain.last[number]] for number in given},
        dtypes=judged_dtypes(program, specification),
    )
