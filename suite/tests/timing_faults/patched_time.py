"""A backend that replaces the clocks of the module ``time`` by ones that stand still, when it is loaded.

Not when this file is imported, which pytest does where it looks for doctests.
"""

import time
from collections.abc import Callable
from typing import Any

from tensorproof.backend import Backend, hookimpl
from timing_faults import shortened
from timing_faults.slipshod import Slipshod


def _still(answer: Any) -> Callable[[], Any]:
    return lambda: answer


def replace_clocks() -> None:
    """Let them stand still, in this whole process."""
    for name in ("perf_counter", "monotonic", "process_time", "thread_time", "time"):
        setattr(time, name, _still(0.0))
        setattr(time, f"{name}_ns", _still(0))


class PatchedTime(Slipshod):
    """Right otherwise."""

    name = "patched_time"


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    replace_clocks()
    shortened.shorten()
    return PatchedTime()
