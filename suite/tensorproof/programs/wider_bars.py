"""Bars that are made anew for a program that failed by its first ones, and how near its branches lie."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tensorproof.conformance.expectation import Expected
from tensorproof.conformance.findings import SAFE_DISTANCE
from tensorproof.programs.dtypes import Arithmetic
from tensorproof.programs.evaluation import Conventions, Expectations, as_expected, expected_of, forward_values, name_of
from tensorproof.programs.program import Program
from tensorproof_reference.errorbars.array import ErrorBars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.doubt import Doubtful, Undecided, either_way
from tensorproof_reference.operation import Operation
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

DRAWS = 16
"""Evaluations with rounding errors drawn at random that tell how far they carry."""


@dataclass(frozen=True, kw_only=True)
class Disturbed(Arithmetic):
    """An arithmetic in which each result is off by a rounding error of its own, drawn at random, and has no bar."""

    stream: Stream
    places: Iterator[int] = field(default_factory=itertools.count)

    def held(self, value: Any, dtype: str) -> Array:
        """What the arithmetic gives, off by what its bar says."""
        held = super().held(value, dtype)
        return self._off(held) if isinstance(held, ErrorBars) else held

    def cast(self, x: ErrorBars, dtype: str, saturate: bool = False) -> ErrorBars:
        """What the arithmetic gives, off by what its bar says."""
        return self._off(super().cast(x, dtype, saturate))

    def _off(self, result: ErrorBars) -> ErrorBars:
        bar = np.where(np.isfinite(result.bar), result.bar, 0.0)
        errors = bar * self.stream(str(next(self.places))).normal(bar.shape)
        return ErrorBars(result.value + errors, np.zeros(bar.shape), result.precision)


def expected_either_way(
    program: Program,
    specification: Mapping[str, Operation],
    conventions: Conventions,
    arithmetic: Arithmetic,
    expected: Expectations,
) -> Expectations | None:
    """What is expected, with bars that hold for both sides of each branch that is ten bars away or less.

    Where a gradient cannot be followed to both sides there are none; ``None`` where a value cannot.
    """
    with either_way(SAFE_DISTANCE):
        try:
            values = forward_values(program, specification, conventions, arithmetic)
        except Undecided:
            return None
        if any(isinstance(values[number], Doubtful) for number in program.outputs):
            return None
        try:
            found = expected_of(program, specification, conventions, arithmetic, expected.cotangents)
        except Undecided:
            outputs = {name_of(number): as_expected(values[number]) for number in program.outputs}
            found = replace(expected, outputs=outputs, gradients={})
    return replace(found, arguments=expected.arguments, hold_either_way=True)


def with_common_errors(
    program: Program,
    specification: Mapping[str, Operation],
    conventions: Conventions,
    arithmetic: Arithmetic,
    expected: Expectations,
) -> Expectations:
    """What is expected, with bars that know that one rounding error may reach a result on several ways.

    A bar is made as if errors were independent. Where a sum of sums is squared, one error is in many of the numbers that are
    added later, and its parts add up. So the program is evaluated ``DRAWS`` times with an error drawn for each result, and a bar
    is at least the root mean square of what that changes.
    """
    draws = [
        expected_of(
            program,
            specification,
            conventions,
            Disturbed(arithmetic.precisions, arithmetic.wide, stream=Stream(program.seed)("errors")(str(draw))),
            expected.cotangents,
        )
        for draw in range(DRAWS)
    ]

    def widened(item: Expected, drawn: Sequence[Expected]) -> Expected:
        value, bar = item
        if value.dtype.kind != "f" or not value.size:
            return item
        with np.errstate(all="ignore"):
            spread = np.sqrt(np.mean(np.square([other - value for other, _ in drawn]), axis=0))
        return value, np.where(np.isfinite(spread), np.fmax(bar, spread), bar)

    return replace(
        expected,
        outputs={name: widened(item, [draw.outputs[name] for draw in draws]) for name, item in expected.outputs.items()},
        gradients={name: widened(item, [draw.gradients[name] for draw in draws]) for name, item in expected.gradients.items()},
    )


def closest_of(
    program: Program, specification: Mapping[str, Operation], conventions: Conventions, arithmetic: Arithmetic
) -> float:
    """The distance in bars of the branch that came closest to going the other way."""
    with closest_branch() as closest:
        expected_of(program, specification, conventions, arithmetic)
    return min(closest.comparison, closest.selection)
