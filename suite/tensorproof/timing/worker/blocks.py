"""The innermost loops: nothing stands between two readings of the clock but the calls and the wait for their results."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from time import perf_counter_ns, process_time_ns  # bound before any framework is imported, which may replace those of time
from typing import Any

import numpy as np

from tensorproof.timing.resources import flush_bytes, minor_faults

Call = Callable[..., Any]
Wait = Callable[[Any], None]
Sets = Sequence[tuple[Any, ...]]
"""Arguments to rotate through, so that no call can return what an earlier one computed."""


def throughput(call: Call, sets: Sets, calls: int, first: int, wait: Wait, kept: list[Any]) -> int:
    """``calls`` calls and one wait, in ns. The last result is left in ``kept``, at the place of its set of arguments.

    Results before it are let go at once, as ``timeit`` does: a result that lives on makes the next call write to other memory.
    The rotation is an iterator: a list of arguments made just before the clock starts made JAX's small calls up to 10 % slower.
    """
    count = len(sets)
    first %= count
    place = (first + calls - 1) % count
    schedule, last = islice(cycle(sets), first, first + calls - 1), sets[place]
    start = perf_counter_ns()
    for arguments in schedule:
        call(*arguments)
    result = call(*last)
    wait(result)
    spent = perf_counter_ns() - start
    kept[place] = result
    return spent


def latencies(call: Call, sets: Sets, calls: int, first: int, wait: Wait, kept: list[Any]) -> list[int]:
    """Each of ``calls`` calls from the host to the result ready, in ns; the last result is left in ``kept``."""
    count = len(sets)
    samples = []
    result = None
    for place in range(first, first + calls):
        arguments = sets[place % count]
        start = perf_counter_ns()
        result = call(*arguments)
        wait(result)
        samples.append(perf_counter_ns() - start)
    kept[(first + calls - 1) % count] = result
    return samples


def cold_latencies(call: Call, sets: Sets, calls: int, flush: Callable[[], Any], wait: Wait, kept: list[Any]) -> list[int]:
    """Like ``latencies``, but the caches are emptied before each call."""
    samples = []
    for place in range(calls):
        wait((flush(),))
        samples += latencies(call, sets, 1, place, wait, kept)
    return samples


def host_flusher() -> Callable[[], None]:
    """What writes more of the host's memory than its caches hold."""
    buffer = np.zeros(flush_bytes() // 8)

    def flush() -> None:
        np.add(buffer, 1.0, out=buffer)

    return flush


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Usage:
    """What the process used between entering and leaving: time on the wall and on all cores in ns, and minor page faults."""

    wall_ns = cpu_ns = 0
    faults: int | None = None

    def __enter__(self) -> "Usage":
        self._faults = minor_faults()
        self._cpu = process_time_ns()
        self._wall = perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_ns = perf_counter_ns() - self._wall
        self.cpu_ns = process_time_ns() - self._cpu
        after = minor_faults()
        self.faults = None if after is None or self._faults is None else after - self._faults
