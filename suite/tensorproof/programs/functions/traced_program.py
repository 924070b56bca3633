"""The program that a traced function is, as far as its operations are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend
from tensorproof.contract.transcript import Entry, Traced, Transcript
from tensorproof.errors import UsageError
from tensorproof.programs.dtypes import result_dtype
from tensorproof.programs.program import BOOLEAN, CAPTURED, INTEGER, NUMBER, Input, Node, Program
from tensorproof_reference.operation import DTYPES, Operation
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


def program_of(
    traced: Traced, backend: Backend, specification: Mapping[str, Operation], outputs: Sequence[int], seed: int
) -> TracedProgram:
    """The program that gives some values of a traced function.

    Args:
        traced: what the plugin wrote down.
        backend: turns arrays into NumPy's.
        specification: the operations by name.
        outputs: numbers of known calls.
        seed: that of the cotangents.

    Raises:
        UsageError: no array is floating.
    """
    entries = traced.transcript.entries
    needed = set(outputs)
    for number in range(len(entries) - 1, -1, -1):
        if number in needed:
            needed.update(numbers_of(entries[number]))
    dtypes = _dtypes_of(entries, sorted(needed), backend, specification)
    inputs = [number for number, entry in enumerate(entries) if entry.kind == "argument"]
    inputs += [number for number in sorted(needed) if entries[number].kind in ("captured", "number")]
    calls = [number for number in sorted(needed) if entries[number].kind == "call"]
    numbers = {old: new for new, old in enumerate([*inputs, *calls])}
    nodes = [_node(entries[number]).renumbered(numbers) for number in calls]
    program = Program(
        tuple(_input(entries[number], backend, dtypes[number]) for number in inputs),
        tuple(nodes),
        tuple(numbers[number] for number in outputs),
        seed,
        tuple(numbers[number] for number in traced.transcript.held if number in numbers),
    )
    return TracedProgram(program, numbers)


def _node(entry: Entry) -> Node:
    return Node(entry.operation, tuple(entry.operands.items()), tuple(entry.keywords.items()))


def _dtypes_of(
    entries: Sequence[Entry], needed: Sequence[int], backend: Backend, specification: Mapping[str, Operation]
) -> dict[int, str]:
    """The dtypes of all arrays and of what is needed, by number. A number has that of what it is computed with first.

    Raises:
        UsageError: no array is floating.
        MalformedProgram: a plugin wrote down a call of arrays of several dtypes.
    """
    found = {
        number: _held_dtype(entry, backend) for number, entry in enumerate(entries) if entry.kind in ("argument", "captured")
    }
    first = next((dtype for dtype in found.values() if dtype in DTYPES), None)
    if first is None:
        raise UsageError("inputs: expected a floating array, got none")
    for number in needed:
        if entries[number].kind == "call":
            given = numbers_of(entries[number])
            dtype = next((found[item] for item in given if found.get(item) in DTYPES), first)
            found.update({item: dtype for item in given if item not in found})
            found[number] = result_dtype(_node(entries[number]), [found[item] for item in given], specification, first)
    return found


def _held_dtype(entry: Entry, backend: Backend) -> str:
    dtype = backend.dtype_of(entry.value)
    if dtype in DTYPES:
        return dtype
    kind = np.asarray(backend.to_numpy(entry.value)).dtype.kind
    if kind == "f":
        raise UsageError(f"inputs: no program computes in {dtype}")
    return BOOLEAN if kind == "b" else INTEGER


def _input(entry: Entry, backend: Backend, dtype: str) -> Input:
    if entry.kind == "number":
        # Frameworks compute with numbers in float32 at least.
        precise = dtype if dtype in ("float64", "float32") else "float32"
        return Input((), dtype, NUMBER, values=(float(round_to(entry.value, precise)),))
    array: NDArray[Any] = np.asarray(backend.to_numpy(entry.value))
    kind = CAPTURED if entry.kind == "captured" else "normal"
    return Input(array.shape, dtype, kind).holding(array)
