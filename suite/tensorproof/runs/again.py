"""Whether what fails fails alone: the smallest case of each cause, made again in a process of its own.

A result may depend on what ran before it in its process: a kept program, a reused buffer, a changed setting. Then the command
that reproduces one check shows nothing, and somebody looks in the wrong place. So a run says it.
"""

import contextlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.runs.causes.symptoms import BAD
from tensorproof.runs.records import check_key, read_record

LIMIT_S = 60.0
"""Seconds for all causes together; those that are left then are not tried."""


def made_again(causes: Sequence[Mapping[str, Any]], limit: float = LIMIT_S) -> Iterator[dict[str, Any]]:
    """A line of the record for the smallest case of each of these causes for which there is time.

    ``alone`` is the case's status in a new process. If it is not wrong there, ``among`` is its status in one that makes all
    checks of its operation, dtype and mode, by ``command``.
    """
    until = time.monotonic() + limit
    for cause in causes:
        key, command = cause["smallest"]["check"], shlex.split(cause["smallest"]["command"])
        alone = _status_of(key, command, until)
        if not alone:
            continue
        line = {"kind": "again", "check": key, "alone": alone, "among": "", "command": ""}
        if alone not in BAD:
            others = [word for word in command if not word.startswith(("--sample=", "--check="))]
            line |= {"among": _status_of(key, others, until), "command": shlex.join(others)}
        yield line


def _status_of(key: str, command: Sequence[str], until: float) -> str:
    """The status of a check in a run of its own by ``command``; nothing if it did not end by ``until``."""
    left = until - time.monotonic()
    if left <= 0:
        return ""
    with tempfile.TemporaryDirectory(prefix="tensorproof_") as folder:
        path = Path(folder) / "again.ndjson"
        words = [sys.executable, "-m", *command, f"--record={path}"]
        with contextlib.suppress(subprocess.TimeoutExpired, UsageError):
            subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=left)
            found = {check_key(check): str(check["status"]) for check in read_record(path).checks}
            return found.get(key, "")
    return ""
