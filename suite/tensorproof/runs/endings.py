"""What ended a worker process that was to make a check: a hang, want of memory, or a crash."""

import subprocess
from typing import Any


def end_of_worker(node: Any, elapsed: float, timeout: float) -> tuple[str, str]:
    """The status of the check that xdist's worker ``node`` was at for ``elapsed`` seconds, and its message."""
    try:
        code = node.gateway._io.popen.wait(timeout=10)  # execnet has no public way to ask
    except (AttributeError, OSError, subprocess.TimeoutExpired):
        code = None
    if code == 1 and elapsed >= timeout:
        return "timed_out", f"still running after {timeout:g} s"
    if code == -9:
        return "out_of_memory", "the process was killed (signal 9), as the system does when memory runs out"
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return "crashed", f"the process ended ({how})"
