"""What would a known mistake give here? Each one changes a sample's arguments or an operation's formula.

A mistake *fits* an output that failed if the output is within the bars of what the mistake would give. One fit proves little:
``runs.causes`` speaks only of the single mistake that fits everywhere, on two samples at least.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import numpy_dtype
from tensorproof.conformance.expectation import Expectation, Expected, is_floating
from tensorproof.conformance.verdict import PASSED, judge
from tensorproof_reference import trees
from tensorproof_reference.operation import Sample
from tensorproof_reference.rounding import format_of, round_to

LARGEST = 50_000
"""Elements of all inputs beyond which no mistake is computed: the smaller samples tell enough."""

MANY = 100_000
"""Steps after which 1 - 0.999ᵗ is 1 in float64; NAdam's product has as many factors, so more would fill the memory."""

GEOMETRY = ("stride", "dilation", "padding", "window", "output_padding")
"""Keywords with an entry for each of two axes."""

Alternative = tuple[str, Sample]


def _keywords(expectation: Expectation) -> Iterator[Alternative]:
    """A keyword is ignored, a convention is another one, two axes or sides are exchanged, a mean is a sum."""
    operation, sample = expectation.operation, expectation.sample
    parameters = inspect.signature(operation.function).parameters
    defaults = {p.name: p.default for p in parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
    keywords = {**defaults, **sample.keywords}
    for name, value in keywords.items():
        others: dict[str, Any] = {}
        for other in operation.conventions.get(name, ()):
            others[f"{name}={other} in place of {value}"] = other
        if name in defaults and name not in operation.conventions:
            others[f"{name} is ignored"] = defaults[name]
        if name == "reduction" and value in ("mean", "sum"):
            others = {f"{'sum' if value == 'mean' else 'mean'} in place of {value}": "sum" if value == "mean" else "mean"}
        if name == "epsilon":
            others["no epsilon"] = 0.0
        if name == "taken":
            others["no bias correction"] = MANY
        if name in GEOMETRY and isinstance(value, tuple) and len(value) == 2:
            if all(isinstance(item, tuple) for item in value):
                others[f"sides of {name} exchanged"] = tuple(tuple(reversed(item)) for item in value)
            others[f"axes of {name} exchanged"] = value[::-1]
        for text, other in others.items():
            if other != value:
                yield text, replace(sample, keywords={**sample.keywords, name: other})


def _with_inputs(sample: Sample, change: Callable[[str, NDArray[Any]], NDArray[Any]]) -> Sample:
    return replace(sample, inputs=trees.replace_leaves(dict(sample.inputs), change))


def _inputs(expectation: Expectation) -> Iterator[Alternative]:
    """An input is left out, rounded to fewer bits, flipped or transposed; NaN is taken for 0."""
    operation, sample, leaves = expectation.operation, expectation.sample, expectation.arguments.leaves
    parameters = inspect.signature(operation.function).parameters
    for name, value in sample.inputs.items():
        if value is not None and parameters[name].default is None:
            yield f"{name} is ignored", replace(sample, inputs={**sample.inputs, name: None})
    if expectation.dtype == "float32":
        yield "operands rounded to bfloat16", _with_inputs(sample, lambda path, leaf: _rounded(leaf, 8))
        yield "operands rounded to TF32", _with_inputs(sample, lambda path, leaf: _rounded(leaf, 11))
    if any(is_floating(leaf) and np.isnan(leaf).any() for leaf in leaves.values()):
        yield "NaN taken for 0, as by max(x, 0)", _with_inputs(sample, lambda path, leaf: _zero_for_nan(leaf))
    weight = sample.inputs.get("weight")
    if isinstance(weight, np.ndarray) and weight.ndim == 4 and min(weight.shape[2:]) > 0:
        yield "kernel flipped", replace(sample, inputs={**sample.inputs, "weight": weight[:, :, ::-1, ::-1]})
    if isinstance(weight, np.ndarray) and weight.ndim >= 2 and weight.shape[-1] == weight.shape[-2]:
        yield "weight transposed", replace(sample, inputs={**sample.inputs, "weight": np.swapaxes(weight, -1, -2)})


def _zero_for_nan(leaf: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.isnan(leaf), 0.0, leaf) if is_floating(leaf) else leaf


def _rounded(leaf: NDArray[Any], bits: int) -> NDArray[Any]:
    """Floating numbers with a significand of ``bits`` bits, to nearest even; integers as they are."""
    if not is_floating(leaf):
        return leaf
    fraction, exponent = np.frexp(np.asarray(leaf, np.float64))
    return np.asarray(np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits))


def _exponentials(x: NDArray[Any], axis: int) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


FORMULAS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "softmax": {"exponentials without shift overflow": lambda x, axis=-1: _exponentials(x, axis)},
    "log_softmax": {
        "exponentials without shift overflow": lambda x, axis=-1: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)),
        "logarithm of softmax": lambda x, axis=-1: np.log(_exponentials(x - np.max(x, axis=axis, keepdims=True), axis)),
    },
    "sigmoid": {"exponentials without shift overflow": lambda x: np.exp(x) / (1 + np.exp(x))},
    "silu": {"exponentials without shift overflow": lambda x: x * (np.exp(x) / (1 + np.exp(x)))},
    "softplus": {"exponentials without shift overflow": lambda x: np.log(1 + np.exp(x))},
    "tanh": {"exponentials without shift overflow": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))},
}
"""Formulas that are right in exact arithmetic, by operation; they are computed in the dtype (16 bits in float32)."""


def _computed(expectation: Expectation, formula: Callable[..., Any]) -> NDArray[Any]:
    dtype = expectation.dtype if expectation.dtype in ("float64", "float32") else "float32"
    arrays = [leaf.astype(numpy_dtype(dtype)) for leaf in expectation.arguments.leaves.values()]
    with np.errstate(all="ignore"):
        return round_to(np.asarray(formula(*arrays, **expectation.sample.keywords), np.float64), expectation.dtype)


def _direct(expectation: Expectation, name: str, output: NDArray[Any], expected: Expected) -> Iterator[tuple[str, Expected]]:
    """Mistakes that are told from the expected value: with bars of their own or those of the reference."""
    value, bar = expected
    tiny = format_of(expectation.dtype).smallest_normal
    if (np.abs(value) < tiny).any() and (value != 0).any():
        yield "subnormal numbers flushed to 0", (np.where(np.abs(value) < tiny, 0.0, value), bar)
    finite = output[np.isfinite(output)]
    if expectation.dtype == "float64" and finite.size and np.array_equal(finite, finite.astype(np.float32)):
        # The output has 24 bits; within some units of their last place, nothing else was wrong.
        yield (
            "float32 arithmetic inside float64",
            (value, np.where(np.isfinite(value), bar * 2.0**29 + np.abs(value) * 2.0**-22, bar)),
        )
    formulas = FORMULAS.get(expectation.operation.name, {})
    if not name.startswith("d_"):
        for text, formula in formulas.items():
            yield text, (_computed(expectation, formula), bar)


@functools.lru_cache(maxsize=4)
def _alternatives(expectation: Expectation) -> tuple[tuple[str, Expectation], ...]:
    """What the reference expects of each mistake in the arguments, for all outputs and gradients of a case."""
    operation, dtype, seed, precision = expectation.operation, expectation.dtype, expectation.seed, expectation.precision
    samples = (*_keywords(expectation), *_inputs(expectation))
    return tuple((text, Expectation(operation, sample, dtype, seed, precision)) for text, sample in samples)


def _expected_of(alternative: Expectation, name: str) -> Mapping[str, Expected]:
    """Outputs, or gradients with ``d_`` before their paths; none where the reference cannot compute the mistake.

    A mistake may give arguments that no formula was written for. Whatever that raises, the failure stands as it was judged.
    """
    try:
        if not name.startswith("d_"):
            return alternative.outputs
        return {f"d_{path}": expected for path, expected in alternative.gradients.items()}
    except Exception:
        return {}


def _conforms(expectation: Expectation, name: str, output: NDArray[Any], expected: Expected) -> bool:
    value, bar = expected
    if value.shape != output.shape or value.dtype.kind != output.dtype.kind:
        return False
    dtype = expectation.dtype
    judged = judge(name, output, value, bar, dtype, output_dtype=dtype, expected_dtype=None)
    return judged.outcome == PASSED and judged.reason != "empty"


def fits(expectation: Expectation, name: str, outputs: Mapping[str, NDArray[Any]], expected: Expected) -> list[str]:
    """The mistakes that would give the output ``name``, which failed.

    ``outputs`` are all outputs that were judged together, by name, or all gradients (``d_`` and a path). A mistake in the
    arguments has to give all outputs; gradients are computed one by one, and one may be wrong alone.
    """
    output = outputs[name]
    sizes = sum(leaf.size for leaf in expectation.arguments.leaves.values())
    if expectation.operation.model is not None or sizes > LARGEST or output.dtype.kind != "f":
        return []
    found = [text for text, other in _direct(expectation, name, output, expected) if _conforms(expectation, name, output, other)]
    for text, alternative in _alternatives(expectation):
        others = _expected_of(alternative, name)
        needed = [name] if name.startswith("d_") else list(outputs)
        if all(key in others and _conforms(expectation, key, outputs[key], others[key]) for key in needed):
            found.append(text)
    return found
