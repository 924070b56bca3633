"""Records: one NDJSON file per run. A header, a line per check appended as it ends, and a closing line.

A run that was killed lacks the closing line and loses at most the check in flight. Reading a record runs no code. Nothing in it
names the host, the user or a folder; ``record.schema.json`` lists all that is.
"""

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError

FORMAT = 1
"""The version of the record's format; rises when a reader of the old one would misread the new one."""


def machine() -> dict[str, Any]:
    """What is recorded of the machine: kind and count of processors, system, Python."""
    return {
        "system": platform.system(),
        "release": platform.release().split("-")[0],
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "threads": {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NPROC") if name in os.environ},
    }


def _processor() -> str:
    if sys.platform == "linux":
        try:
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return platform.processor()
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


@dataclass
class Record:
    """A record as read."""

    header: dict[str, Any]
    checks: list[dict[str, Any]]
    end: dict[str, Any] | None = None
    """The closing line; ``None`` if the run was killed."""
    name: str = ""
    notes: list[str] = field(default_factory=list)
    """What was odd: a torn last line."""

    @property
    def complete(self) -> bool:
        """Whether the run ended by itself and made every check it planned."""
        return self.end is not None and len(self.checks) >= int(self.header.get("planned", 0))


def check_key(check: Mapping[str, Any]) -> str:
    """A check's identity across runs: ``forward[eager-softmax-plain_rows-float32]``."""
    return f"{check['check']}[{check['mode']}-{check['operation']}-{check['sample']}-{check['dtype']}]"


def write_line(file: Any, line: Mapping[str, Any]) -> None:
    """Append one line and hand it to the system, so that a kill of this process loses nothing."""
    file.write(json.dumps(line, allow_nan=False, separators=(",", ":"), ensure_ascii=False) + "\n")
    file.flush()


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        UsageError: it cannot be read, is no record, or was written by a newer version.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"record {path.name}: cannot be read: {reason}") from None
    record = Record({}, [], name=path.name)
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
            kind = line["kind"]
        except (ValueError, KeyError, TypeError, RecursionError):
            if number == len(lines) and number > 1:
                record.notes.append("the last line is torn: the run was killed while writing it")
                break
            raise UsageError(f"record {path.name}: line {number} is no line of a record") from None
        if number == 1:
            _check_header(path, line)
            record.header = line
        elif kind == "check":
            record.checks.append(line)
        elif kind == "end":
            record.end = line
    if not record.header:
        raise UsageError(f"record {path.name}: the file is empty")
    return record


def _check_header(path: Path, line: Mapping[str, Any]) -> None:
    if line["kind"] != "run" or not isinstance(line.get("format"), int):
        raise UsageError(f"record {path.name}: the first line is no header of a run")
    if line["format"] > FORMAT:
        raise UsageError(
            f"record {path.name}: written in format {line['format']}, this tensorproof reads up to {FORMAT}; upgrade tensorproof"
        )
