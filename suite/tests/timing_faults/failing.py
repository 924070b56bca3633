"""A backend whose modes fail, each in its own way and at a stage of its own; ``eager`` and ``steady`` are right."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from tensorproof.backend import Backend, Function, hookimpl
from tensorproof_numpy import NumpyBackend
from timing_faults import shortened

STAGES = ("prepare", "warm_up", "block", "audit")
MODULES = ("tensorproof.timing.worker.prepared", "tensorproof.timing.worker.audit")
"""Where their functions are."""
BLOCK = 3
"""The round in which the stage ``block`` fails."""


def abort() -> None:
    """As an assertion in C does."""
    os.abort()


def exits() -> None:
    """As a library does that thinks that it is a program."""
    sys.exit(3)


def killed() -> None:
    """As the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def memory_error() -> None:
    """As Python does when memory runs out."""
    raise MemoryError("no more")


def raises() -> None:
    """An error like any other."""
    raise RuntimeError("no kernel for this")


def hangs() -> None:
    """A deadlock."""
    time.sleep(600.0)


def prints() -> None:
    """To standard output, as Python, the system and C know it; a line that could be an answer is among it."""
    print("a progress bar")
    print('{"call_ns": 0.0}', file=sys.__stdout__, flush=True)
    os.write(1, b'{"call_ns": 0.0}\n')
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)


ACTIONS: Mapping[str, Callable[[], None]] = {
    item.__name__: item for item in (abort, exits, killed, memory_error, raises, hangs, prints)
}


def stage() -> tuple[str, Any]:
    """The suite's function that this is called from, and its frame."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") in MODULES and frame.f_code.co_name in STAGES:
            return frame.f_code.co_name, frame
        frame = frame.f_back  # type: ignore[assignment]
    return "", None


class Failing(NumpyBackend):
    """NumPy, and a mode for each way to fail and each stage."""

    name = "failing"
    modes = {
        "eager": "all",
        "steady": "all",
        **{f"{action}_{when}": "all" for action, when in product(ACTIONS, STAGES)},
    }
    declarations = None

    def forward(self, function: Function, mode: str) -> Any:
        """The right function, which fails when its time has come."""
        call = super().forward(function, "eager")
        action, _, when = mode.rpartition("_")
        if mode.endswith("warm_up"):
            action, when = mode.removesuffix("_warm_up"), "warm_up"
        if action not in ACTIONS:
            return call
        last: list[Any] = [None]
        blocks = [0]

        def run(*arguments: Any) -> Any:
            found, frame = stage()
            if found == when and (when != "block" or _is_block(BLOCK, frame, last, blocks)):
                ACTIONS[action]()
            return call(*arguments)

        return run


def _is_block(number: int, frame: Any, last: list[Any], blocks: list[int]) -> bool:
    """Whether this is the first call of so many blocks: each has a frame of its own."""
    if frame is last[0]:
        return False
    last[0] = frame
    blocks[0] += 1
    return blocks[0] == number


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    shortened.shorten()
    return Failing()
