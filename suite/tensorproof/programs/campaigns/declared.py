"""Programs that declarations name: made again from their texts, and run, so that one that no longer fails is told."""

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tensorproof.conformance.verdict import FAILED, PASSED
from tensorproof.contract.strides import CONTIGUOUS
from tensorproof.programs.judging import KNOWN, Verdict
from tensorproof.programs.program import ARRAY, BOOLEAN, NUMBER, Input, MalformedProgram, Node, Operand, Program
from tensorproof_reference.operation import Operation

DRAWN = ("normal", "positive", "large", "offset", "small", "special")
"""How inputs are drawn, one way after the other: a text does not say which numbers a program needs to fail."""


class Judge(Protocol):
    """What judges a program in a mode: the crew of a campaign."""

    def verdict(self, program: Program, mode: str) -> Verdict:
        """The verdict, also if the worker died of it.

        Raises:
            MalformedProgram: it is none.
        """
        ...


def programs_of(text: str, specification: Mapping[str, Operation], seed: int = 0) -> list[Program]:
    """The program of a text such as ``v0: float32[2]; v1 = exp(v0) -> v1``, with inputs drawn in each of some ways.

    Raises:
        MalformedProgram: it is none, or not written as ``Program.text`` writes it.
    """
    shapes, _, calls = text.partition("; ")
    try:
        arrays = {
            int(number): (dtype, _lengths(lengths), memory or CONTIGUOUS)
            for number, dtype, lengths, memory in ARRAY.findall(shapes)
        }
        nodes, outputs, constants = _parsed(calls, arrays, specification)
        dtype = next(dtype for dtype, _, _ in arrays.values() if dtype != BOOLEAN)
        numbers = {number: Input((), dtype, NUMBER, values=(value,)) for number, value in constants.items()}
        found = []
        for kind in DRAWN:
            drawn = {number: _drawn(*arrays[number], kind, 1_000 * seed + number) for number in arrays}
            inputs = tuple(item for _, item in sorted({**drawn, **numbers}.items()))
            found.append(Program(inputs, tuple(nodes), outputs, seed))
    except (KeyError, ValueError, SyntaxError, TypeError, IndexError, StopIteration) as error:
        raise MalformedProgram(f"{text[:200]!r} is no program: {type(error).__name__}: {error}") from None
    if found[0].text != text:
        raise MalformedProgram(f"{text[:200]!r} is no program as findings write it, which would be {found[0].text[:200]!r}")
    return found


def _lengths(text: str) -> tuple[int, ...]:
    return tuple(int(length) for length in text.split(", ") if length)


def _drawn(dtype: str, shape: tuple[int, ...], memory: str, kind: str, seed: int) -> Input:
    return Input(shape, dtype, "truth" if dtype == BOOLEAN else kind, seed, memory=memory)


def _parsed(
    calls: str, arrays: Mapping[int, Any], specification: Mapping[str, Operation]
) -> tuple[list[Node], tuple[int, ...], dict[int, float]]:
    """The nodes and outputs of calls, and the numbers that are written into them, by the place of their input."""
    lines, _, results = calls.rpartition(" -> ")
    statements = [item for item in ast.parse(lines.replace("; ", "\n")).body if isinstance(item, ast.Assign)]
    called = [item.value for item in statements if isinstance(item.value, ast.Call)]
    first = _number(statements[0].targets[0])
    literals = [value for call in called for operand in call.args for value in _literals(operand)]
    places = [number for number in range(first) if number not in arrays]
    # A number that several calls take is written in each of them.
    values = literals if len(literals) == len(places) else list(dict.fromkeys(literals))
    constants = dict(zip(places, values, strict=True))
    inputs = iter(places if len(literals) == len(places) else [places[values.index(value)] for value in literals])
    nodes: list[Node] = []
    for item in statements:
        target = item.targets[0]
        if isinstance(item.value, ast.Call):
            nodes.append(_node(item.value, specification, inputs))
        elif isinstance(target, ast.Subscript):  # v3[...] = v4: what the call before it gave is written over v3
            last = nodes.pop()
            nodes.append(Node(last.operation, last.operands, last.keywords, _number(target.value)))
    return nodes, tuple(int(name.removeprefix("v")) for name in results.split(", ")), constants


def _number(name: ast.expr) -> int:
    """The number of the value that a name stands for."""
    return int(ast.unparse(name).removeprefix("v"))


def _literals(operand: ast.expr) -> Iterator[float]:
    """The numbers that stand in an operand instead of a value."""
    if isinstance(operand, ast.List):
        for item in operand.elts:
            yield from _literals(item)
    elif not isinstance(operand, ast.Name):
        yield float(ast.literal_eval(operand))


def _node(call: ast.Call, specification: Mapping[str, Operation], inputs: Iterator[int]) -> Node:
    """The node of a call; ``inputs`` gives the place of each number that stands in it."""
    name = ast.unparse(call.func)
    keywords = tuple((str(item.arg), ast.literal_eval(item.value)) for item in call.keywords)
    arguments = [item for item in inspect.signature(specification[name].function).parameters if item not in dict(keywords)]
    operands = tuple((argument, _operand(operand, inputs)) for argument, operand in zip(arguments, call.args, strict=False))
    return Node(name, operands, keywords)


def _operand(operand: ast.expr, inputs: Iterator[int]) -> Operand:
    if isinstance(operand, ast.List):
        return tuple(_number(item) if isinstance(item, ast.Name) else next(inputs) for item in operand.elts)
    return _number(operand) if isinstance(operand, ast.Name) else next(inputs)


def tried(judge: Judge, programs: Iterable[Program], mode: str) -> Verdict:
    """What becomes of a declared program: the first verdict that it fails; else one that it passes; else the last.

    One that cannot be judged with some inputs is tried with the next.
    """
    verdicts = []
    for program in programs:
        try:
            verdict = judge.verdict(program, mode)
        except MalformedProgram as error:
            verdict = Verdict("error", str(error))
        if verdict.status in (FAILED, KNOWN):
            return verdict
        verdicts.append(verdict)
    return next((verdict for verdict in verdicts if verdict.status == PASSED), verdicts[-1])


def line_of(declared: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The line of the record that tells of a declared program."""
    return {
        "kind": "declared",
        "source": declared["source"],
        "text": declared["text"],
        "explanation": declared["why"],
        "status": verdict.status,
        "message": verdict.message[:10_000],
    }


def stale_texts(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line of text for each declared program that passes."""
    passed = [line for line in lines if line["status"] == PASSED]
    return [f"stale declaration: {line['source']}: {line['text']} passes" for line in passed]
