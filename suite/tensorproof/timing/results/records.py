"""Records of timings: one NDJSON file per run. A header, the machine's limits, then the lines of each group as it ends.

The conventions are those of ``tensorproof.lines``: lines are appended and handed to the system at once, a run that
was killed lacks its last line, reading one runs no code, and nothing in it names the host, the user or a folder.
``timing_record.schema.json`` lists all that is in one.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.lines.reading import LONGEST_LINE, name_of, opened, parsed_json, read_lines, require_counts, require_each_once
from tensorproof.lines.schema import Schema

FORMAT = 2
METHOD = 2
"""How time is measured; rises when the same program on the same machine would read otherwise. Histories of two methods are not
compared. 2: parts of a block last 1 ms, before 0.25 ms."""
KIND = "timing_run"
SCHEMA = Schema("tensorproof.timing.results", "timing_record.schema.json", "record", first=KIND, format=FORMAT, last="end")

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
        return self.end is not None and len(self.timings) >= int(self.header["planned"])


def line_key(line: Mapping[str, Any]) -> tuple[str, ...]:
    """What identifies the series of a line."""
    return tuple(str(line[name]) for name in ("operation", "workload", "direction", "dtype", "contender"))


def is_timing_record(path: Path) -> bool:
    """Whether a file begins like a record of timings."""
    try:
        with opened(path) as file:
            line = parsed_json(file.readline(LONGEST_LINE))
    except (OSError, ValueError):
        return False
    return isinstance(line, dict) and line.get("kind") == KIND


def read_timing_record(path: Path) -> TimingRecord:
    """Read a record of timings.

    Raises:
        UsageError: it cannot be read, is no record of timings, was written by a newer version, or has a line twice.
    """
    found = read_lines(path, SCHEMA)
    record = TimingRecord(found.values[0], name=name_of(path), notes=found.notes)
    require_each_once(f"record {record.name}", found.values, _whole_key)
    for line in found.values[1:]:
        kind = line["kind"]
        if kind == "machine_limits":
            record.limits = line
        elif kind == "timing":
            record.timings.append(line)
        elif kind == "duel":
            record.duels.append(line)
        elif kind == "end":
            record.end = line
    counts = dict(Counter(str(line["status"]) for line in record.timings))
    require_counts(f"record {record.name}", "series", record.end, counts)
    return record


def _whole_key(line: Mapping[str, Any]) -> tuple[str, ...]:
    """What no other line of a record is: a series, a duel, or a kind of line that stands once."""
    kind = line["kind"]
    return (kind, *line_key(line), str(line.get("reference"))) if kind in ("timing", "duel") else (kind,)
