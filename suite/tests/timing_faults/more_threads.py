"""A backend that keeps a second thread busy, tied to another core, whatever number of threads it is told to use."""

import contextlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from time import perf_counter
from typing import Any

from tensorproof.backend import Backend, Function, hookimpl
from timing_faults import shortened
from timing_faults.slipshod import Slipshod

WORK = bytes(1 << 20)
AWAKE_S = 0.005
"""How long the thread spins after a call, as those of OpenMP do, waiting for more to do."""


def take_a_core() -> None:
    """Tie this thread to the first core; workers are tied to the last ones."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # a core that this process must not use
            os.sched_setaffinity(0, {0})


POOL = ThreadPoolExecutor(1, initializer=take_a_core)


class MoreThreads(Slipshod):
    """Right otherwise: hashing stands for kernels that need no lock of the interpreter."""

    name = "more_threads"
    modes = {"eager": "all"}

    def __init__(self) -> None:
        self._until = 0.0
        self._spinning: Future[None] | None = None

    def _spin(self) -> None:
        while perf_counter() < self._until:
            sha256(WORK)

    def forward(self, function: Function, mode: str) -> Any:
        """The right function, beside much work on another thread."""
        call = super().forward(function, mode)

        def run(*arguments: Any) -> Any:
            self._until = perf_counter() + AWAKE_S
            if self._spinning is None or self._spinning.done():
                self._spinning = POOL.submit(self._spin)
            sha256(WORK)
            return call(*arguments)

        return run


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    shortened.shorten()
    return MoreThreads()
