"""The dtypes of a program's values, and the arithmetic of each: bars follow the precision that every value has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorproof.conformance.findings import SAFE_DISTANCE
from tensorproof.programs.program import MalformedProgram, Node, Program
from tensorproof_reference.errorbars.array import ErrorBars, held_in, with_bars
from tensorproof_reference.errorbars.doubt import Doubtful
from tensorproof_reference.errorbars.rules import Precision, precision_of
from tensorproof_reference.operation import DTYPES, Operation
from tensorproof_reference.rounding import HELD, STORED, cast_through, round_to
from tensorproof_reference.trees import Array

CAST = "cast"
NAMED: Mapping[str, str] = {
    CAST: "float16",
    "mixed_matmul": "float32",
    "mixed_layer_norm": "bfloat16",
    "mixed_rms_norm": "bfloat16",
}
"""Operations whose keyword ``dtype`` names the dtype of the result, with the one that it has unless it is given. Their operands
may differ in dtype."""
WHOLE = ""
"""The dtype of a node that gives integers or booleans."""


def result_dtype(node: Node, given: Sequence[str], specification: Mapping[str, Operation], default: str) -> str:
    """The floating dtype of what a call gives of operands of these dtypes, or ``WHOLE``; ``default`` if none is floating.

    Raises:
        MalformedProgram: floating operands differ in dtype, or have 8 bits and are not cast.
    """
    if node.operation in NAMED:
        named = str(dict(node.keywords).get("dtype", NAMED[node.operation]))
        return named if named in HELD else WHOLE
    floating = sorted(set(given) & set(HELD))
    if set(floating) & set(STORED):
        raise MalformedProgram(f"{node.operation}: nothing is computed in {', '.join(floating)}, which only casts take")
    if len(floating) > 1:
        raise MalformedProgram(f"{node.operation}: expected operands of one floating dtype, got {', '.join(floating)}")
    if not specification[node.operation].cotangents:
        return WHOLE
    return floating[0] if floating else default


def dtypes_of(program: Program, specification: Mapping[str, Operation]) -> tuple[str, ...]:
    """The dtype of each value by number: of inputs, and of nodes that are floating; ``WHOLE`` for other nodes.

    Raises:
        MalformedProgram: floating operands of a node differ in dtype, or a value is written over one of another dtype.
    """
    found = [item.dtype for item in program.inputs]
    for node in program.nodes:
        dtype = result_dtype(node, [found[number] for number in node.numbers], specification, program.dtype)
        if node.over is not None and found[node.over] != dtype:
            raise MalformedProgram(f"{node.operation}: expected {found[node.over]} to be written over, got {dtype}")
        found.append(dtype)
    return tuple(found)


def computed_in(node: Node, number: int, dtypes: Sequence[str]) -> str:
    """The dtype that a node is checked in alone: that of its floating operands, or of its value; float32 where they differ."""
    if node.operation in NAMED and node.operation != CAST:
        return "float32"
    return next((dtypes[item] for item in (*node.numbers, number) if dtypes[item] in DTYPES), "float32")


def casts_of(program: Program, specification: Mapping[str, Operation]) -> tuple[str, ...]:
    """The dtypes that are cast to each other, as ``float32>bfloat16``, each pair once; what is not floating is ``whole``."""
    dtypes = dtypes_of(program, specification)
    found = {
        f"{_word(dtypes[node.numbers[0]])}>{_word(dtypes[number])}": None
        for number, node in enumerate(program.nodes, start=len(program.inputs))
        if node.operation == CAST
    }
    return tuple(found)


def _word(dtype: str) -> str:
    return dtype if dtype in HELD else "whole"


def is_narrower(one: str, other: str) -> bool:
    """Whether a floating dtype has fewer digits than another, and no more range."""
    return HELD[one].bits < HELD[other].bits and HELD[one].fmax <= HELD[other].fmax


def coarsest_of(dtypes: Sequence[str]) -> str:
    """The floating dtype with the fewest digits."""
    return min((dtype for dtype in dtypes if dtype in HELD), key=lambda dtype: HELD[dtype].bits)


@dataclass(frozen=True)
class Arithmetic:
    """The rounding errors that a program is held to."""

    precisions: Mapping[str, Precision]
    """By floating dtype."""
    wide: frozenset[tuple[str, str]] = frozenset()
    """Casts, as from one dtype to another, after which code may go on with the digits that the cast should have dropped."""

    def held(self, value: Any, dtype: str) -> Array:
        """What was computed as an array of the dtype holds it; integers and booleans as they are."""
        if isinstance(value, ErrorBars):
            return held_in(value, self.precisions[dtype])
        if isinstance(value, Doubtful):
            return value
        floating = np.asarray(value).dtype.kind == "f" and dtype in self.precisions
        return with_bars(value, self.precisions[dtype]) if floating else value

    def cast(self, x: ErrorBars, dtype: str, saturate: bool = False) -> ErrorBars:
        """Rounded once. Where all that is allowed of a number rounds to one number of the dtype, it is that one exactly.

        What is beyond the range of ``float8_e4m3fn``, which has no infinity, is NaN, or its largest number with ``saturate``.
        Nothing is known of a number that may be beyond it or not.
        """
        precision = self.precisions[dtype]
        if (x.precision.dtype, dtype) in self.wide:
            exact = (x.bar == 0) & (x.value == round_to(x.value, dtype))
            spread = np.where(exact, 0.0, np.hypot(x.bar, precision.u * np.abs(x.value) + precision.tiny))
            return ErrorBars(x.value, spread, precision)
        held: ErrorBars = held_in(x, precision)
        with np.errstate(all="ignore"):
            ends = (cast_through(x.value + by * x.bar, dtype, saturate) for by in (-SAFE_DISTANCE, SAFE_DISTANCE))
        lowest, highest = ends
        certain = (lowest == highest) | (np.isnan(lowest) & np.isnan(highest))
        unknown = np.isfinite(x.value) & (np.isnan(lowest) != np.isnan(highest))
        bar = np.where(unknown, np.inf, held.bar)
        return ErrorBars(np.where(certain, lowest, held.value), np.where(certain, 0.0, bar), precision)


PLAIN = Arithmetic({dtype: precision_of(dtype) for dtype in HELD})
"""That of a backend that declares nothing else."""
