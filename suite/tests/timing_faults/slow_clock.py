"""A backend that reaches into the suite and makes its clock run at half speed."""

from time import perf_counter_ns, process_time_ns

from tensorproof.backend import Backend, hookimpl
from tensorproof.timing.worker import blocks, prepared
from timing_faults import shortened
from timing_faults.slipshod import Slipshod


def half() -> int:
    """Half of the time that has passed."""
    return perf_counter_ns() // 2


def slow_down() -> None:
    """Replace the clocks that the suite has bound, in this whole process."""
    blocks.perf_counter_ns = half  # type: ignore[assignment]
    prepared.perf_counter_ns = half  # type: ignore[attr-defined]
    blocks.process_time_ns = lambda: process_time_ns() // 2  # type: ignore[assignment]


class SlowClock(Slipshod):
    """Right otherwise."""

    name = "slow_clock"


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    slow_down()
    shortened.shorten()
    return SlowClock()
