"""Which known mistakes would give an output that failed.

A mistake *fits* if the output is within the bars of what the mistake would give, and these are not what is right. One fit proves
little: ``runs.causes`` speaks only of the single mistake that fits everywhere, on two samples at least.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis import cotangents, inputs, keywords, precision, results
from tensorproof.conformance.diagnosis.families import (
    attention,
    elementwise,
    images,
    losses,
    normalization,
    optimizers,
    recurrent,
    windows,
)
from tensorproof.conformance.diagnosis.mistake import Alternative, Mistake, Situation
from tensorproof.conformance.expectation import Expectation, Expected, is_floating
from tensorproof.conformance.verdict import FAILED, PASSED, Judgement, judge
from tensorproof_reference.rounding import round_to

T = TypeVar("T")

LARGEST = 20_000
"""Elements of all inputs beyond which nothing is computed anew: the smaller samples tell enough."""
LARGEST_RESULT = 1_000_000
"""Elements beyond which an output is not even compared with the right one again."""
FEW = 4
"""Elements below which counts and shares tell nothing."""
LEAST_RMS = 0.02
"""How far off in its own bars, by root mean square, an output is at least if a mistake that loses digits explains it."""

SOURCES = (keywords, inputs, cotangents, elementwise, normalization, recurrent, losses, optimizers, windows, attention, images)


@dataclass(frozen=True)
class Fits:
    """The known mistakes that would give an output."""

    fits: list[str] | None
    """In arguments, formulas or arithmetic; ``None`` if none was tried, for want of time."""
    likenesses: list[str]
    """What the output is in terms of the right one: twice as much, reversed, zero."""
    consistent: list[str]
    """Mistakes that give the output, which is no evidence of them: what is wrong is NaN or infinite, or their bars are wide."""


def _mistakes(situation: Situation) -> Iterator[Mistake]:
    for source in SOURCES:
        try:
            yield from source.mistakes(situation)
        except (ValueError, IndexError, TypeError, KeyError, AttributeError, ArithmeticError):
            # A list of mistakes that does not suit these arguments says nothing.
            continue


@functools.lru_cache(maxsize=2)
def _alternatives(expectation: Expectation) -> tuple[Alternative, ...]:
    """What each mistake gives, for all outputs and gradients of a case."""
    situation = Situation.of(expectation)
    return tuple(Alternative(situation, mistake) for mistake in _mistakes(situation))


def _near(output: NDArray[Any], value: NDArray[Any]) -> bool:
    """Whether values are so near that computing bars is worth while."""
    if output.shape != value.shape or (output.dtype.kind == "f") != (value.dtype.kind == "f"):
        return False
    if output.dtype.kind != "f":
        return bool(np.array_equal(output, value))
    finite = np.isfinite(output) & np.isfinite(value)
    if 2 * np.count_nonzero(np.isnan(output) != np.isnan(value)) > output.size:
        return False
    size = np.max(np.abs(value), initial=0.0, where=finite)
    distance = np.max(np.abs(np.subtract(output, value, where=finite, out=np.zeros_like(output))), initial=0.0)
    return bool(distance <= 0.05 * size)


def _dtype_of(expectation: Expectation, name: str) -> str:
    """The dtype of an output or gradient."""
    return expectation.dtype_at(name.removeprefix("d_"))


def _judged(dtype: str, output: NDArray[Any], expected: Expected) -> Judgement | None:
    """The verdict on an output if this were right; ``None`` if it is of another shape or kind."""
    value, bar = expected
    if value.shape != output.shape or (value.dtype.kind == "f") != (output.dtype.kind == "f"):
        return None
    return judge("", output, value, bar, dtype, output_dtype=dtype, expected_dtype=None)


def _conforms(dtype: str, output: NDArray[Any], expected: Expected) -> bool:
    judged = _judged(dtype, output, expected)
    return judged is not None and judged.outcome == PASSED and judged.reason != "empty"


def _may_conform(dtype: str, output: NDArray[Any], expected: Expected) -> bool:
    """Whether an output is within the bars, which may be so wide that this is no evidence."""
    judged = _judged(dtype, output, expected)
    return judged is not None and judged.outcome != FAILED and judged.reason != "empty"


def _loses_digits(dtype: str, output: NDArray[Any], expected: Expected) -> bool:
    """Whether an output is within the bars, which are wide where digits are lost, and its error is of their size."""
    judged = _judged(dtype, output, expected)
    return judged is not None and judged.outcome != FAILED and (judged.rms_z or 0.0) >= LEAST_RMS


def _differs(value: NDArray[Any], right: Expected) -> bool:
    """Whether a mistake has an effect on an output."""
    expected, bar = right
    if value.dtype.kind != "f" or value.shape != expected.shape:
        return True
    same = (value == expected) | (np.isnan(value) & np.isnan(expected))
    with np.errstate(all="ignore"):
        return bool(np.any(~same & ~(np.abs(value - expected) <= 2.0 * bar)))


def _tells(output: NDArray[Any], right: Expected) -> bool:
    """Whether an output is wrong where it is finite: NaN and infinity come of many mistakes."""
    expected, bar = right
    if output.dtype.kind != "f" or output.shape != expected.shape:
        return True
    with np.errstate(all="ignore"):
        return bool(np.any(np.isfinite(output) & ~(np.abs(output - expected) <= 2.0 * bar)))


def _is_coarse(expectation: Expectation, output: NDArray[Any]) -> bool:
    """Whether an output is a count or a share of a few things, so that many mistakes give it by chance."""
    things = next(iter(expectation.arguments.leaves.values())).size
    with np.errstate(all="ignore"):
        counts = output.astype(np.float64) * max(things, 1)
        return output.size < FEW and bool(np.all(np.abs(counts - np.rint(counts)) < 1e-3))


def _explains(
    expectation: Expectation, alternative: Alternative, name: str, outputs: Mapping[str, NDArray[Any]], right: Expected
) -> bool:
    """Whether a mistake gives what failed: all outputs, or the one gradient, since one may be wrong alone."""
    gradient = name.startswith("d_")
    if not (alternative.has_gradients if gradient else alternative.has_outputs):
        return False
    needed = [name] if gradient else list(outputs)
    keys = {key: key.removeprefix("d_") if gradient else key for key in needed}
    mistake = alternative.mistake
    if not mistake.rough and not mistake.in_dtype:
        values = alternative.gradient_values if gradient else alternative.values
        if not all(keys[key] in values and _near(outputs[key], values[keys[key]]) for key in needed):
            return False
    found = alternative.gradients if gradient else alternative.outputs
    if not all(keys[key] in found for key in needed):
        return False
    if mistake.rough:
        # In exact arithmetic the formula is right, so its bars are about the right value.
        others = [key for key in needed if key != name]
        return _loses_digits(_dtype_of(expectation, name), outputs[name], (right[0], found[keys[name]][1])) and all(
            _conforms(_dtype_of(expectation, key), outputs[key], found[keys[key]]) for key in others
        )
    if not all(_may_conform(_dtype_of(expectation, key), outputs[key], found[keys[key]]) for key in needed):
        return False
    return _differs(found[keys[name]][0], right)


def _is_sharp(expectation: Expectation, alternative: Alternative, name: str, output: NDArray[Any]) -> bool:
    """Whether the bars of what a mistake gives are narrow enough to tell; a mistake that loses digits is known by its error."""
    found = alternative.gradients if name.startswith("d_") else alternative.outputs
    return alternative.mistake.rough or _conforms(_dtype_of(expectation, name), output, found[name.removeprefix("d_")])


def _tried(otherwise: T, ask: Callable[..., T], *about: Any) -> T:
    """What a question about a mistake gives. A mistake may give arguments that no formula was written for, and so raise anything;
    then it explains nothing, and the failure stands as it was judged.
    """
    try:
        return ask(*about)
    except Exception:
        return otherwise


def _computed_narrow(expectation: Expectation, name: str, output: NDArray[Any]) -> list[str]:
    """Whether a result of few digits is that of inputs rounded to the narrower dtype."""
    dtype = _dtype_of(expectation, name)
    narrow = precision.narrow_dtype(dtype, output)
    if not narrow:
        return []
    situation = Situation.of(expectation)
    text = f"{narrow} arithmetic inside {dtype}"
    given = situation.with_leaves(text, lambda path, leaf: round_to(leaf, narrow) if is_floating(leaf) else leaf)
    alternative = Alternative(situation, given)
    found = alternative.gradient_values if name.startswith("d_") else alternative.values
    value, bar = found[name.removeprefix("d_") if name.startswith("d_") else name], np.zeros(output.shape)
    return [text] if _conforms(dtype, output, precision.in_narrow(dtype, narrow, (value, bar))) else []


def _accumulated(expectation: Expectation, name: str, output: NDArray[Any]) -> list[str]:
    """Whether sums in 16 bits explain an output of 16 bits, and the errors are of their size."""
    other = precision.sixteen_bits(expectation)
    if other is None:
        return []
    found = other.gradients.get(name.removeprefix("d_")) if name.startswith("d_") else other.outputs.get(name)
    return ["accumulation in 16 bits"] if found is not None and _loses_digits(expectation.dtype, output, found) else []


def fits(expectation: Expectation, name: str, outputs: Mapping[str, NDArray[Any]], expected: Expected) -> Fits | None:
    """The mistakes that would give the output ``name``, which failed; ``None`` if it was compared with none.

    ``outputs`` are all outputs that were judged together, by name, or all gradients (``d_`` and a path).
    """
    return _tried(None, _fits, expectation, name, outputs, expected)


def _fits(expectation: Expectation, name: str, outputs: Mapping[str, NDArray[Any]], expected: Expected) -> Fits | None:
    output = outputs[name]
    if np.array_equal(output, expected[0], equal_nan=output.dtype.kind == "f"):
        return None  # only the sign of zero, or the dtype, is wrong
    size = sum(leaf.size for leaf in expectation.arguments.leaves.values())
    if expectation.operation.model is not None or output.size > LARGEST_RESULT:
        return None
    tells = _tells(output, expected) and not _is_coarse(expectation, output)
    dtype = _dtype_of(expectation, name)
    found = [text for text, other in precision.readings(dtype, output, expected) if _conforms(dtype, output, other)]
    consistent: list[str] = []
    none: list[str] = []
    if size <= LARGEST:
        for arithmetic in (_computed_narrow, _accumulated):
            found += [text for text in _tried(none, arithmetic, expectation, name, output) if text not in found]
        for alternative in _alternatives(expectation):
            mistake = alternative.mistake
            if mistake.text not in found and _tried(False, _explains, expectation, alternative, name, outputs, expected):
                # Zeros come of many mistakes; that they are zeros is said among the likenesses.
                evidence = (tells and bool(np.any(output))) or mistake.special
                (found if evidence and _is_sharp(expectation, alternative, name, output) else consistent).append(mistake.text)
    likenesses = results.likenesses(expectation, name, output, expected)
    like = [text for text, other in likenesses if _conforms(dtype, output, other)]
    if not tells:
        consistent, like = [*consistent, *like], []
    return Fits(found if size <= LARGEST or found else None, like, consistent)
