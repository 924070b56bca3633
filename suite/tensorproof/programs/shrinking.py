"""The smallest program that still fails for the same reason, and the node that is to blame."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.programs.building import MOST_ELEMENTS, assembled, entries_of, families_of, with_values
from tensorproof.programs.dtypes import CAST, dtypes_of
from tensorproof.programs.evaluation import Conventions, forward_values, name_of
from tensorproof.programs.judging import MEMORY, Verdict
from tensorproof.programs.program import Input, MalformedProgram, Node, Program
from tensorproof_reference.operation import DTYPES, Operation

Computed = tuple[NDArray[Any], str]
"""A value and its dtype."""
Ask = Callable[[Program], Verdict]
"""Judges a program in the mode in which it failed.

Raises:
    MalformedProgram: it is none.
"""

MOST_ASKED = 300
"""Programs that are judged at most for one that failed."""
MOST_SECONDS = 120.0
"""How long one failure is shrunk at most: a worker that dies of each program takes seconds to start again."""
MOST_KEPT = MOST_ELEMENTS
"""Elements of an intermediate value that an input may hold instead."""


class Shrinking:
    """One program that fails, made smaller step by step; nodes first, then shapes."""

    def __init__(
        self, program: Program, cause: tuple[str, str], ask: Ask, compute: Callable[[Program], Sequence[Computed]]
    ) -> None:
        """``compute`` gives a program's values by the reference, by number, each with its dtype."""
        self.program = program
        self.cause = cause
        self.asked = 0
        self._deadline = time.monotonic() + MOST_SECONDS
        self._ask = ask
        self._compute = compute
        self._seen: set[str] = {program.name}

    def fails(self, program: Program) -> bool:
        """Whether a program fails for the same reason."""
        if program.name in self._seen or self.asked >= MOST_ASKED or time.monotonic() > self._deadline:
            return False
        self._seen.add(program.name)
        self.asked += 1
        try:
            return self._ask(program).cause == self.cause
        except MalformedProgram:
            return False

    def run(self) -> Program:
        """The smallest program that was found."""
        nodes = (self._fewer_outputs, self._fewer_writes, self._fewer_nodes, self._fewer_casts)
        steps = (self._contiguous, *nodes, self._shorter_axes)
        while any(self._taken(step) for step in steps):
            pass
        return self.program

    def _taken(self, step: Callable[[], Iterator[Program]]) -> bool:
        """Whether a step gave a smaller program; it is tried again from that one until it gives none."""
        smaller = False
        while True:
            found = next((candidate for candidate in step() if self.fails(candidate)), None)
            if found is None:
                return smaller
            self.program, smaller = found, True

    def _contiguous(self) -> Iterator[Program]:
        """With all inputs contiguous, then with one of them."""
        program = self.program
        lying = [number for number, _ in program.memories]
        for some in (lying, *([number] for number in lying if len(lying) > 1)):
            if some:
                inputs = [item.contiguous if number in some else item for number, item in enumerate(program.inputs)]
                yield replace(program, inputs=tuple(inputs))

    def _fewer_outputs(self) -> Iterator[Program]:
        """One output alone, then all but one."""
        program = self.program
        if len(program.outputs) > 1:
            for output in program.outputs:
                yield assembled(entries_of(program), [output], program.seed)
            for output in program.outputs:
                yield assembled(entries_of(program), [item for item in program.outputs if item != output], program.seed)

    def _fewer_writes(self) -> Iterator[Program]:
        """Without one of the writes."""
        program = self.program
        first = len(program.inputs)
        for place, node in enumerate(program.nodes, start=first):
            if node.over is not None:
                entries = entries_of(program)
                entries[place] = replace(node, over=None)
                yield assembled(entries, program.outputs, program.seed)

    def _fewer_nodes(self) -> Iterator[Program]:
        """Without the last nodes, without one of them, and with the values of nodes as inputs; as many at once as may be."""
        program = self.program
        first = len(program.inputs)
        for number in range(first, first + len(program.nodes)):
            if [number] != list(program.outputs):
                yield from self._smaller(partial(assembled, entries_of(program), [number], program.seed))
        if len(program.outputs) > 1:
            for place, output in enumerate(program.outputs):
                for number in program.nodes[output - first].numbers:
                    earlier = [*program.outputs[:place], number, *program.outputs[place + 1 :]]
                    yield from self._smaller(partial(assembled, entries_of(program), earlier, program.seed))
        count = len(program.nodes) - 1
        while count:
            for start in range(first, first + len(program.nodes) - count):
                yield from self._smaller(partial(self._given, program, range(start, start + count)))
            count //= 2

    def _smaller(self, make: Callable[[], Program | None]) -> Iterator[Program]:
        """What is made, if it is a program, and of fewer nodes."""
        try:
            made = make()
        except MalformedProgram:
            return
        if made is not None and len(made.nodes) < len(self.program.nodes):
            yield made

    def _given(self, program: Program, numbers: range) -> Program | None:
        """The program with inputs that hold the reference's values instead of some nodes; none if one of them is an output."""
        if set(numbers) & set(program.outputs):
            return None
        values, dtypes = zip(*self._compute(program), strict=True)
        if any(values[number].size > MOST_KEPT for number in numbers):
            return None
        return with_values(program, values, dtypes, numbers)

    def _fewer_casts(self) -> Iterator[Program]:
        """Without one of the casts, or two of them, where dtypes still fit."""
        casts = [
            place for place, node in enumerate(entries_of(self.program)) if isinstance(node, Node) and node.operation == CAST
        ]
        for some in (*itertools.combinations(casts, 1), *itertools.combinations(casts, 2)):
            yield from self._smaller(partial(_without, self.program, some))

    def _shorter_axes(self) -> Iterator[Program]:
        """All axes of one length made shorter at once, or none left of the inputs' leading axes of that length."""
        program = self.program
        lengths = sorted({length for item in program.inputs for length in item.shape if length > 1}, reverse=True)
        for length in lengths:
            shorter = (1, 2, *(length - (length >> shift) for shift in range(1, length.bit_length())))
            for wanted in dict.fromkeys(shorter):
                if wanted < length:
                    yield replace(program, inputs=tuple(_cut(item, length, wanted) for item in program.inputs))
        for axis in range(max((len(item.shape) for item in program.inputs), default=0)):
            if any(len(item.shape) > axis for item in program.inputs):
                yield replace(program, inputs=tuple(_without_leading(item, axis) for item in program.inputs))


def _without(program: Program, numbers: Sequence[int]) -> Program:
    """Some nodes left out: what takes them takes their first operands."""
    instead = {number: number for number in range(len(entries_of(program)))}
    entries = entries_of(program)
    for number in numbers:
        node = program.nodes[number - len(program.inputs)]
        instead[number] = instead[node.numbers[0]]
    entries = [entry.renumbered(instead) if isinstance(entry, Node) else entry for entry in entries]
    return assembled(entries, [instead[number] for number in program.outputs], program.seed)


def _cut(item: Input, length: int, wanted: int) -> Input:
    key = tuple(slice(wanted) if size == length else slice(None) for size in item.shape)
    return item if length not in item.shape else item.holding(item.array[key])


def _without_leading(item: Input, axis: int) -> Input:
    """Without the first of more than ``axis`` axes, at its first place."""
    return item.holding(item.array[0]) if len(item.shape) > axis else item


def shrunk(
    program: Program, cause: tuple[str, str], ask: Ask, specification: dict[str, Operation], conventions: Conventions
) -> Program:
    """The smallest program found that still has the cause.

    Args:
        program: what failed.
        cause: ``Verdict.cause`` of the failure.
        ask: judges a program in the mode in which it failed.
        specification: the operations by name.
        conventions: those of the backend.
    """

    def compute(candidate: Program) -> Sequence[Computed]:
        values = [np.asarray(value) for value in forward_values(candidate, specification, conventions, None)]
        return list(zip(values, dtypes_of(candidate, specification), strict=True))

    return Shrinking(program, cause, ask, compute).run()


def blamed(program: Program, cause: tuple[str, str], ask: Ask, specification: Mapping[str, Operation]) -> str:
    """Which node of a shrunk program is wrong, in words; ``only together`` if each is right where its value is seen. What lies in
    memory otherwise than contiguous is named: contiguous, the program does not fail.

    Each floating value becomes an output, so that a compiler must compute it. The first that is off is the node to blame.
    """
    lying = [f"{name_of(number)} lies {memory}" for number, memory in program.memories]
    return ", where ".join([_culprit(program, cause, ask, specification), *([" and ".join(lying)] if lying else [])])


def _culprit(program: Program, cause: tuple[str, str], ask: Ask, specification: Mapping[str, Operation]) -> str:
    first = len(program.inputs)
    if cause[1] == MEMORY:
        return "what shares memory"
    if len(program.nodes) == 1 and not program.writes:
        return f"{program.nodes[0].operation} alone"
    dtypes = dtypes_of(program, specification)
    numbers = [number for number in range(first, len(dtypes)) if dtypes[number] in DTYPES]
    try:
        verdict = ask(replace(program, outputs=tuple(numbers)))
    except MalformedProgram:
        return "only together"
    if cause[0] == "failed" and verdict.status == "failed":
        wrong = {item["label"].split()[0] for item in verdict.judgements if item["outcome"] == "failed"}
        for number in (*numbers, *range(first)):
            if name_of(number) in wrong:
                kind = program.nodes[number - first].operation if number >= first else "an argument"
                return f"{name_of(number)} ({kind}){_written_over(program, number)}"
    return "only together"


def _written_over(program: Program, number: int) -> str:
    """Which writes may have changed a value, in words."""
    families = families_of(entries_of(program))
    writes = [
        f"v{node.over}[...] = {name_of(place)}"
        for place, node in enumerate(program.nodes, start=len(program.inputs))
        if node.over is not None and node.over in families[number]
    ]
    return f", after {'; '.join(writes)}" if writes else ""
