"""Arithmetic of another precision: what an output shows by its own digits, and accumulation in 16 bits."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.expectation import Expectation, Expected
from tensorproof_reference.rounding import format_of, round_to

NARROW = ("bfloat16", "float16", "float32")
"""Dtypes that others may be computed in, from the fewest bits."""
LEAST = 4
"""Numbers that an output has at least if their digits are to tell something."""

Reading = tuple[str, Expected]
"""A mistake, and the values and bars that it would give."""


def readings(dtype: str, output: NDArray[np.float64], right: Expected) -> Iterator[Reading]:
    """The mistakes of precision that the output may show."""
    value, bar = right
    if output.dtype.kind != "f" or output.shape != value.shape or value.dtype.kind != "f":
        return
    tiny = format_of(dtype).smallest_normal
    small = (np.abs(value) < tiny) & (value != 0)
    if small.any():
        yield "subnormal numbers flushed to 0", (np.where(small, 0.0, value), bar)
    narrow = narrow_dtype(dtype, output)
    if narrow:
        yield f"{narrow} arithmetic inside {dtype}", in_narrow(dtype, narrow, right)


def narrow_dtype(dtype: str, output: NDArray[np.float64]) -> str:
    """The narrowest dtype that has all the numbers of an output, which has enough of them, or an empty string."""
    chosen = format_of(dtype)
    numbers = output[np.isfinite(output) & (output != 0)] if output.dtype.kind == "f" else output[:0]
    if numbers.size < LEAST and not np.isinf(output).any():
        return ""
    for narrow in NARROW:
        other = format_of(narrow)
        if other.bits < chosen.bits and other.fmax <= chosen.fmax and np.array_equal(round_to(numbers, narrow), numbers):
            return narrow
    return ""


def in_narrow(dtype: str, narrow: str, right: Expected) -> Expected:
    """What is expected of a narrower dtype: as many bars, or some units of its last place."""
    value, bar = right
    chosen, other = format_of(dtype), format_of(narrow)
    with np.errstate(all="ignore"):
        limited = np.where(np.abs(value) > other.fmax, np.copysign(np.inf, value), value)
        wide = bar * 2.0 ** (chosen.bits - other.bits) + np.abs(value) * 2.0 ** (2 - other.bits) + other.smallest_normal
    return limited, np.where(np.isfinite(limited), wide, bar)


def sixteen_bits(expectation: Expectation) -> Expectation | None:
    """What is expected of sums whose partial sums are rounded to 16 bits, in dtypes of 16 bits that are summed in more."""
    precision = expectation.precision
    if format_of(expectation.dtype).bits >= 24 or precision.ua == precision.u or expectation.sample.own_dtypes:
        return None
    operation, sample, dtype, seed = expectation.operation, expectation.sample, expectation.dtype, expectation.seed
    return Expectation(operation, sample, dtype, seed, replace(precision, ua=precision.u))
