"""Which operation of the specification the primitives of a jaxpr are that move windows, for ``tensorproof judge``."""

import math
from typing import Any

from tensorproof.backend import Hand, Value
from tensorproof_jax.lax_indexing import back, turned


def _pairs(padding: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(before), int(after)) for before, after in padding)


def _numbers(items: Any) -> tuple[int, ...]:
    return tuple(map(int, items))


def convolution(
    hand: Hand,
    x: Value,
    weight: Value,
    *,
    window_strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> Value | None:
    """Over one to three axes of positions, in any layout; no transposed one, and none whose padding crops."""
    rank = len(x.shape) - 2
    if rank not in (1, 2, 3) or batch_group_count != 1 or set(lhs_dilation) != {1} or min(map(min, padding)) < 0:
        return None
    if not x.dtype == weight.dtype == hand.like.dtype:
        return None
    images = turned(hand, x, _numbers(dimension_numbers.lhs_spec))
    kernels = turned(hand, weight, _numbers(dimension_numbers.rhs_spec))
    keywords = {
        "stride": _numbers(window_strides),
        "padding": _pairs(padding),
        "dilation": _numbers(rhs_dilation),
        "groups": int(feature_group_count),
    }
    found = hand.call(f"conv{rank}d", keywords, x=images, weight=kernels)
    return turned(hand, found, back(_numbers(dimension_numbers.out_spec)))


def max_pooled(hand: Hand, x: Value, **keywords: Any) -> Value | None:
    """The largest of each window."""
    return _pooled(hand, x, "max_pool", {}, **keywords)


def summed_windows(hand: Hand, x: Value, *, window_dimensions: Any, **keywords: Any) -> Value | None:
    """The sum of each window: its average, padding counted, times its size."""
    found = _pooled(hand, x, "average_pool", {"count_padding": True}, window_dimensions=window_dimensions, **keywords)
    return found and hand.call("multiply", a=found, b=float(math.prod(window_dimensions)))


def _pooled(
    hand: Hand,
    x: Value,
    operation: str,
    keywords: dict[str, Any],
    *,
    window_dimensions: Any,
    window_strides: Any,
    padding: Any,
    base_dilation: Any,
    window_dilation: Any,
    **_: Any,
) -> Value | None:
    """Two axes that no window moves along stand for examples and channels."""
    sides = _pairs(padding)
    rank = len(x.shape)
    still = [i for i in range(rank) if (window_dimensions[i], window_strides[i], sides[i]) == (1, 1, (0, 0))]
    if not 3 <= rank <= 5 or len(still) < 2 or {*base_dilation, *window_dilation} != {1}:
        return None
    moving = [axis for axis in range(rank) if axis not in still[:2]]
    window = {
        "window": tuple(int(window_dimensions[axis]) for axis in moving),
        "stride": tuple(int(window_strides[axis]) for axis in moving),
        "padding": tuple(sides[axis] for axis in moving),
    }
    axes = (*still[:2], *moving)
    found = hand.call(f"{operation}{len(moving)}d", {**window, **keywords}, x=turned(hand, x, axes))
    return turned(hand, found, back(axes))
