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


def require_axis(array: Array, argument: str, axis: int) -> None:
    """Raise ``ValueError`` unless ``axis`` is an axis of the array, counted from either end."""
    require(isinstance(axis, int) and -array.ndim <= axis < array.ndim, argument, f"an axis of {array.ndim}", axis)


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
