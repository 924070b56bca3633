"""Where a value or gradient of the reference decides nothing: beyond a range, at a pole, at the end of a domain, on a kink."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.findings import SAFE_DISTANCE
from tensorproof.programs.program import Node, Program
from tensorproof_reference.errorbars.array import ErrorBars
from tensorproof_reference.errorbars.rules import bar_of, value_of
from tensorproof_reference.trees import Array

EDGES: Mapping[str, tuple[str, float]] = {
    "log": ("x", 0.0),
    "log1p": ("x", -1.0),
    "sqrt": ("x", 0.0),
    "rsqrt": ("x", 0.0),
    "reciprocal": ("x", 0.0),
    "divide": ("b", 0.0),
    "power": ("a", 0.0),
}
"""Operations with a pole, or an end of what they are defined for: the argument, and where it is."""
PRODUCT = "reduce_prod"
"""Its partial products may be beyond the range that the product lies in."""
KINKED = ("abs", "maximum", "minimum", "reduce_max", "reduce_min")
"""Operations whose derivative at an exact tie frameworks choose differently, or in one way in eager mode and another compiled."""


def may_overflow(value: Array) -> bool:
    """Whether a number may be beyond the range of its dtype."""
    return isinstance(value, ErrorBars) and bool(np.any(beyond_range(value.value, value.bar, value.precision.fmax)))


def overflows_on_the_way(x: Array, axis: Any) -> bool:
    """Whether a product of some finite factors may be beyond the range of their dtype: in which order they come is free."""
    if not isinstance(x, ErrorBars):
        return False
    sizes = np.where(np.isfinite(x.value), np.abs(x.value), 1.0)
    powers = np.log2(np.maximum(sizes, 1.0))
    return bool(np.any(np.sum(powers, axis=axis) > np.log2(x.precision.fmax)))


def beyond_range(value: NDArray[Any], bar: NDArray[Any], fmax: float) -> NDArray[np.bool_]:
    """Which finite numbers may be larger than the largest of a dtype, by their bars."""
    with np.errstate(all="ignore"):
        return np.asarray(np.isfinite(value) & (np.abs(value) + SAFE_DISTANCE * bar > fmax))


def is_at_an_edge(node: Node, arguments: Mapping[str, Any]) -> bool:
    """Whether an argument that is not exact lies within ten bars of its operation's pole."""
    name, edge = EDGES[node.operation]
    value, bar = value_of(arguments[name]), bar_of(arguments[name])
    return bool(np.any((bar > 0) & (np.abs(value - edge) <= SAFE_DISTANCE * bar)))


def is_singular(program: Program, values: list[NDArray[Any]]) -> bool:
    """A mask of minus infinities is no singularity, nor what follows from it, unless that is NaN."""
    infinite = {number for number in range(len(program.inputs)) if not np.isfinite(values[number]).all()}
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        if infinite & set(node.numbers):
            infinite.add(number)
    tame = [value for number, value in enumerate(values) if number not in infinite]
    finite = all(np.isfinite(item).all() for item in tame)
    return not finite or any(np.isnan(value).any() for value in values)


def is_tied(node: Node, arguments: Mapping[str, Any]) -> bool:
    """Whether an element lies on the kink of an operation, by its bars."""
    given = list(arguments.values())
    if node.operation.startswith("reduce"):
        value = value_of(given[0]).ravel()
        return len(np.unique(value)) < value.size
    one, other = (given[0], 0.0) if len(given) == 1 else given
    difference = value_of(one) - value_of(other)
    bars = np.hypot(bar_of(one), bar_of(other)) if len(given) > 1 else bar_of(one)
    return bool(np.any(np.abs(difference) <= SAFE_DISTANCE * bars))
