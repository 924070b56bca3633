"""Checks of arguments: each raises ``ValueError`` naming the argument, what was expected and what came."""

from collections.abc import Iterable
from typing import Any

from tensorproof_reference.trees import Array

COUNTS = {1: "a tuple of one integer", 2: "two integers", 3: "three integers"}


def require(condition: bool, argument: str, expected: str, got: object) -> None:
    """Raise ``ValueError`` unless the condition holds.

    >>> require(False, "stride", "two positive integers", (0, 1))
    Traceback (most recent call last):
    ...
    ValueError: stride: expected two positive integers, got (0, 1)
    """
    if not condition:
        raise ValueError(f"{argument}: expected {expected}, got {got!r}")


def require_choice(value: Any, argument: str, choices: Iterable[Any]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    choices = list(choices)
    require(value in choices, argument, "one of " + ", ".join(map(repr, choices)), value)


def require_rank(array: Array, argument: str, rank: int) -> None:
    """Raise ``ValueError`` unless the array has ``rank`` axes."""
    require(array.ndim == rank, argument, f"an array with {rank} axes", f"shape {array.shape}")


def require_shape(array: Array, argument: str, shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless the array has this shape."""
    require(tuple(array.shape) == tuple(shape), argument, f"shape {tuple(shape)}", f"shape {tuple(array.shape)}")


def require_broadcast(array: Array, argument: str, shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless the array broadcasts to this shape."""
    sizes = zip(array.shape[::-1], shape[::-1], strict=False)
    fits = array.ndim <= len(shape) and all(size in (1, whole) for size, whole in sizes)
    require(fits, argument, f"a shape that broadcasts to {shape}", f"shape {array.shape}")


def require_axis(array: Array, argument: str, axis: int) -> None:
    """Raise ``ValueError`` unless ``axis`` is an axis of the array, counted from either end."""
    require(isinstance(axis, int) and -array.ndim <= axis < array.ndim, argument, f"an axis of {array.ndim}", axis)


def require_last_axes(x: Array, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of ``x`` along ``axes``, or raise ``ValueError`` unless these are its last ones and something is along them."""
    counted = sorted(axis + x.ndim if axis < 0 else axis for axis in axes)
    trailing = list(range(x.ndim - len(axes), x.ndim))
    require(0 < len(axes) <= x.ndim and counted == trailing, "axes", f"last axes of the {x.ndim} of x", axes)
    shape = tuple(x.shape[axis] for axis in trailing)
    require(0 not in shape, "x", "at least one value along axes", f"shape {x.shape}")
    return shape


def require_numbers(value: Any, argument: str, least: int, count: int) -> tuple[int, ...]:
    """So many integers of at least ``least``, or raise ``ValueError``."""
    valid = (
        isinstance(value, tuple | list)
        and len(value) == count
        and all(isinstance(item, int) and not isinstance(item, bool) and item >= least for item in value)
    )
    require(valid, argument, f"{COUNTS[count]} of at least {least}", value)
    return tuple(int(item) for item in value)


def require_pair(value: Any, argument: str, least: int) -> tuple[int, int]:
    """Two integers of at least ``least``, or raise ``ValueError``."""
    first, second = require_numbers(value, argument, least, 2)
    return first, second
