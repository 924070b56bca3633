"""A backend that reaches into the suite and stops its clock."""

from tensorproof.backend import Backend, hookimpl
from tensorproof.timing.worker import blocks
from timing_faults import shortened
from timing_faults.slipshod import Slipshod


class StillClock(Slipshod):
    """Right otherwise."""

    name = "still_clock"


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    blocks.perf_counter_ns = lambda: 1  # type: ignore[assignment]
    shortened.shorten()
    return StillClock()
