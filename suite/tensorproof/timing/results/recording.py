"""The record of a run of timings as it is written: opened or gone on with, group by group, and closed."""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.reading import name_of
from tensorproof.lines.writing import LineFile
from tensorproof.runs import recording
from tensorproof.runs.resume import require_same
from tensorproof.timing.engine import Engine
from tensorproof.timing.plan import Group
from tensorproof.timing.results.records import SCHEMA, TimingRecord, line_key, read_timing_record

RESUMED = (
    *("specification", "tensorproof", "method", "seed", "contenders", "threads", "launches", "rounds", "machine", "backends"),
    *("series_seconds", "workloads", "directions", "dtypes", "options", "planned"),
)
"""What must be the same for a record to be gone on with."""


class CannotWrite(Exception):
    """A line cannot be appended to the record."""


def open_record(
    path: Path, header: dict[str, Any], groups: Sequence[Group], *, resume: bool
) -> tuple[LineFile, TimingRecord, set[tuple[str, ...]]]:
    """A record to append to, what is in it already, and the keys of the groups that are.

    Raises:
        UsageError: it exists and is not to be gone on with, cannot be written, or another process writes to it.
    """
    file, kept = recording.open_record(path, SCHEMA, header, partial(_kept_lines, groups) if resume else None)
    record = TimingRecord(kept[0] if kept else header, name=path.name)
    record.limits = next((line for line in kept if line["kind"] == "machine_limits"), None)
    record.timings = [line for line in kept if line["kind"] == "timing"]
    record.duels = [line for line in kept if line["kind"] == "duel"]
    return file, record, {group.key for group in _whole(groups, record)}


def _kept_lines(groups: Sequence[Group], path: Path, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a record that this run goes on with: all but those of groups that were not measured to their end.

    Raises:
        UsageError: it is no record of timings, is of another run, or has ended.
    """
    record = read_timing_record(path)
    require_same(path, record.header, header, RESUMED)
    if record.end is not None and "ended" not in record.end:
        raise UsageError(f"--resume: {name_of(path)} has ended already")
    whole = {group.key for group in _whole(groups, record)}
    partial_keys = {key for group in groups if group.key not in whole for key in _keys_of(group)}
    kept = [line for line in (*record.timings, *record.duels) if line_key(line) not in partial_keys]
    return [record.header, *([record.limits] if record.limits else []), *kept]


def _keys_of(group: Group) -> list[tuple[str, ...]]:
    return [(*group.key[:4], item.name) for item in group.contenders]


def _whole(groups: Sequence[Group], record: TimingRecord) -> list[Group]:
    """The groups of which every contender has its line, and each but the first that was measured another, of the comparison."""
    found = Counter(line_key(line) for line in (*record.timings, *record.duels))
    measured = {line_key(line) for line in record.timings if line["status"] == "measured"}

    def is_whole(group: Group) -> bool:
        keys = _keys_of(group)
        compared = [key for key in keys if key in measured][1:]
        return all(found[key] == 1 + (key in compared) for key in keys)

    return [group for group in groups if is_whole(group)]


def append(file: LineFile, line: Mapping[str, Any]) -> None:
    """Append a line.

    Raises:
        CannotWrite: the system does not let us.
    """
    try:
        file.append(line)
    except OSError as error:
        raise CannotWrite(f"the record cannot be written: {error.strerror}") from error


def end_early(file: LineFile, record: TimingRecord, why: str) -> None:
    """Append a closing line that says why the run ended."""
    record.end = closing_line(record.timings, None, why)
    try:
        file.append(record.end)
    except OSError as error:
        record.notes.append(f"the record has no closing line: {error.strerror}")


def closing_line(timings: Sequence[Mapping[str, Any]], engine: Engine | None, ended: str = "") -> dict[str, Any]:
    """The closing line: counts, and where the time went since the limits were measured (``own`` is what is left).

    ``ended`` says why the run ended before all was measured, if it did.
    """
    seconds = {"total": 0.0}
    if engine is not None:
        total = time.perf_counter() - engine.began
        parts = dataclasses.asdict(engine.seconds)
        seconds = {name: round(value, 2) for name, value in {"total": total, **parts, "own": total - sum(parts.values())}.items()}
    return {
        "kind": "end",
        "finished": recording.now(),
        "counts": dict(Counter(line["status"] for line in timings)),
        "seconds": seconds,
        **({"ended": ended} if ended else {}),
    }
