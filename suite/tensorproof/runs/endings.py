"""What ended a worker process that was to make a check: a hang, want of memory, or a crash."""

import re
import subprocess
from pathlib import Path
from typing import Any

OURS = ("tensorproof/conformance/", "tensorproof/contract/")
"""What called the plugin; the frames beyond it are of no use to the plugin's author."""
_FRAME = re.compile(r'  File "(?P<path>[^"]*)", line (?P<line>\d+) in (?P<name>.*)')
SHOWN = 12


def frames_of_dump(text: str) -> str:
    """The frames of the plugin and its framework in what ``faulthandler`` wrote, the innermost first; empty if there are none.

    Of several threads it takes the one that was at a check.
    """
    threads = re.split(r"(?m)^(?:Current thread|Thread) .*$", text)[1:]
    at_check = next((thread for thread in threads if any(name in thread for name in OURS)), threads[0] if threads else "")
    lines = []
    for found in _FRAME.finditer(at_check):
        path = Path(found["path"])
        if any(name in path.as_posix() for name in OURS):
            break
        lines.append(f"  {path.parent.name}/{path.name}:{found['line']} in {found['name']}")
    return "\n".join(lines[:SHOWN])


def timer_fired(dump: str) -> bool:
    """Whether what ``faulthandler`` wrote was written because time was up."""
    return re.search(r"(?m)^Timeout \(", dump) is not None


def end_of_worker(node: Any, elapsed: float, timeout: float, dump: str = "") -> tuple[str, str]:
    """The status of the check that xdist's worker ``node`` was at for ``elapsed`` seconds, and its message.

    Where the process died by a signal at its time limit, the check is timed out, and the message tells both.
    """
    try:
        code = node.gateway._io.popen.wait(timeout=10)  # execnet has no public way to ask
    except (AttributeError, OSError, subprocess.TimeoutExpired):
        code = None
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    if elapsed >= timeout or timer_fired(dump):
        also = "" if code == 1 else f"; the process ended at that time ({how})"
        return "timed_out", f"still running after {timeout:g} s{also}"
    if code == -9:
        return "out_of_memory", "the process was killed (signal 9), as the system does when memory runs out"
    return "crashed", f"the process ended ({how})" if code is not None else "the process runs, and is not heard from any more"
