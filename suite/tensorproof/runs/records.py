"""Records: one NDJSON file per run. A header, a line per check appended as it ends, and a closing line.

A run that was killed lacks the closing line and loses at most the check in flight. Reading a record runs no code. Nothing in it
names the host, the user or a folder; ``record.schema.json`` lists all that is.
"""

import os
import platform
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.lines.reading import name_of, read_lines, require_counts, require_each_once
from tensorproof.lines.schema import Schema

FORMAT = 2
"""The version of the record's format; rises when a reader of the old one would misread the new one."""
SCHEMA = Schema("tensorproof.runs", "record.schema.json", "record", first="run", format=FORMAT, last="end")


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
    again: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By check, what came of it when it was made again in a process of its own."""
    notes: list[str] = field(default_factory=list)
    """What was odd: a torn last line."""

    @property
    def complete(self) -> bool:
        """Whether the run ended by itself and made every check it planned."""
        return self.end is not None and len(self.checks) >= int(self.header["planned"])


def check_key(check: Mapping[str, Any]) -> str:
    """A check's identity across runs: ``forward[eager-softmax-plain_rows-float32]``."""
    return f"{check['check']}[{check['mode']}-{check['operation']}-{check['sample']}-{check['dtype']}]"


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        UsageError: it cannot be read, is no record, was written by a newer version, or its lines do not fit each other.
    """
    found = read_lines(path, SCHEMA)
    record = Record(found.values[0], [], name=name_of(path), notes=found.notes)
    require_each_once(f"record {record.name}", found.values, lambda line: check_key(line) if line["kind"] == "check" else None)
    for line in found.values[1:]:
        if line["kind"] == "check":
            record.checks.append(line)
        elif line["kind"] == "again":
            record.again[line["check"]] = line
        elif line["kind"] == "end":
            record.end = line
    require_counts(f"record {record.name}", "checks", record.end, counts_of(record))
    return record


def counts_of(record: Record) -> dict[str, int]:
    """How many checks have each status; those that were planned and have no line are not run."""
    counts = Counter(str(check["status"]) for check in record.checks)
    missing = int(record.header["planned"]) - len(record.checks)
    if missing > 0:
        counts["not_run"] += missing
    return dict(counts)
