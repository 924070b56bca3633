"""Changes that people accepted: ``accepted.toml`` in the repository, an entry a change."""

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.lines.toml import read_toml
from tensorproof.nightly.series import SeriesHistory
from tensorproof.operation_table import did_you_mean

KEYS = ("series", "since", "reason")
_ENTRY = re.compile(r"^[ \t]*\[\[[ \t]*accepted[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True)
class Accepted:
    """An accepted change: the history of the series begins anew on that date."""

    series: str
    """Name of the series; ``*``, ``?`` and ``[…]`` stand for several, as in names of files."""
    since: datetime.date
    reason: str
    line: int

    @property
    def told(self) -> dict[str, str]:
        """Its line in a night's verdict."""
        return {"kind": "accepted", "series": self.series, "since": self.since.isoformat(), "reason": self.reason}

    def covers(self, series: str, night: str) -> bool:
        """Whether a change that was first seen in ``night`` is accepted."""
        return fnmatchcase(series, self.series) and night[:10] <= self.since.isoformat()


def read_accepted(path: Path) -> list[Accepted]:
    """The accepted changes of a file.

    Raises:
        UsageError: the file cannot be read, or an entry is malformed; the message names the line.
    """
    text, table = read_toml(path, "--accepted: ")
    for key in table:
        if key != "accepted":
            line = _line_of(text, 0, key)
            raise UsageError(f"--accepted: {path.name}, line {line}: unknown table {key!r}; write [[accepted]]")
    entries = table.get("accepted", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"--accepted: {path.name}, line {_line_of(text, 0, 'accepted')}: write [[accepted]] in double brackets")
    starts = [match.start() for match in _ENTRY.finditer(text)]
    # Entries may also be written as one array of inline tables; then all begin where the file does.
    starts = starts if len(starts) == len(entries) else [0] * len(entries)
    return [_entry(entry, text, start, path.name) for entry, start in zip(entries, starts, strict=True)]


def _entry(entry: dict[str, object], text: str, start: int, name: str) -> Accepted:
    def wrong(key: str, message: str) -> UsageError:
        return UsageError(f"--accepted: {name}, line {_line_of(text, start, key)}: {message}")

    for key in entry:
        if key not in KEYS:
            raise wrong(key, f"unknown key {key!r}{did_you_mean(key, KEYS)}; there are: {', '.join(KEYS)}")
    for key in KEYS:
        if key not in entry:
            raise wrong(key, f"{key} is missing; an entry has {', '.join(KEYS)}")
    series, since, reason = entry["series"], entry["since"], entry["reason"]
    if not isinstance(series, str) or not series.strip():
        raise wrong("series", "series: expected a name such as 'torch eager softmax M forward float32'")
    if not isinstance(since, datetime.date) or isinstance(since, datetime.datetime):
        raise wrong("since", f"since: expected a date such as 2026-11-20, without quotes, got {since!r}")
    if not isinstance(reason, str) or not reason.strip():
        raise wrong("reason", "reason: expected a sentence that says why")
    return Accepted(series, since, reason, text.count("\n", 0, start) + 1)


def _line_of(text: str, start: int, key: str) -> int:
    """The line of a key at or after ``start``; that of ``start`` itself if the key is not there."""
    following = _ENTRY.search(text, start + 1)
    found = re.compile(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(key)}\b", re.MULTILINE).search(text, start)
    if found is None or (following and found.start() >= following.start() and start):
        return text.count("\n", 0, start) + 1
    return text.count("\n", 0, found.end()) + 1


def begun_anew(histories: Iterable[SeriesHistory], accepted: Sequence[Accepted], tonight: str) -> list[SeriesHistory]:
    """The histories, each from the last date on which a change of its series was accepted."""
    found = []
    for history in histories:
        dates = [
            entry.since.isoformat()
            for entry in accepted
            if fnmatchcase(history.series.name, entry.series) and entry.since.isoformat() <= tonight[:10]
        ]
        start = max(dates, default="")
        found.append(replace(history, points=tuple(point for point in history.points if point.night[:10] >= start)))
    return found


def idle_entries(accepted: Sequence[Accepted], series: Iterable[str]) -> list[Accepted]:
    """The entries that match no series of the history."""
    known = set(series)
    return [entry for entry in accepted if not any(fnmatchcase(name, entry.series) for name in known)]
