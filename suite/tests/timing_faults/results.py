"""Results that are not there yet, as frameworks return them: handles on work that is queued, or that nobody has begun."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Arrays = tuple[tuple[Any, ...], ...]
"""What a call returns: outputs, other outputs, and gradients if there are any; each a tuple."""

QUEUE = ThreadPoolExecutor(1)
"""Where queued work is done, one call after the other, as on a device's stream."""
OTHER_QUEUE = ThreadPoolExecutor(1)
"""A stream on which nothing ever happens."""


class Handle:
    """One array of a call's results. ``wait`` returns when it is there."""

    def __init__(self, results: Callable[[], Arrays], group: int, place: int) -> None:
        self._results = results
        self._group = group
        self._place = place

    def array(self) -> Any:
        """The array; only when this returns is it certain that it is there."""
        return self._results()[self._group][self._place]

    def wait(self) -> None:
        """As it should be."""
        self.array()


class NotWaitedFor(Handle):
    """Waiting for it does nothing."""

    def wait(self) -> None:
        """Return at once."""


class OfAnotherQueue(Handle):
    """Waiting for it waits for another queue than the one that computes it."""

    def wait(self) -> None:
        """Wait, for nothing."""
        OTHER_QUEUE.submit(lambda: None).result()


def handles(kind: type[Handle], results: Callable[[], Arrays], like: Sequence[int]) -> Arrays:
    """Handles on results in groups of so many arrays."""
    return tuple(tuple(kind(results, group, place) for place in range(count)) for group, count in enumerate(like))


def queued(call: Callable[..., Arrays], arguments: Arrays) -> Callable[[], Arrays]:
    """Begin a call behind those that were begun before it."""
    future: Future[Arrays] = QUEUE.submit(call, *arguments)
    return future.result


def shape_of(arguments: Arrays) -> list[int]:
    """How many arrays a call of a function of one output returns in each group."""
    return [1, 0] if len(arguments) == 2 else [1, 0, len(arguments[0])]
