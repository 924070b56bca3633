"""Evaluation with error bars that goes both ways where a branch lies near: bars that hold for either side.

Outside of ``either_way``, nothing here is in force: a branch is taken by the values.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference.errorbars.rules import Barred, Floats, bar_of, value_of

DIVIDING = {np.divide: 1, np.reciprocal: 0, np.power: 0, np.float_power: 0, np.remainder: 1}
"""Functions with a pole, or another shape, where this argument is 0."""
LOGICAL = (np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.bitwise_and, np.bitwise_or, np.invert)
"""What doubtful conditions may meet in."""

_reaches: list[float] = []


class Undecided(Exception):
    """A branch lies near of which both sides cannot be followed."""


@contextmanager
def either_way(reach: float) -> Iterator[None]:
    """Let the bars of what is evaluated inside hold for both sides of each branch that is at most ``reach`` bars away.

    Followed are ``maximum``, ``minimum``, ``max``, ``min``, ``clip``, ``sign``, rounding to integers, and comparisons that
    end in ``where``. Anything else that lies near raises ``Undecided``.
    """
    _reaches.append(reach)
    try:
        yield
    finally:
        _reaches.pop()


def is_either_way() -> bool:
    """Whether both sides are to be followed."""
    return bool(_reaches)


def near(difference: Floats, bar: Floats) -> NDArray[np.bool_]:
    """Which branches may go the other way; none outside of ``either_way``."""
    if not _reaches:
        return np.zeros(np.broadcast_shapes(np.shape(difference), np.shape(bar)), np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray((bar > 0) & (np.abs(difference) <= _reaches[-1] * bar))


def at_the_ends(ufunc: np.ufunc, inputs: Sequence[Any], value: Floats, bar: Floats) -> tuple[Floats, Floats]:
    """A value, with a bar of which as many as ``either_way`` reaches hold at both ends of what each argument may be.

    A bar is a slope times the bars of the arguments. Where a function bends, as an exponential does, ten bars are not ten times
    one.

    Raises:
        Undecided: a divisor may be 0, or the value is finite and one at an end is not.
    """
    reach = _reaches[-1]
    divisor = DIVIDING.get(ufunc)
    if divisor is not None and near(value_of(inputs[divisor]), bar_of(inputs[divisor])).any():
        raise Undecided
    moved = [place for place, item in enumerate(inputs) if isinstance(item, Barred) and item.bar.any()]
    for signs in itertools.product((-reach, reach), repeat=len(moved)):
        ends = [value_of(item) for item in inputs]
        for place, sign in zip(moved, signs, strict=True):
            ends[place] = ends[place] + sign * bar_of(inputs[place])
        with np.errstate(all="ignore"):
            bar = np.fmax(bar, _distance(ufunc(*ends), value, bar > 0) / reach)
    return value, bar


def _distance(one: Floats, other: Floats, asked: NDArray[np.bool_]) -> Floats:
    """How far numbers are from each other where it is asked, and else 0. No bar spans from a finite number to what is none.

    Raises:
        Undecided: one of a pair is finite, and the other is not; or they are infinities or NaN that differ.
    """
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    finite = np.isfinite(one) & np.isfinite(other)
    if np.any(asked & ~alike & ~finite):
        raise Undecided
    with np.errstate(invalid="ignore"):
        return np.where(asked & ~alike, np.abs(one - other), 0.0)


def of_either(condition: "Doubtful", x: Any, y: Any, bar: Floats) -> Floats:
    """The bars of what a condition chooses; where it is in doubt, of both: the distance between them, and the larger bar.

    Raises:
        Undecided: one of the two is not finite there.
    """
    apart = _distance(value_of(x), value_of(y), condition.doubt)
    return np.where(apart > 0, apart + np.maximum(bar_of(x), bar_of(y)), bar)


class Doubtful(np.lib.mixins.NDArrayOperatorsMixin):
    """A boolean array, of which elements that are in doubt may be the other way. ``np.where`` takes it, and ``LOGICAL`` do."""

    def __init__(self, value: NDArray[np.bool_], doubt: NDArray[np.bool_]) -> None:
        self.value = value
        self.doubt = doubt
        self.shape = value.shape
        self.ndim = value.ndim
        self.size = value.size
        self.dtype = value.dtype

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Undecided

    def __bool__(self) -> NoReturn:
        raise Undecided

    def __getattr__(self, name: str) -> NoReturn:
        raise Undecided

    def __getitem__(self, key: Any) -> NoReturn:
        raise Undecided

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> "Doubtful":
        if ufunc not in LOGICAL or method != "__call__" or kwargs:
            raise Undecided
        value = ufunc(*[settled(item) for item in inputs])
        doubt = np.zeros(value.shape, np.bool_)
        for item in inputs:
            if isinstance(item, Doubtful):
                doubt = doubt | item.doubt
        return Doubtful(value, doubt)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        # An array with error bars, where there is one, does this.
        if function is np.where and len(types) > 1:
            return NotImplemented
        raise Undecided


def settled(condition: Any) -> Any:
    """A condition without its doubt."""
    return condition.value if isinstance(condition, Doubtful) else condition
