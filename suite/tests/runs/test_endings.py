"""What ended a worker: at its time limit a check is timed out, whatever the process died of."""

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from tensorproof.runs.endings import end_of_worker, timer_fired

FIRED = "Timeout (0:00:04)!\nThread 0x1 (most recent call first):\n"
SEGFAULT = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"


def ended(code: int | None) -> Any:
    """A worker of xdist whose process ended so; ``None`` for one that goes on."""

    def wait(timeout: float) -> int:
        if code is None:
            raise subprocess.TimeoutExpired("worker", timeout)
        return code

    popen = SimpleNamespace(wait=wait)
    return SimpleNamespace(gateway=SimpleNamespace(_io=SimpleNamespace(popen=popen)))


@pytest.mark.parametrize(
    ("code", "elapsed", "dump", "status", "words"),
    [
        (1, 4.1, FIRED, "timed_out", ["still running after 4 s"]),
        (1, 3.9, FIRED, "timed_out", ["still running after 4 s"]),
        (-11, 4.2, "", "timed_out", ["still running after 4 s", "signal 11"]),
        (-6, 3.9, FIRED, "timed_out", ["still running after 4 s", "signal 6"]),
        (-9, 4.6, "", "timed_out", ["still running after 4 s", "signal 9"]),
        (-11, 1.0, SEGFAULT, "crashed", ["signal 11"]),
        (-9, 1.0, "", "out_of_memory", ["signal 9"]),
        (1, 1.0, "", "crashed", ["exit code 1"]),
        (None, 1.0, "", "crashed", ["runs, and is not heard from"]),
    ],
)
def test_the_time_limit_comes_before_the_signal_and_both_are_told(code, elapsed, dump, status, words):
    found, message = end_of_worker(ended(code), elapsed, 4.0, dump)
    assert found == status
    assert all(word in message for word in words)
    assert ("still running" in message) is (status == "timed_out")


def test_a_dump_of_a_crash_is_no_sign_of_the_timer():
    assert timer_fired(FIRED)
    assert not timer_fired(SEGFAULT + '  File "Timeout (x.py", line 1 in f\n')
