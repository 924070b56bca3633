"""The history: a folder of nights, each a folder of NDJSON records, queried with DuckDB.

Records come from other machines. Reading them runs nothing of theirs: names of files are bound as parameters, and values are
converted by ``TRY_CAST``. A record that was changed, or has a line that is none of ours, is left out, and a note says so.
"""

import datetime
import glob
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tensorproof.errors import UsageError
from tensorproof.lines.reading import closing_line, first_line, name_of, read_lines
from tensorproof.lines.schema import Schema
from tensorproof.nightly.series import MachineClass, Point, Series, SeriesHistory, machine_class
from tensorproof.timing.results.records import SCHEMA as TIMING_SCHEMA
from tensorproof.timing.results.records import read_timing_record

NIGHT_SCHEMA = Schema("tensorproof.nightly", "night.schema.json", "history", last="end")
NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z")
TIMINGS = re.compile(r"timings(_[a-z0-9_]+)?\.ndjson")
CLOCK = "throughput hot"
NIGHTS = 120
"""How many nights are looked back on."""

_COLUMNS = {
    "kind": "VARCHAR",
    "environment": "VARCHAR",
    "status": "VARCHAR",
    "backend": "VARCHAR",
    "device": "VARCHAR",
    "mode": "VARCHAR",
    "operation": "VARCHAR",
    "operation_version": "VARCHAR",
    "workload": "VARCHAR",
    "direction": "VARCHAR",
    "dtype": "VARCHAR",
    "clocks": "JSON",
    "anchor": "JSON",
}

_QUERY = """
SELECT filename, status, environment, operation_version, backend, device, mode, operation, workload, direction, dtype,
       TRY_CAST(anchor ->> 'ratio' AS DOUBLE),
       TRY_CAST(clocks -> $clock ->> 'median_ns' AS DOUBLE),
       TRY_CAST(clocks -> $clock ->> 'low_ns' AS DOUBLE),
       TRY_CAST(clocks -> $clock ->> 'high_ns' AS DOUBLE)
FROM read_json($files, format = 'newline_delimited', columns = $columns, ignore_errors = true, filename = true)
WHERE kind = 'timing' AND backend IS NOT NULL AND operation IS NOT NULL
"""


@dataclass
class Measured:
    """What the records of timings of some nights say."""

    histories: dict[tuple[Series, str], SeriesHistory] = field(default_factory=dict)
    """By series and digest of the machine class."""
    statuses: dict[tuple[str, Series], str] = field(default_factory=dict)
    """By night and series: ``measured`` or why not."""
    machines: dict[str, set[str]] = field(default_factory=dict)
    """The digests of the machine classes of each night."""
    words: dict[str, str] = field(default_factory=dict)
    """What each digest stands for."""
    notes: list[str] = field(default_factory=list)


def now() -> datetime.datetime:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def night_name(moment: datetime.datetime) -> str:
    """The name of the night begun at a time.

    >>> night_name(datetime.datetime(2026, 11, 21, 3, 0, tzinfo=datetime.UTC))
    '2026-11-21T030000Z'
    """
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H%M%SZ")


def night_start(name: str) -> datetime.datetime:
    """When a night began."""
    return datetime.datetime.strptime(name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=datetime.UTC)


def is_night(name: str) -> bool:
    """Whether a folder's name is that of a night."""
    if not NIGHT.fullmatch(name):
        return False
    try:
        night_start(name)
    except ValueError:
        return False
    return True


def nights(history: Path) -> list[Path]:
    """The folders of the nights, oldest first."""
    if not history.is_dir():
        return []
    return sorted((path for path in history.iterdir() if is_night(path.name) and path.is_dir()), key=lambda path: path.name)


def read_verdict(path: Path) -> list[dict[str, Any]]:
    """The lines of a verdict, without the closing one. It is written whole: one that has none was cut off.

    Raises:
        UsageError: it cannot be read, or is not as it was written.
    """
    *lines, last = read_lines(path, NIGHT_SCHEMA).values
    if last["kind"] != NIGHT_SCHEMA.last:
        raise UsageError(f"{NIGHT_SCHEMA.what} {name_of(path)}: its closing line is missing, and maybe more")
    return lines


def timing_records(night: Path) -> list[Path]:
    """The records of timings of a night: one, or one for each backend if they were made on machines of their own."""
    return sorted(path for path in night.iterdir() if TIMINGS.fullmatch(path.name) and path.is_file())


def has_ended(path: Path) -> bool:
    """Whether a record of timings has its closing line, and that says of no early end; one that cannot be read has none."""
    try:
        end = read_timing_record(path).end if path.exists() else None
    except UsageError:
        return False
    return end is not None and "ended" not in end


def timing_header(path: Path) -> dict[str, Any]:
    """The header of a record of timings, each line of which is what a run wrote: by its digest, or checked one by one.

    Raises:
        UsageError: it cannot be read, or a line is none of a record.
    """
    if closing_line(path, TIMING_SCHEMA) is not None:
        return first_line(path, TIMING_SCHEMA)
    return read_timing_record(path).header


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": "2"},
    )
    connection.execute("SET enable_progress_bar = false")  # it would write to the terminal after two seconds
    return connection


def _rows(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], notes: list[str]) -> list[tuple[Any, ...]]:
    """The rows of timings of some records. One that DuckDB cannot read at all costs only itself."""
    if not files:
        return []
    # DuckDB takes a name for a pattern, so that a folder called [x] would be looked for under x.
    names = [glob.escape(str(path)) for path in files]
    try:
        return connection.execute(_QUERY, {"files": names, "columns": _COLUMNS, "clock": CLOCK}).fetchall()
    except duckdb.Error as error:
        if len(files) == 1:
            notes.append(f"{files[0].parent.name}/{files[0].name} cannot be read: {str(error).splitlines()[0][:200]}")
            return []
        return [row for path in files for row in _rows(connection, [path], notes)]


def read_history(folders: Iterable[Path]) -> Measured:
    """The histories of all series over some nights, each of one class of machine.

    A series that a record has twice (a resumed one) counts with its last line; environments of a backend that are named
    other than the backend (those of a confirmation) are left out. A history begins with the latest version of its operation,
    since another one may have had another workload.
    """
    measured = Measured()
    machines: dict[str, tuple[str, MachineClass, dict[str, tuple[tuple[str, str], ...]]]] = {}
    files = []
    for folder in folders:
        for path in timing_records(folder):
            try:
                header = timing_header(path)
            except UsageError as error:
                measured.notes.append(f"{folder.name}: {error}; it is left out")
                continue
            files.append(path)
            machine = machine_class(header)
            machines[str(path)] = (folder.name, machine, _versions(header))
            measured.machines.setdefault(folder.name, set()).add(machine.digest)
            measured.words[machine.digest] = machine.words
    found: dict[tuple[Series, MachineClass], dict[str, tuple[str | None, Point]]] = defaultdict(dict)
    with _connection() as connection:
        for name, status, environment, version, *identity, ratio, median, low, high in _rows(connection, files, measured.notes):
            if environment not in (None, "", identity[0]):
                continue
            series = Series(*(str(part) for part in identity))
            night, machine, versions = machines[name]
            usable = status == "measured" and all(_positive(value) for value in (ratio, median))
            measured.statuses[night, series] = "measured" if usable else str(status)
            if usable:
                interval = (low, high) if _positive(low) and _positive(high) else (median, median)
                point = Point(night, ratio, median, *interval, versions.get(series.backend, ()))
                found[series, machine][night] = (version, point)
            else:
                found[series, machine].pop(night, None)
    for (series, machine), points in found.items():
        ordered = [points[night] for night in sorted(points)]
        if ordered:
            latest, _ = ordered[-1]
            same = tuple(point for version, point in ordered if version == latest)
            measured.histories[series, machine.digest] = SeriesHistory(series, machine, same)
    return measured


def _positive(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


def _versions(header: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    found = {}
    backends = header.get("backends")
    for entry in backends if isinstance(backends, list) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("versions"), Mapping):
            versions = sorted((str(name), str(version)) for name, version in entry["versions"].items())
            found[str(entry.get("backend"))] = tuple(versions)
    return found
