"""What the records of a night say before any confirmation: what is there, what is newly wrong, what may have changed in speed."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError, first_few
from tensorproof.nightly.accepted import Accepted, begun_anew, idle_entries
from tensorproof.nightly.gates import RECENT, Gated, gate
from tensorproof.nightly.history import NIGHTS, Measured, nights, read_history, timing_records
from tensorproof.nightly.programs import told_of_programs
from tensorproof.runs.baseline import compare
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.records import Record, read_record
from tensorproof.runs.summary import verdict
from tensorproof.timing.results.records import read_timing_record

LOST = ("error", "crashed", "timed_out", "out_of_memory", "unsupported", "not_run", "absent")
"""The statuses of a series that was measured before and is missing now."""
SHOWN = 20


@dataclass(frozen=True)
class Alarm:
    """A reason for the exit code 1."""

    kind: str
    """``missing``, ``incomplete``, ``stale``, ``lost``, ``new failure`` or ``regression``."""
    subject: str
    """The backend or the series."""
    message: str


@dataclass
class Backend:
    """One backend's night."""

    name: str
    versions: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Checks by status."""
    verdict: str = ""
    compared: str = ""
    """The line of the comparison with the night before."""
    causes: list[str] = field(default_factory=list)
    """The causes of tonight's bad checks, a line each."""
    changes: list[str] = field(default_factory=list)
    """The causes that are new, fixed or changed since the night before."""
    measured: int = 0
    """Series measured."""
    machine: str = ""


@dataclass
class Judgement:
    """A night as judged."""

    night: str
    backends: list[Backend]
    gated: Gated
    alarms: list[Alarm] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    """Candidates with what became of them; see ``confirm``."""
    notes: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    resolution: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of the stages."""


def judge(history: Path, night: Path, backends: Sequence[str], accepted: Sequence[Accepted]) -> Judgement:
    """Judge a night by its records and those before it. Nothing is measured and nothing is run."""
    earlier = [folder for folder in nights(history) if folder.name < night.name][-NIGHTS:]
    measured = read_history([*earlier, night])
    tonight = measured.machines.get(night.name, set())
    histories = begun_anew(
        (item for (series, digest), item in measured.histories.items() if digest in tonight and series.backend in backends),
        accepted,
        night.name,
    )
    judgement = Judgement(night.name, [Backend(name) for name in backends], gate(histories, night.name))
    judgement.notes += measured.notes
    judgement.machines = sorted(measured.words[digest] for digest in tonight)
    judgement.notes += [
        f"accepted.toml, line {entry.line}: no series of the history is called {entry.series!r}"
        for entry in idle_entries(accepted, {series.name for series, _ in measured.histories})
    ]
    ended = _timings(night, judgement)
    for backend in judgement.backends:
        _conformance(backend, night, earlier, judgement)
        found, notes = told_of_programs(night, earlier, backend.name)
        judgement.alarms += [Alarm(kind, backend.name, text) for kind, text in found]
        judgement.notes += notes
        backend.measured = sum(
            status == "measured" and series.backend == backend.name
            for (name, series), status in measured.statuses.items()
            if name == night.name
        )
        _coverage(backend, ended, judgement)
    _lost(measured, night, [folder.name for folder in earlier], backends, accepted, judgement)
    return judgement


def _conformance(backend: Backend, night: Path, earlier: Sequence[Path], judgement: Judgement) -> None:
    name = f"conformance_{backend.name}.ndjson"
    record = _read(night / name)
    if isinstance(record, str):
        judgement.alarms.append(Alarm("missing", backend.name, f"conformance: {record}"))
        return
    backend.counts = dict(Counter(str(check["status"]) for check in record.checks))
    backend.versions = ", ".join(f"{key} {value}" for key, value in sorted(record.header["versions"].items()))
    if record.end:
        # From the checks: what a record says of itself is no evidence.
        backend.verdict = verdict(record)["word"]
    backend.causes = [f"{cause['name']}: {cause['headline']}" for cause in causes_of(record) if not cause["known"]]
    if not record.complete:
        made, planned = len(record.checks), record.header["planned"]
        judgement.alarms.append(Alarm("incomplete", backend.name, f"conformance: {made} of {planned} checks were made"))
    for folder in reversed(earlier):
        before = _read(folder / name)
        if isinstance(before, str):
            if (folder / name).is_file():
                judgement.notes.append(f"{folder.name}: {before}; it is left out")
            continue
        if not before.complete:
            continue
        try:
            comparison = compare(before, record)
        except UsageError as error:
            judgement.notes.append(f"{folder.name}: {before.name}: {error}; it is left out")
            continue
        backend.compared = f"{comparison.line} (since {folder.name})"
        backend.changes = [*comparison.notes, *comparison.causes]
        judgement.alarms += [Alarm("new failure", backend.name, text) for text in comparison.details if text.startswith("new: ")]
        hidden = len(comparison.new_failures) - sum(text.startswith("new: ") for text in comparison.details)
        if hidden > 0:
            judgement.alarms.append(Alarm("new failure", backend.name, f"{hidden} more new failures"))
        # Checks that a killed run did not make are told by "incomplete" already.
        if comparison.missing and record.complete:
            text = f"conformance: {len(comparison.missing)} checks of {folder.name} are gone: {', '.join(comparison.missing[:3])}"
            judgement.alarms.append(Alarm("missing", backend.name, text))
        return
    backend.compared = "no complete night before this one"


def _read(path: Path) -> Record | str:
    if not path.is_file():
        return "there is no record"
    try:
        return read_record(path)
    except UsageError as error:
        return str(error)


def _timings(night: Path, judgement: Judgement) -> dict[str, str]:
    """For each backend that a record of timings names: an empty string if the record is complete, else what it lacks."""
    found: dict[str, str] = {}
    for path in timing_records(night):
        try:
            record = read_timing_record(path)
        except UsageError as error:
            judgement.alarms.append(Alarm("missing", "timings", str(error)))
            continue
        done, planned = len(record.timings), record.header["planned"]
        lacks = "" if record.complete else f"timings: {done} of {planned} series were timed"
        found.update({contender["backend"]: lacks for contender in record.header["contenders"]})
        if record.limits is not None and not judgement.resolution:
            judgement.resolution = f"{record.limits['resolution']['spread']:.1%}"
    return found


def _coverage(backend: Backend, ended: dict[str, str], judgement: Judgement) -> None:
    if backend.name not in ended:
        judgement.alarms.append(Alarm("missing", backend.name, "timings: there is no record"))
    elif ended[backend.name]:
        judgement.alarms.append(Alarm("incomplete", backend.name, ended[backend.name]))
    elif not backend.measured:
        judgement.alarms.append(Alarm("missing", backend.name, "timings: not one series was measured"))


def _lost(
    measured: Measured,
    night: Path,
    earlier: Sequence[str],
    backends: Collection[str],
    accepted: Sequence[Accepted],
    judgement: Judgement,
) -> None:
    """Series that were measured in the last nights on this class of machine, and are not tonight."""
    told = {alarm.subject for alarm in judgement.alarms if alarm.message.startswith("timings:")}
    recent = set(earlier[-RECENT:])
    tonight = measured.machines.get(night.name, set())
    lost: dict[str, list[str]] = {}
    for (series, digest), item in sorted(measured.histories.items()):
        last = item.points[-1].night
        if digest not in tonight or last not in recent or series.backend not in backends or series.backend in told:
            continue
        status = measured.statuses.get((night.name, series), "absent")
        # A series may also have moved to another class of machine, in a night whose backends ran on several.
        if status in LOST and not any(entry.covers(series.name, last) for entry in accepted):
            lost.setdefault(series.backend, []).append(f"{series.name} ({status.replace('_', ' ')}; last on {last})")
    for backend, names in lost.items():
        text = f"{len(names)} series were timed before and are not now: {first_few(names, SHOWN)}"
        judgement.alarms.append(Alarm("lost", backend, text))
