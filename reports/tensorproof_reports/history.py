"""The nights: each series over time with the places where its level changed, and what the newest night's gates said.

It needs the extra ``nightly``, which reads many records at once.
"""

import contextlib
import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorproof.errors import UsageError
from tensorproof.runs.records import Record, read_record
from tensorproof_reports import fields, units

STATES = {
    "slower": ("▼", "confirmed: slower", "failed"),
    "faster": ("▲", "confirmed: faster", "passed"),
    "cleared": ("=", "cleared: old and new packages are equally fast", "passed"),
    "not_resolved": ("?", "not resolved: measured again next night", "not_meaningful"),
    "same_packages": ("·", "no package changed: no alarm", "not_run"),
    "unconfirmable": ("!", "could not be confirmed", "not_meaningful"),
    "over_limit": ("…", "waits for a confirmation", "not_run"),
    "waiting": ("…", "not confirmed yet", "not_run"),
}
"""What became of a change that the gates saw: symbol, words, class of colour."""

SERIES = 2500
"""Series that a page holds, those with a change first."""

LISTED = 80
"""Series that a page lists before a reader looks for others, and without JavaScript."""


@dataclass(frozen=True)
class Found:
    """A change that the gates of the newest night saw."""

    series: str
    parts: Mapping[str, str]
    """The series by its parts: backend, mode, operation and so on."""
    state: str
    symbol: str
    words: str
    tone: str
    since: str
    last_before: str
    """The last night before the change."""
    factor: float | None
    """Time after over time before."""
    message: str
    first_alarm: str


@dataclass(frozen=True)
class History:
    """The nights as the page shows them."""

    nights: list[str]
    headline: str
    """What the newest verdict says; empty if there is none."""
    alarms: list[tuple[str, str, str]]
    """Kind, subject and message of each."""
    found: list[Found]
    quiet: str
    """What it means if the gates saw nothing: how many series they looked at."""
    accepted: list[tuple[str, str, str]]
    """Series, date and reason of each change that people accepted."""
    data: dict[str, Any]
    """The series, for the page to draw: by night their time over the anchor's, and where levels begin."""
    left_out: int
    notes: list[str]

    @property
    def listed(self) -> list[tuple[str, str, str, str]]:
        """Name of a series, its last change, the night since which it has its level, and its newest ratio."""
        found = []
        for row in self.data["series"][:LISTED]:
            starts, change = row["starts"], units.MISSING
            if starts:
                change = f"{units.ratio(row['change'])}×"
            since = self.nights[row["nights"][starts[-1] if starts else 0]]
            found.append((row["name"], change, since, units.significant(row["ratios"][-1])))
        return found


@contextlib.contextmanager
def needs_extra() -> Iterator[None]:
    """Say what to install where the extra ``nightly`` is not.

    Raises:
        UsageError: in place of ``ModuleNotFoundError``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"--history needs {error.name}; install it with: pip install 'tensorproof[nightly]'") from None


def verdict_lines(night: Path) -> list[dict[str, Any]]:
    """The lines of a night's verdict; none if it has none yet.

    Raises:
        UsageError: it cannot be read.
    """
    from tensorproof.nightly.history import read_verdict

    verdict = night / "verdict.ndjson"
    return read_verdict(verdict) if verdict.exists() else []


def headline_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """What the verdict says in a line; empty if there is none."""
    return next((fields.text(line, "headline") for line in lines if line.get("kind") == "verdict"), "")


def quiet_words(lines: Sequence[Mapping[str, Any]]) -> str:
    """That the gates saw no change, and of how many series; a series that they could not look at is not unchanged.

    >>> quiet_words([{"kind": "verdict", "tested": 3, "too_little_history": 5}])
    'The gates saw no change of speed in 3 series. Of 5 series nobody can tell: they have too few nights.'
    """
    verdict = next((line for line in lines if line.get("kind") == "verdict"), {})
    tested, few = fields.number(verdict, "tested"), fields.number(verdict, "too_little_history")
    seen = "" if tested is None else f" in {tested:.0f} series"
    return f"The gates saw no change of speed{seen}." + (
        f" Of {few:.0f} series nobody can tell: they have too few nights." if few else ""
    )


def read_nights(folder: Path) -> History:
    """The history in a folder of nights.

    Raises:
        UsageError: the extra ``nightly`` is not installed, or there is no night.
    """
    with needs_extra():
        from tensorproof.nightly.gates import breaks
        from tensorproof.nightly.history import NIGHTS, nights, read_history
    folders = nights(folder)[-NIGHTS:]
    if not folders:
        raise UsageError(f"--history: there is no night in {folder.name}; tensorproof nightly --history={folder.name} makes one")
    measured = read_history(folders)
    names = [night.name for night in folders]
    place = {name: number for number, name in enumerate(names)}
    rows: list[dict[str, Any]] = []
    for (series, _), item in sorted(measured.histories.items()):
        ratios = np.array([point.ratio for point in item.points])
        starts = breaks(np.log(ratios))[:-1]
        levels = np.split(ratios, starts)
        change = float(np.median(levels[-1]) / np.median(levels[-2])) if len(levels) > 1 else 1.0
        rows.append(
            {
                "name": fields.clipped(series.name, 160),
                "machine": fields.clipped(item.machine.words, 160),
                "nights": [place[point.night] for point in item.points],
                "ratios": [float(f"{ratio:.3g}") for ratio in ratios],
                "starts": [int(start) for start in starts],
                "change": float(f"{change:.4g}"),
            }
        )
    rows.sort(key=lambda row: -abs(math.log(row["change"])))
    notes = list(measured.notes)
    try:
        lines = verdict_lines(folders[-1])
    except UsageError as error:
        notes.append(f"{folders[-1].name}: {error}")
        lines = []
    return History(
        names,
        headline_of(lines),
        [alarm_of(line) for line in lines if line.get("kind") == "alarm"],
        [found_of(line) for line in lines if line.get("kind") == "finding"],
        quiet_words(lines),
        [accepted_of(line) for line in lines if line.get("kind") == "accepted"],
        {"nights": names, "series": rows[:SERIES]},
        max(0, len(rows) - SERIES),
        [fields.clipped(note) for note in notes],
    )


def alarm_of(line: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, subject and message of an alarm.

    Raises:
        UsageError: the line is malformed.
    """
    with fields.part_of("verdict.ndjson", "an alarm"):
        return fields.text(line, "alarm", 40), fields.text(line, "of", 160), fields.text(line, "message")


def accepted_of(line: Mapping[str, Any]) -> tuple[str, str, str]:
    """Series, date and reason of an accepted change.

    Raises:
        UsageError: the line is malformed.
    """
    with fields.part_of("verdict.ndjson", "an accepted change"):
        return fields.text(line, "series", 160), fields.text(line, "since", 10), fields.text(line, "reason")


def found_of(line: Mapping[str, Any]) -> Found:
    """A finding, ready to be shown.

    Raises:
        UsageError: the line is malformed.
    """
    with fields.part_of("verdict.ndjson", "a finding"):
        state = fields.text(line, "state", 40)
        symbol, words, tone = STATES.get(state, ("?", state, "not_meaningful"))
        parts = fields.words(line, "series")
        names = ("backend", "mode", "operation", "workload", "direction", "dtype")
        name = " ".join(parts[part] for part in names if part in parts)
        since, before, first = (fields.text(line, key, 40) for key in ("since", "last_before", "first_alarm"))
        message, factor = fields.text(line, "message"), fields.positive(line, "factor")
        return Found(name, parts, state, symbol, words, tone, since, before, factor, message, first)


def earlier_night(folder: Path, record: Record) -> Record | None:
    """The last complete record of the same backend of a night that began before this one; ``None`` if there is none.

    Raises:
        UsageError: the extra ``nightly`` is not installed.
    """
    with needs_extra():
        from tensorproof.nightly.history import night_start, nights
    started = fields.text(record.header, "started", 40)
    if not started:
        return None
    began = datetime.datetime.fromisoformat(started)
    name = f"conformance_{fields.text(record.header, 'backend', 80)}.ndjson"
    for night in reversed(nights(folder)):
        path = night / name
        if night_start(night.name) >= began or not path.is_file():
            continue
        try:
            before = read_record(path)
        except UsageError:
            continue  # A record of an earlier night that cannot be read is no reason to tell nothing of this one.
        if before.complete and before.header.get("started") != record.header.get("started"):
            return before
    return None
