"""Which operation of the specification the primitives of a jaxpr are that take parts of arrays, for ``tensorproof judge``.

Indices are known numbers here: what depends on no floating array was computed before.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorproof.backend import Hand, Value


def turned(hand: Hand, x: Value, axes: tuple[int, ...]) -> Value:
    """The axes in another order."""
    return x if axes == tuple(range(len(axes))) else hand.call("permute", {"axes": axes}, x=x)


def back(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The order that undoes one.

    >>> back((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(axes.index(item) for item in range(len(axes)))


def sliced(hand: Hand, x: Value, *, start_indices: Any, limit_indices: Any, strides: Any, **_: Any) -> Value:
    """From a start to a limit of each axis."""
    step = tuple(map(int, strides)) if strides else (1,) * len(x.shape)
    return hand.call("strided_slice", {"start": tuple(start_indices), "stop": tuple(limit_indices), "step": step}, x=x)


def sliced_at_numbers(hand: Hand, x: Value, *starts: Any, slice_sizes: Any, **_: Any) -> Value | None:
    """From places that are moved so far that the part lies inside."""
    if not all(isinstance(start, float) for start in starts):
        return None
    inside = [max(0, min(int(at), size - part)) for at, size, part in zip(starts, x.shape, slice_sizes, strict=True)]
    ends = [at + part for at, part in zip(inside, slice_sizes, strict=True)]
    return sliced(hand, x, start_indices=inside, limit_indices=ends, strides=None)


def split(hand: Hand, x: Value, *, sizes: Any, axis: int, **_: Any) -> tuple[Value, ...]:
    """Parts one after the other along an axis."""
    parts, start = [], 0
    for size in map(int, sizes):
        low, high = [0] * len(x.shape), list(x.shape)
        low[axis], high[axis] = start, start + size
        parts.append(sliced(hand, x, start_indices=low, limit_indices=high, strides=None))
        start += size
    return tuple(parts)


def in_order(hand: Hand, x: Value, *, dimension: int, **_: Any) -> Value:
    """One array sorted along an axis."""
    return hand.call("sort", {"axis": dimension}, x=x)


def largest(hand: Hand, x: Value, *, k: int, axis: int = -1, **_: Any) -> tuple[Value, None]:
    """The first numbers in falling order. Where each was is not known."""
    order = hand.call("sort", {"axis": axis, "descending": True}, x=x)
    ends = list(x.shape)
    ends[axis] = k
    return sliced(hand, order, start_indices=[0] * len(ends), limit_indices=ends, strides=None), None


def gathered(hand: Hand, x: Value, places: Value, *, dimension_numbers: Any, slice_sizes: Any, **_: Any) -> Value | None:
    """Places along neighbouring axes, the others whole; or places along one axis, other ones for each row of the others."""
    indices = np.asarray(hand.transcript.entries[places.number].value)
    axes = tuple(dimension_numbers.start_index_map)
    if axes != tuple(dimension_numbers.collapsed_slice_dims) or axes != tuple(range(axes[0], axes[0] + len(axes))):
        return None
    if any(size != x.shape[axis] for axis, size in _whole(x, slice_sizes, dimension_numbers, axes)):
        return None
    sizes = [x.shape[axis] for axis in axes]
    if ((indices < 0) | (indices >= sizes)).any():
        return None
    if dimension_numbers.operand_batching_dims:
        return _along(hand, x, indices[..., 0], dimension_numbers, axes[0]) if len(axes) == 1 else None
    batch, first = indices.ndim - 1, axes[0]
    if tuple(dimension_numbers.offset_dims) != (*range(first), *range(first + batch, len(hand.like.shape))):
        return None
    if len(axes) > 1:
        merged = (*x.shape[:first], int(np.prod(sizes)), *x.shape[first + len(axes) :])
        x = hand.call("reshape", {"shape": merged}, x=x)
    return hand.call(
        "take", {"axis": first}, x=x, indices=_captured(hand, np.ravel_multi_index(np.moveaxis(indices, -1, 0), sizes))
    )


def _whole(x: Value, slice_sizes: Any, numbers: Any, axes: Sequence[int]) -> list[tuple[int, int]]:
    """The axes that are neither indexed nor gone through one by one, with the sizes of slices there."""
    apart = (*axes, *numbers.operand_batching_dims)
    return [(axis, int(size)) for axis, size in enumerate(slice_sizes) if axis not in apart]


def _captured(hand: Hand, indices: Any) -> Value:
    given = np.asarray(indices, np.int32)
    return Value(hand.transcript.captured(given), given.shape, given.dtype)


def _along(hand: Hand, x: Value, indices: Any, numbers: Any, axis: int) -> Value | None:
    """Places along one axis. What is whole has the same places all along it."""
    batch = tuple(numbers.operand_batching_dims)
    held = sorted((*batch, axis))
    order = [held.index(item) for item in batch]
    others = tuple(item for item in range(len(x.shape)) if item not in held)
    if indices.ndim != len(held) or order != list(numbers.start_indices_batching_dims) or tuple(numbers.offset_dims) != others:
        return None
    shape = [1 if item in others else indices.shape[held.index(item)] for item in range(len(x.shape))]
    everywhere = np.broadcast_to(indices.reshape(shape), hand.like.shape)
    return hand.call("take_along_axis", {"axis": axis}, x=x, indices=_captured(hand, everywhere))


def scattered(operation: str, repeats: bool) -> Callable[..., Value | None]:
    """Slices added to places along one axis, or put there; ``repeats`` says whether a place may be named twice."""

    def rule(hand: Hand, x: Value, places: Value, updates: Value, *, dimension_numbers: Any, **_: Any) -> Value | None:
        indices = np.asarray(hand.transcript.entries[places.number].value)
        axes = tuple(dimension_numbers.scatter_dims_to_operand_dims)
        if len(axes) != 1 or axes != tuple(dimension_numbers.inserted_window_dims) or dimension_numbers.operand_batching_dims:
            return None
        flat, axis = indices.reshape(-1), axes[0]
        if ((flat < 0) | (flat >= x.shape[axis])).any() or not (repeats or len({*flat.tolist()}) == flat.size):
            return None
        others = tuple(item for item in range(len(x.shape)) if item != axis)
        window = tuple(dimension_numbers.update_window_dims)
        batch = tuple(item for item in range(len(updates.shape)) if item not in window)
        if any(updates.shape[item] != x.shape[other] for item, other in zip(window, others, strict=True)):
            return None
        rows = (flat.size, *(x.shape[item] for item in others))
        moved = turned(hand, updates, (*batch, *window))
        slices = hand.call("reshape", {"shape": rows}, x=moved)
        order = (axis, *others)
        found = hand.call(operation, x=turned(hand, x, order), indices=_captured(hand, flat), updates=slices)
        return turned(hand, found, back(order))

    return rule
