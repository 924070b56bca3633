"""What the page of one night tells: its alarms, what became of changes of speed, packages, stages, and each backend's counts."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.lines.reading import closing_line, read_lines
from tensorproof.runs.records import SCHEMA
from tensorproof_reports import fields, units
from tensorproof_reports.history import (
    Found,
    accepted_of,
    alarm_of,
    found_of,
    headline_of,
    needs_extra,
    quiet_words,
    verdict_lines,
)
from tensorproof_reports.site.folder import NIGHTS

ALARMS = 200
"""Alarms that a page shows; it says how many more there are."""


@dataclass(frozen=True)
class Conformance:
    """What the closing line of a backend's record says."""

    backend: str
    word: str
    """Whether the backend conforms; empty if the record has no closing line or was changed, so that nobody can tell."""
    counts: Counter[str]


@dataclass(frozen=True)
class Night:
    """A night, ready to be shown."""

    name: str
    headline: str = ""
    """Empty if there is no verdict; why not, if it cannot be read."""
    alarms: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, subject and message of each."""
    found: list[Found] = field(default_factory=list)
    quiet: str = ""
    """What it means if the gates saw nothing: how many series they looked at."""
    accepted: list[tuple[str, str, str]] = field(default_factory=list)
    """Series, date and reason of each change that people accepted."""
    packages: list[tuple[str, str]] = field(default_factory=list)
    """By backend, what differs from the night before, or that nobody can tell."""
    conformance: list[Conformance] = field(default_factory=list)
    stages: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, how it ended, and how long it took."""
    judged: bool = False
    """Whether there is a verdict: without one nobody can tell of alarms and changes."""

    @property
    def place(self) -> str:
        """The place of its page in a site."""
        return f"{NIGHTS}/{self.name}.html"

    @property
    def issues(self) -> list[tuple[str, str]]:
        """For each confirmed regression its series, and a text for the tracker of the framework."""
        return [(one.series, issue_text(one)) for one in self.found if one.state == "slower"]


def list_nights(folder: Path) -> list[Night]:
    """Every night of a history, oldest first; of a file that cannot be read, why.

    Raises:
        UsageError: the extra ``nightly`` is not installed.
    """
    with needs_extra():
        from tensorproof.nightly import history
    folders = history.nights(folder)[-history.NIGHTS :]
    return [_night(night, before) for before, night in zip([None, *folders], folders, strict=False)]


def _night(folder: Path, before: Path | None) -> Night:
    night = Night(folder.name, packages=_packages(folder, before), conformance=_conformance(folder), stages=_stages(folder))
    try:
        lines = verdict_lines(folder)
        return replace(
            night,
            headline=headline_of(lines),
            alarms=[alarm_of(line) for line in lines if line.get("kind") == "alarm"],
            found=[found_of(line) for line in lines if line.get("kind") == "finding"],
            quiet=quiet_words(lines),
            accepted=[accepted_of(line) for line in lines if line.get("kind") == "accepted"],
            judged=bool(lines),
        )
    except UsageError as error:
        return replace(night, headline=f"verdict cannot be read: {error}")


def _packages(folder: Path, before: Path | None) -> list[tuple[str, str]]:
    """What differs between the pins of this night and those of the night before."""
    from tensorproof.nightly.packages import difference, kept_pins

    said = []
    for path in sorted(folder.glob("packages_*.txt")):
        backend = path.stem.removeprefix("packages_")
        new = kept_pins(folder, backend)
        old = kept_pins(before, backend) if before else None
        words = "cannot be told: a night's list is missing" if new is None or old is None else difference(old, new) or "none"
        said.append((fields.clipped(backend, 80), fields.clipped(words, 1000)))
    return said


def _conformance(folder: Path) -> list[Conformance]:
    """Each record by its closing line: to read all checks of all nights would take minutes."""
    said = []
    for path in sorted(folder.glob("conformance_*.ndjson")):
        end = closing_line(path, SCHEMA) or {}
        word = fields.text(fields.mapping(end, "verdict"), "word", 40)
        counts = Counter({name: int(count) for name, count in fields.mapping(end, "counts").items()})
        said.append(Conformance(fields.clipped(path.stem.removeprefix("conformance_"), 80), word, counts))
    return said


def _stages(folder: Path) -> list[tuple[str, str, str]]:
    from tensorproof.nightly.history import NIGHT_SCHEMA

    log = folder / "night.ndjson"
    try:
        lines = read_lines(log, NIGHT_SCHEMA).values if log.exists() else []
    except UsageError as error:
        return [(log.name, fields.clipped(str(error)), "")]
    return [
        (fields.text(line, "name", 80), fields.text(line, "status", 40), units.duration(1e9 * line["seconds"]))
        for line in lines
        if line.get("kind") == "stage"
    ]


def issue_text(found: Found) -> str:
    """A confirmed regression as a text for the tracker of the framework: what, how much, since when, and how to measure it."""
    parts = found.parts
    chosen = (("op", "operation"), ("workload",) * 2, ("direction",) * 2, ("dtype",) * 2, ("mode",) * 2, ("device",) * 2)
    options = " ".join(f"--{option}={parts[name]}" for option, name in chosen if name in parts)
    return "\n".join(
        [
            f"{found.series}: {units.ratio(found.factor)} times as long since {found.since}",
            "",
            f"Old packages against new, in the same rounds: {found.message or 'see the record'}.",
            f"The last night before was {found.last_before or 'not recorded'}; "
            f"the first alarm was on {found.first_alarm or found.since}.",
            "",
            "To measure it again, with an environment of each night's packages:",
            "",
            f"    tensorproof duel --env old=OLD --env new=NEW {parts.get('backend', '')} {options}",
        ]
    )
