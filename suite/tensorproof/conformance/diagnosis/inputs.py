"""Mistakes in inputs: one is left out, exchanged, flipped, limited, rounded, or read in another order."""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation
from tensorproof.conformance.diagnosis.results import axis_names
from tensorproof.conformance.expectation import is_floating
from tensorproof_reference.rounding import format_of, round_to

LIMITS = (3.0, 4.0, 6.0, 10.0, 15.0, 20.0, 30.0, 50.0, 88.0)
"""Numbers that inputs of functions are often limited to."""

Change = Callable[[NDArray[Any]], NDArray[Any]]


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes in single inputs, in pairs of them, and in all of them at once."""
    inputs = situation.sample.inputs
    parameters = inspect.signature(situation.operation.function).parameters
    for place, (name, value) in enumerate(inputs.items()):
        if value is None:
            for number in (0.0, 1.0):
                for shape in _shapes(situation):
                    yield situation.with_inputs(f"missing {name} taken for {number:g}", **{name: np.full(shape, number)})
            continue
        if parameters[name].default is None:
            yield situation.with_inputs(f"{name} is ignored", **{name: None})
        elif place and isinstance(value, np.ndarray) and is_floating(value):
            yield situation.with_inputs(f"{name} is ignored", **{name: np.zeros_like(value)})
        if isinstance(value, np.ndarray):
            for text, other in _others(situation, name, value):
                yield situation.with_inputs(text, **{name: other})
    yield from _pairs(situation)
    yield from _everywhere(situation)


def _shapes(situation: Situation) -> set[tuple[int, ...]]:
    """Shapes that a vector which was left out may have: the lengths of the axes of what is there."""
    arrays = [value for value in situation.sample.inputs.values() if isinstance(value, np.ndarray)]
    return {(length,) for array in arrays for length in array.shape}


def _others(situation: Situation, name: str, value: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    if value.dtype == bool:
        yield f"{name} inverted", ~value
    elif value.dtype.kind in "iu":
        yield from _integers(situation, name, value)
    else:
        yield f"{name} of the other sign", -value
        if situation.operation.family in ("elementwise", "activation") or value.ndim == 0:
            for limit in LIMITS:
                if np.any(np.abs(value) > limit):
                    yield f"{name} limited to ±{limit:g}", np.clip(value, -limit, limit)
    for axis, length in enumerate(value.shape[:4]):
        if length > 1:
            for place in axis_names(axis, value.ndim):
                yield f"{name} reversed along {place}", np.flip(value, axis)
            if axis < 2 and value.ndim > 1:
                first = np.take(value, [0], axis)
                yield f"the first of axis {axis} of {name} for all", np.broadcast_to(first, value.shape).copy()
    if value.ndim >= 2:
        if value.shape[-1] == value.shape[-2] > 1:
            yield f"{name} transposed", np.swapaxes(value, -1, -2)
        if value.ndim == 4 and min(value.shape[2:]) > 0:
            yield ("kernel flipped" if name == "weight" else f"{name} flipped in its last two axes"), value[:, :, ::-1, ::-1]
        if name not in _transposed(situation):
            yield f"axes of {name} read in reverse order", value.T.reshape(value.shape)
        if value.ndim > 2:
            yield f"first two axes of {name} read in the other order", np.swapaxes(value, 0, 1).reshape(value.shape)
    if value.ndim and value.shape[-1] > 8 and value.shape[-1] % 8 and is_floating(value):
        short = value.copy()
        short[..., value.shape[-1] - value.shape[-1] % 8 :] = 0.0
        yield f"{name} beyond the last multiple of 8 taken for 0", short


def _integers(situation: Situation, name: str, value: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{name} one too large", value + 1
    yield f"{name} one too small", value - 1
    for bits in (8, 16):
        if np.any(value >= 2**bits):
            yield f"{name} in {bits} bits", value % 2**bits
    dtype = situation.expectation.dtype
    if np.any(np.abs(value) > 2 ** format_of(dtype).bits):
        yield f"{name} rounded to {dtype}", round_to(value.astype(np.float64), dtype).astype(value.dtype)


def _pairs(situation: Situation) -> Iterator[Mistake]:
    arrays = {name: value for name, value in situation.sample.inputs.items() if isinstance(value, np.ndarray)}
    for (first, one), (second, two) in itertools.combinations(arrays.items(), 2):
        if one.shape == two.shape and one.dtype == two.dtype:
            yield situation.with_inputs(f"{first} and {second} exchanged", **{first: two, second: one})
            yield situation.with_inputs(f"{first} in place of {second}", **{second: one})
            yield situation.with_inputs(f"{second} in place of {first}", **{first: two})


def _everywhere(situation: Situation) -> Iterator[Mistake]:
    leaves = situation.expectation.arguments.leaves
    floating = [leaf for leaf in leaves.values() if is_floating(leaf)]
    dtype = situation.expectation.dtype
    changes: dict[str, Change] = {}
    if dtype == "float32":
        changes["operands rounded to bfloat16"] = lambda leaf: rounded(leaf, 8)
        changes["operands rounded to TF32"] = lambda leaf: rounded(leaf, 11)
    if any(np.isnan(leaf).any() for leaf in floating):
        changes["NaN taken for 0, as by max(x, 0)"] = lambda leaf: np.where(np.isnan(leaf), 0.0, leaf)
        if situation.operation.family != "elementwise":
            changes["NaN skipped, as by a comparison"] = lambda leaf: np.where(np.isnan(leaf), -np.inf, leaf)
    if any(np.isinf(leaf).any() for leaf in floating):
        largest = format_of(dtype).fmax
        changes["infinity taken for the largest number"] = lambda leaf: np.nan_to_num(
            leaf, nan=np.nan, posinf=largest, neginf=-largest
        )
        changes["infinity taken for 0"] = lambda leaf: np.where(np.isinf(leaf), 0.0, leaf)
    for text, change in changes.items():
        yield situation.with_leaves(text, of_floating(change), special=True)
    if situation.sample.memory == "transposed":
        lying = _transposed(situation)
        yield situation.with_leaves(
            "strides of the inputs ignored", lambda path, leaf: leaf.T.reshape(leaf.shape) if path in lying else leaf
        )
    if situation.sample.memory == "sliced":
        yield situation.with_leaves("strides of the inputs ignored", lambda path, leaf: _unsliced(leaf))


def _transposed(situation: Situation) -> list[str]:
    """The inputs that lie with their axes in reverse: the first, and every other one."""
    return list(situation.expectation.arguments.leaves)[::2] if situation.sample.memory == "transposed" else []


def of_floating(change: Change) -> Callable[[str, NDArray[Any]], NDArray[Any]]:
    """A change of all arrays with floating numbers."""
    return lambda path, leaf: change(leaf) if is_floating(leaf) else leaf


def _unsliced(leaf: NDArray[Any]) -> NDArray[Any]:
    """What lies where a slice begins, read as if it were contiguous."""
    if not leaf.ndim or not leaf.size:
        return leaf
    wide = np.zeros((*leaf.shape[:-1], 2 * leaf.shape[-1] + 1), leaf.dtype)
    wide[..., 1::2] = leaf
    flat = np.concatenate([wide.reshape(-1)[1:], np.zeros(1, leaf.dtype)])
    return flat[: leaf.size].reshape(leaf.shape)


def rounded(leaf: NDArray[Any], bits: int) -> NDArray[Any]:
    """Floating numbers with a significand of ``bits`` bits, to nearest even."""
    fraction, exponent = np.frexp(np.asarray(leaf, np.float64))
    return np.asarray(np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits))
