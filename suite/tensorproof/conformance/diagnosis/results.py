"""What a wrong result is in terms of the right one: a multiple, reversed, limited, partly missing, or another result."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis import earlier
from tensorproof.conformance.expectation import Expectation, Expected, is_floating
from tensorproof_reference.rounding import format_of

LIMIT_Z = 10.0
MANY_AXES = 5

Likeness = tuple[str, Expected]


def likenesses(expectation: Expectation, name: str, output: NDArray[Any], right: Expected) -> Iterator[Likeness]:
    """The candidates, with the values and bars that each would give."""
    value = right[0]
    if output.dtype.kind != "f" or value.dtype.kind != "f" or output.shape != value.shape or not output.size:
        return
    dtype = expectation.dtype_at(name.removeprefix("d_"))
    yield from _multiples(expectation, dtype, output, right)
    yield from _orders(right)
    yield from _others(expectation, name, right)
    yield from _limits(output, right)
    yield from _missing(expectation, dtype, output, right)
    for other in earlier.results(expectation, name):
        yield "the result of an earlier call", other


def _short(number: float) -> float:
    """A number of four digits, as people write constants."""
    return float(f"{number:.4g}")


def _factors(expectation: Expectation) -> Mapping[str, float]:
    """Numbers that results are often multiplied by, or divided by, in error."""
    first = next(iter(expectation.arguments.leaves.values()))
    sizes = {f"the length of axis {axis} of the first input": length for axis, length in enumerate(first.shape)}
    sizes["the number of elements of the first input"] = first.size
    if first.ndim > 1 and first.shape[0]:
        sizes["the number of elements of an example"] = first.size // first.shape[0]
    window = {**(expectation.operation.function.__kwdefaults__ or {}), **expectation.sample.keywords}.get("window")
    if window is not None:
        sizes["the size of the window"] = int(np.prod(window))
    groups = {"ln 2": float(np.log(2.0)), **{text: float(size) for text, size in sizes.items() if size > 1}}
    found = {"the wrong sign": -1.0}
    for text, size in groups.items():
        found[f"multiplied by {text}"] = size
        found[f"divided by {text}"] = 1.0 / size
    return found


def _multiples(expectation: Expectation, dtype: str, output: NDArray[Any], right: Expected) -> Iterator[Likeness]:
    value, bar = right
    if not np.any(output):
        yield "zero everywhere", (np.zeros_like(value), np.zeros_like(bar))
        return
    with np.errstate(all="ignore"):
        large = (
            np.isfinite(output)
            & np.isfinite(value)
            & (np.abs(value) > 1e-3 * np.max(np.abs(value), where=np.isfinite(value), initial=0.0))
        )
        if not large.any():
            return
        ratio = float(np.median(output[large] / value[large]))
        offset = float(np.median(output[large] - value[large]))
    if not np.isfinite(ratio) or abs(ratio - 1.0) < 1e-3 or abs(ratio) < 1e-12:
        ratio = 1.0
    named = {text: factor for text, factor in _factors(expectation).items() if abs(factor - ratio) < 1e-2 * abs(factor)}
    if ratio not in (1.0, -1.0):
        named[f"{_short(ratio):g} times what is expected"] = _short(ratio)
    for text, factor in named.items():
        rounding = np.where(np.isfinite(value), np.abs(value * factor) * 2.0 ** -format_of(dtype).bits, 0.0)
        yield text, (value * factor, np.abs(factor) * bar + rounding)
    if np.isfinite(offset) and abs(offset) > 1e-3 and not named:
        yield f"{_short(offset):+g} in every element", (value + _short(offset), bar)


def axis_names(axis: int, rank: int) -> list[str]:
    """How an axis is called alike in arrays of several ranks: the first one, and the others from the last.

    >>> axis_names(0, 3), axis_names(2, 3), axis_names(0, 1)
    (['axis 0'], ['axis -1'], ['axis 0', 'axis -1'])
    """
    return ["axis 0"] * (axis == 0) + [f"axis {axis - rank}"] * (axis > 0 or rank == 1)


def _orders(right: Expected) -> Iterator[Likeness]:
    value, bar = right
    if value.ndim > MANY_AXES:
        return
    for axis, length in enumerate(value.shape):
        if length < 2:
            continue
        for place in axis_names(axis, value.ndim):
            yield f"reversed along {place}", (np.flip(value, axis), np.flip(bar, axis))
            for step, text in ((1, "one further"), (-1, "one back")):
                if length > 2:
                    yield f"{text} along {place}", (np.roll(value, step, axis), np.roll(bar, step, axis))
    if value.ndim >= 2:
        if value.shape[-1] == value.shape[-2] > 1:
            yield "the last two axes exchanged", (np.swapaxes(value, -1, -2), np.swapaxes(bar, -1, -2))
        if max(value.shape[-2:]) > 1:
            yield "flipped in the last two axes", (value[..., ::-1, ::-1], bar[..., ::-1, ::-1])
        yield "axes in reverse order", (value.T.reshape(value.shape), bar.T.reshape(bar.shape))


def _others(expectation: Expectation, name: str, right: Expected) -> Iterator[Likeness]:
    """An input, a cotangent or another output in place of this one."""
    value, bar = right
    exact = np.zeros_like(bar)
    for path, leaf in expectation.arguments.leaves.items():
        if leaf.shape == value.shape and is_floating(leaf):
            yield f"the input {path}", (leaf, exact)
    if name.startswith("d_"):
        for path, cotangent in expectation.cotangents.items():
            if cotangent.shape == value.shape:
                yield f"the cotangent of {path} itself", (cotangent, exact)
        others = {f"d_{path}": found for path, found in expectation.gradients.items()}
    else:
        others = expectation.outputs
    for path, found in others.items():
        if path != name and found[0].shape == value.shape:
            yield f"{path} in its place", found


def _wrong(output: NDArray[Any], right: Expected) -> NDArray[np.bool_]:
    value, bar = right
    with np.errstate(all="ignore"):
        same = (output == value) | (np.isnan(output) & np.isnan(value)) | (np.abs(output - value) <= LIMIT_Z * bar)
    return np.asarray(~same, np.bool_)


def _limits(output: NDArray[Any], right: Expected) -> Iterator[Likeness]:
    """Values limited from above or below: all that are wrong have become one number, and were beyond it."""
    value, bar = right
    wrong = _wrong(output, right)
    limits = np.unique(output[wrong]) if wrong.any() else np.zeros(0)
    if len(limits) not in (1, 2) or not np.isfinite(limits).all():
        return
    low, high = float(limits[0]), float(limits[-1])
    above, below = value > high, value < low
    if len(limits) == 2 and not (low < 0 < high and (above | below)[wrong].all()):
        return
    if len(limits) == 1 and not (above[wrong].all() or below[wrong].all()):
        return
    upper = above[wrong].any()
    lower = below[wrong].any()
    text = " and ".join([*([f"at least {low:.6g}"] if lower else []), *([f"at most {high:.6g}"] if upper else [])])
    limited = np.clip(value, low if lower else -np.inf, high if upper else np.inf)
    if not np.array_equal(np.sort(limits), np.zeros(1)):
        yield f"limited to {text}", (limited, np.where(limited == value, bar, 0.0))


def _missing(expectation: Expectation, dtype: str, output: NDArray[Any], right: Expected) -> Iterator[Likeness]:
    """Some elements are right, and the others zero, or the input as it was."""
    value, bar = right
    wrong = _wrong(output, right)
    count = np.count_nonzero(wrong)
    if not 0 < count < wrong.size or not np.isfinite(value[wrong]).all() or not np.any(value[~wrong]):
        return
    tiny = format_of(dtype).smallest_normal
    if not np.any(output[wrong]) and (np.abs(value[wrong]) > 64.0 * tiny).all():
        yield "some elements are left at zero", (np.where(wrong, 0.0, value), np.where(wrong, 0.0, bar))
    for path, leaf in expectation.arguments.leaves.items():
        if leaf.shape != value.shape or not is_floating(leaf) or np.array_equal(output, leaf):
            continue
        if np.array_equal(output[wrong], leaf[wrong]):
            yield f"some elements are those of {path}", (np.where(wrong, leaf, value), np.where(wrong, 0.0, bar))
