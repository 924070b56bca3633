"""How close an evaluation with error bars comes to taking another branch: bars do not see a branch flip."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from tensorproof_reference.errorbars.doubt import Undecided, is_either_way, near
from tensorproof_reference.errorbars.rules import Floats


@dataclass
class Closest:
    """The smallest distances, in bars, from what would have decided otherwise; infinite where everything decided is exact."""

    comparison: float = np.inf
    """Over comparisons, signs, and the positions of largest, smallest and sorted elements: results jump at these."""
    selection: float = np.inf
    """Over maxima, minima, clipping and absolute values: results are continuous there, but have a kink."""


_watching: list[Closest] = []


@contextmanager
def closest_branch() -> Iterator[Closest]:
    """Record how close the evaluations inside come to a branch.

    Equality counts where the two sides differ, since an element often meets itself (``x == np.max(x)``).
    """
    closest = Closest()
    _watching.append(closest)
    try:
        yield closest
    finally:
        _watching.remove(closest)


def watched() -> bool:
    """Whether anyone is recording, or wants both sides."""
    return bool(_watching) or is_either_way()


def note_comparison(difference: Floats, bar: Floats) -> None:
    """Record the differences, with their bars, by which a result was decided."""
    distance = _smallest(difference, bar)
    for closest in _watching:
        closest.comparison = min(closest.comparison, distance)


def note_jump(difference: Floats, bar: Floats) -> None:
    """Record the differences by which something was decided of which both sides cannot be followed.

    Raises:
        Undecided: one lies near, and both sides are wanted.
    """
    note_comparison(difference, bar)
    if near(difference, bar).any():
        raise Undecided


def note_selection(difference: Floats, bar: Floats) -> None:
    """Record the differences, with their bars, by which an operand was chosen."""
    distance = _smallest(difference, bar)
    for closest in _watching:
        closest.selection = min(closest.selection, distance)


def _smallest(difference: Floats, bar: Floats) -> float:
    difference, bar = np.broadcast_arrays(difference, bar)
    uncertain = (bar > 0) & np.isfinite(difference)
    if not uncertain.any():
        return np.inf
    return float(np.min(np.abs(difference[uncertain]) / bar[uncertain]))


def rivals(value: Floats, bar: Floats, axis: int, largest: bool) -> tuple[Floats, Floats]:
    """Along an axis, by how much the other elements miss being the largest (or smallest), and the bars of that."""
    order = np.argmax(value, axis=axis) if largest else np.argmin(value, axis=axis)
    chosen = np.expand_dims(order, axis)
    difference = np.take_along_axis(value, chosen, axis) - value
    error = np.hypot(np.take_along_axis(bar, chosen, axis), bar)
    others = np.ones(value.shape, np.bool_)
    np.put_along_axis(others, chosen, False, axis)
    return difference, np.where(others, error, 0.0)


def neighbours(value: Floats, bar: Floats, axis: int) -> tuple[Floats, Floats]:
    """Along a sorted axis, the differences of neighbours, and the bars of these."""
    value, bar = np.moveaxis(value, axis, -1), np.moveaxis(bar, axis, -1)
    return value[..., 1:] - value[..., :-1], np.hypot(bar[..., 1:], bar[..., :-1])
