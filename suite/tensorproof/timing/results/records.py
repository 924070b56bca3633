"""Records of timings: one NDJSON file per run. A header, the machine's limits, then the lines of each group as it ends.

The conventions are those of ``tensorproof.runs.records``: lines are appended and handed to the system at once, a run that
was killed lacks its last line, reading one runs no code, and nothing in it names the host, the user or a folder.
``timing_record.schema.json`` lists all that is in one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError

FORMAT = 1
METHOD = 2
"""How time is measured; rises when the same program on the same machine would read otherwise. Histories of two methods are not
compared. 2: parts of a block last 1 ms, before 0.25 ms."""
KIND = "timing_run"

STATUSES = ("measured", "unsupported", "error", "crashed", "timed_out", "out_of_memory", "not_run")


@dataclass
class TimingRecord:
    """A record of timings as read."""

    header: dict[str, Any]
    limits: dict[str, Any] | None = None
    """The machine's limits and the run's resolution; ``None`` if the run was killed before they were measured."""
    timings: list[dict[str, Any]] = field(default_factory=list)
    duels: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] | None = None
    name: str = ""
    notes: list[str] = field(default_factory=list)
    """What was odd: a torn last line."""

    @property
    def complete(self) -> bool:
        """Whether the run ended by itself with a line for every series that it planned."""
        return self.end is not None and len(self.timings) >= int(self.header.get("planned", 0))


def line_key(line: Mapping[str, Any]) -> tuple[str, ...]:
    """What identifies the series of a line."""
    return tuple(str(line[name]) for name in ("operation", "workload", "direction", "dtype", "contender"))


def is_timing_record(path: Path) -> bool:
    """Whether a file begins like a record of timings."""
    try:
        with path.open(encoding="utf-8") as file:
            line = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(line, dict) and line.get("kind") == KIND


def _lines(path: Path, record: TimingRecord) -> Iterator[dict[str, Any]]:
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"record {path.name}: cannot be read: {reason}") from None
    if texts[-1]:
        record.notes.append("the last line is torn: the run was killed while writing it")
    for number, text in enumerate(texts[:-1], start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
            raise UsageError(f"record {path.name}: line {number} is no line of a record")
        yield line


def read_timing_record(path: Path) -> TimingRecord:
    """Read a record of timings.

    Raises:
        UsageError: it cannot be read, is no record of timings, or was written by a newer version.
    """
    record = TimingRecord({}, name=path.name)
    for line in _lines(path, record):
        kind = line["kind"]
        if not record.header:
            _check_header(path, line)
            record.header = line
        elif kind == "machine_limits":
            record.limits = line
        elif kind == "timing":
            record.timings.append(line)
        elif kind == "duel":
            record.duels.append(line)
        elif kind == "end":
            record.end = line
    if not record.header:
        raise UsageError(f"record {path.name}: the file is empty")
    return record


def _check_header(path: Path, line: dict[str, Any]) -> None:
    if line["kind"] != KIND or not isinstance(line.get("format"), int):
        raise UsageError(f"record {path.name}: the first line is no header of a run of timings")
    if line["format"] > FORMAT:
        raise UsageError(
            f"record {path.name}: written in format {line['format']}, this tensorproof reads up to {FORMAT}; upgrade tensorproof"
        )
