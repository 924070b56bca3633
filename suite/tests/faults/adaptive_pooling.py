"""Faults in adaptive and global pooling: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

FAULTS = Faults()


def apart(name: str) -> Callable[..., Any]:
    """Windows that end where the next one begins, as floor(L/m) positions each."""

    def wrong(x: Any, *, output: Any) -> Any:
        windows = tuple(max(length // number, 1) for length, number in zip(x.shape[2:], output, strict=True))
        kept = tuple(slice(window * number) for window, number in zip(windows, output, strict=True))
        part = x[(slice(None), slice(None), *kept)]
        right = reference(name, x, output=output)
        return reference(name, part, output=output) if min(part.shape) else right

    return wrong


def of_one_size(x: Any, *, output: Any) -> Any:
    """Windows of one size and one step that reach from end to end."""
    steps = [length // number for length, number in zip(x.shape[2:], output, strict=True)]
    if x.ndim != 4 or not x.size or 0 in steps:
        return reference("adaptive_average_pool", x, output=output)
    sizes = [length - (number - 1) * step for length, number, step in zip(x.shape[2:], output, steps, strict=True)]
    return reference("average_pool2d", x, window=tuple(sizes), stride=tuple(steps))


def axes_exchanged(name: str) -> Callable[..., Any]:
    """The numbers of windows for the axes in reverse order."""

    def wrong(x: Any, *, output: Any) -> Any:
        return reference(name, x, output=tuple(output)[::-1])

    return wrong


def without_nan(x: Any, *, output: Any = None) -> Any:
    """NaN is never the maximum."""
    name, keywords = ("global_max_pool", {}) if output is None else ("adaptive_max_pool", {"output": output})
    return reference(name, np.where(np.isnan(x), -np.inf, x).astype(x.dtype), **keywords)


def of_the_first_example(x: Any) -> Any:
    """The mean over positions of the first example, for all."""
    return np.broadcast_to(reference("global_average_pool", x)[:1], (x.shape[0], x.shape[1], *(1,) * (x.ndim - 2))).copy()


def less_one(x: Any) -> Any:
    """The sum divided by one less than the number of positions."""
    number = int(np.prod(x.shape[2:]))
    return (reference("global_average_pool", x) * (number / max(number - 1, 1))).astype(x.dtype)


def positions_dropped(x: Any) -> Any:
    """The axes of positions are dropped."""
    return reference("global_average_pool", x).reshape(x.shape[:2])


def largest_magnitude(x: Any) -> Any:
    """The value that is largest in magnitude."""
    largest, smallest = reference("global_max_pool", x), -reference("global_max_pool", -x)
    return np.where(np.abs(smallest) > np.abs(largest), smallest, largest).astype(x.dtype)


VALUES: Sequence[Row] = (
    ("adaptive_average_pool", "plain", "windows_do_not_overlap", apart("adaptive_average_pool")),
    ("adaptive_average_pool", "geometry", "axes_exchanged", axes_exchanged("adaptive_average_pool")),
    ("adaptive_average_pool", "plain", "windows_of_one_size", of_one_size),
    ("adaptive_max_pool", "plain", "windows_do_not_overlap", apart("adaptive_max_pool")),
    ("adaptive_max_pool", "nan", "maximum_swallows_nan", without_nan),
    ("global_average_pool", "plain", "mean_of_the_first_example", of_the_first_example),
    ("global_average_pool", "plain", "divided_by_one_less", less_one),
    ("global_average_pool", "plain", "axes_of_positions_dropped", positions_dropped),
    ("global_max_pool", "plain", "largest_in_magnitude", largest_magnitude),
    ("global_max_pool", "nan", "maximum_swallows_nan", without_nan),
)
"""Functions whose values are wrong."""


def not_divided(dy: Any, x: Any) -> Any:
    """The gradient of the sum."""
    return {"x": right_vjp("global_average_pool", dy, x)["x"] * int(np.prod(x.shape[2:]))}


def overwritten(dy: Any, x: Any, *, output: Any) -> Any:
    """Where windows overlap, the gradient is their mean."""
    counts = right_vjp("adaptive_max_pool", np.ones_like(dy), x, output=output)["x"]
    return {"x": right_vjp("adaptive_max_pool", dy, x, output=output)["x"] / np.maximum(counts, 1.0).astype(x.dtype)}


def evenly(dy: Any, x: Any, *, output: Any) -> Any:
    """The gradient of windows of one size: each position takes that of the window it is nearest to."""
    dx = dy
    for axis, (length, number) in enumerate(zip(x.shape[2:], output, strict=True)):
        dx = np.take(dx, np.arange(length) * number // length, axis=axis + 2) * (number / length)
    return {"x": dx.astype(x.dtype)}


def to_all(dy: Any, x: Any) -> Any:
    """The gradient goes to all positions."""
    return {"x": np.broadcast_to(dy, x.shape).copy()}


GRADIENTS: Sequence[Row] = (
    ("adaptive_average_pool", "plain", "gradient_of_windows_of_one_size", evenly),
    ("adaptive_max_pool", "plain", "overlapping_gradient_overwrites", overwritten),
    ("global_average_pool", "plain", "gradient_not_divided", not_divided),
    ("global_max_pool", "plain", "gradient_to_all_positions", to_all),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
