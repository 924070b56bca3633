"""The program that a traced function is, as far as its operations are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend
from tensorproof.contract.transcript import Entry, Traced, Transcript
from tensorproof.errors import UsageError
from tensorproof.programs.program import BOOLEAN, CAPTURED, INTEGER, NUMBER, Input, Node, Program
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import round_to


def known_numbers(transcript: Transcript) -> frozenset[int]:
    """The numbers of the values that follow from known calls alone."""
    known: set[int] = set()
    for number, entry in enumerate(transcript.entries):
        if entry.kind != "unknown" and set(numbers_of(entry)) <= known:
            known.add(number)
    return frozenset(known)


def numbers_of(entry: Entry) -> tuple[int, ...]:
    """The numbers of all values that a call takes."""
    found: list[int] = []
    for operand in entry.operands.values():
        found += operand if isinstance(operand, tuple) else (operand,)
    return tuple(found)


def unknown_names(transcript: Transcript) -> tuple[str, ...]:
    """The framework's names of what is not known, each once."""
    return tuple(dict.fromkeys(entry.name for entry in transcript.entries if entry.kind == "unknown"))


@dataclass(frozen=True)
class TracedProgram:
    """A program with all of the function's arguments, and how its values are numbered in the transcript."""

    program: Program
    numbers: dict[int, int]
    """By number in the transcript, that in the program."""


def program_of(traced: Traced, backend: Backend, outputs: Sequence[int], seed: int) -> TracedProgram:
    """The program that gives some values of a traced function.

    Args:
        traced: what the plugin wrote down.
        backend: turns arrays into NumPy's.
        outputs: numbers of known calls.
        seed: that of the cotangents.

    Raises:
        UsageError: floating arrays differ in dtype.
    """
    entries = traced.transcript.entries
    needed = set(outputs)
    for number in range(len(entries) - 1, -1, -1):
        if number in needed:
            needed.update(numbers_of(entries[number]))
    dtype = _dtype_of(entries, backend)
    inputs = [number for number, entry in enumerate(entries) if entry.kind == "argument"]
    inputs += [number for number in sorted(needed) if entries[number].kind in ("captured", "number")]
    calls = [number for number in sorted(needed) if entries[number].kind == "call"]
    numbers = {old: new for new, old in enumerate([*inputs, *calls])}
    nodes = [_node(entries[number]).renumbered(numbers) for number in calls]
    program = Program(
        tuple(_input(entries[number], backend, dtype) for number in inputs),
        tuple(nodes),
        tuple(numbers[number] for number in outputs),
        seed,
        tuple(numbers[number] for number in traced.transcript.held if number in numbers),
    )
    return TracedProgram(program, numbers)


def _node(entry: Entry) -> Node:
    return Node(entry.operation, tuple(entry.operands.items()), tuple(entry.keywords.items()))


def _dtype_of(entries: Sequence[Entry], backend: Backend) -> str:
    arrays = [entry.value for entry in entries if entry.kind in ("argument", "captured")]
    found = {backend.dtype_of(array) for array in arrays} & set(DTYPES)
    if len(found) != 1:
        raise UsageError(f"inputs: expected floating arrays of one dtype, got {', '.join(sorted(found)) or 'none'}")
    return found.pop()


def _input(entry: Entry, backend: Backend, dtype: str) -> Input:
    if entry.kind == "number":
        # Frameworks compute with numbers in float32 at least.
        precise = dtype if dtype in ("float64", "float32") else "float32"
        return Input((), dtype, NUMBER, values=(float(round_to(entry.value, precise)),))
    array = np.asarray(backend.to_numpy(entry.value))
    kind = CAPTURED if entry.kind == "captured" else "normal"
    return Input(array.shape, _dtype_name(array, dtype), kind).holding(array)


def _dtype_name(array: NDArray[Any], floating: str) -> str:
    if array.dtype.kind == "b":
        return BOOLEAN
    return INTEGER if array.dtype.kind in "iu" else floating
