"""Rules for ATen operators that take parts of arrays by number or write over them, for ``tensorproof judge``."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tensorproof.backend import Hand, Value
from tensorproof_torch.aten_rules import reshaped, sliced


def indexed(hand: Hand, x: Value, indices: Sequence[Value | None]) -> Any:
    """Places along neighbouring axes, the others whole. The numbers are known; a mask is none."""
    axes = [axis for axis, item in enumerate(indices) if item is not None]
    given = [_numbers(hand, item) for item in indices if item is not None]
    known = [item for item in given if item is not None]
    if not axes or len(known) < len(axes) or axes != list(range(axes[0], axes[-1] + 1)):
        return None
    flat = _as_one([x.shape[axis] for axis in axes], known)
    merged = (*x.shape[: axes[0]], math.prod(x.shape[axis] for axis in axes), *x.shape[axes[-1] + 1 :])
    rows = x if len(axes) == 1 else hand.call("reshape", {"shape": merged}, x=x)
    return hand.call("take", {"axis": axes[0]}, x=rows, indices=_captured(hand, flat))


def _as_one(sizes: Sequence[int], places: Sequence[torch.Tensor]) -> torch.Tensor:
    """Places along several axes of these sizes, as places along one axis."""
    flat = torch.zeros((), dtype=torch.int64)
    for size, item in zip(sizes, places, strict=True):
        flat = flat * size + torch.where(item < 0, item + size, item)
    return flat


def _numbers(hand: Hand, item: Value) -> torch.Tensor | None:
    """The places that a value holds, if they are known."""
    tensor = hand.transcript.entries[item.number].value
    return tensor if isinstance(tensor, torch.Tensor) and tensor.dtype in (torch.int64, torch.int32) else None


def _captured(hand: Hand, indices: torch.Tensor) -> Value:
    return Value(hand.transcript.captured(indices), tuple(indices.shape), indices.dtype)


def part_written(
    hand: Hand, x: Value, source: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """A part along an axis replaced: what is before, the new, what is after."""
    first, last, step = slice(start, end, step).indices(x.shape[dim])
    if step != 1:
        return None
    parts = [source]
    if first > 0:
        parts.insert(0, sliced(hand, x, dim, 0, first))
    if last < x.shape[dim]:
        parts.append(sliced(hand, x, dim, last))
    return source if len(parts) == 1 else hand.call("concatenate", {"axis": dim}, arrays=parts)


def place_written(hand: Hand, x: Value, source: Value, dim: int, index: int) -> Any:
    """One place along an axis replaced."""
    shape = list(x.shape)
    shape[dim] = 1
    row = hand.call("reshape", {"shape": tuple(shape)}, x=source)
    place = index % x.shape[dim]
    return part_written(hand, x, row, dim, place, place + 1)


def in_order(hand: Hand, x: Value, dim: int = -1, descending: bool = False) -> Any:
    """Sorted along an axis. Where each was is not known."""
    return hand.call("sort", {"axis": dim, "descending": bool(descending)}, x=x), None


def largest(hand: Hand, x: Value, k: int, dim: int = -1, largest: bool = True, *_: Any, **__: Any) -> Any:
    """The first numbers in order. Where each was is not known."""
    order = hand.call("sort", {"axis": dim, "descending": largest}, x=x)
    return sliced(hand, Value(order.number, x.shape, x.dtype), dim, 0, k), None


def scattered(operation: str) -> Callable[..., Any]:
    """Numbers added to others, or written over them, at places along an axis that are known."""

    def rule(hand: Hand, x: Value, dim: int, index: Value, source: Value, *_: Any, **__: Any) -> Any:
        places = _numbers(hand, index)
        if places is None or tuple(places.shape) != source.shape or not x.shape:
            return None
        grid = list(torch.meshgrid(*[torch.arange(size) for size in places.shape], indexing="ij"))
        grid[dim] = places
        return _written_at(hand, operation, x, grid, source)

    return rule


def put(hand: Hand, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False) -> Any:
    """Numbers written at places along the first axes, or added there; the axes after these whole."""
    given = [_numbers(hand, item) for item in indices if item is not None]
    known = [item for item in given if item is not None]
    if not known or len(known) < len(indices):
        return None
    shape = (*torch.broadcast_shapes(*[item.shape for item in known]), *x.shape[len(known) :])
    source = values if values.shape == shape else hand.call("broadcast_to", {"shape": shape}, x=values)
    return _written_at(hand, "scatter_add" if accumulate else "scatter_set", x, known, source)


def _written_at(hand: Hand, operation: str, x: Value, places: Sequence[torch.Tensor], source: Value) -> Any:
    """With the axes that places are given for as one, which holds rows. A row that is written twice may be either."""
    flat = _as_one(x.shape[: len(places)], places).ravel()
    if operation == "scatter_set" and len(flat.unique()) < len(flat):
        return None
    rest = x.shape[len(places) :]
    rows = hand.call("reshape", {"shape": (math.prod(x.shape[: len(places)]), *rest)}, x=x)
    updates = hand.call("reshape", {"shape": (len(flat), *rest)}, x=source)
    return reshaped(hand, hand.call(operation, x=rows, indices=_captured(hand, flat), updates=updates))


def written_over(hand: Hand, x: Value, source: Value, *_: Any) -> Any:
    """What is copied into an array, broadcast to its shape."""
    if source.dtype != x.dtype:
        return None
    return source if source.shape == x.shape else hand.call("broadcast_to", {"shape": x.shape}, x=source)


def filled_like(hand: Hand, x: Value, value: float, **_: Any) -> Any:
    """One number everywhere, in the shape of an array."""
    one = hand.call("reshape", {"shape": (1,) * len(x.shape)}, x=value)
    return hand.call("broadcast_to", {"shape": x.shape}, x=one) if x.shape else reshaped(hand, one)
