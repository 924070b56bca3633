"""What the sections of timings and of duels show: of each record its circumstances, rows, duels and charts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tensorproof_reports import duels, fields, timings, units
from tensorproof_reports.break_even import with_break_even
from tensorproof_reports.duels import Duel, Place
from tensorproof_reports.fields import Line
from tensorproof_reports.timing_data import (
    Compiled,
    ModelSpeed,
    Standing,
    compiled_against_eager,
    model_speeds,
    points_of,
    roofs_of,
    standings,
)
from tensorproof_reports.timings import Row

LAUNCHES_FOR_SMALL_DIFFERENCES = 3
"""Launches of the same code stray from each other by up to 3 %: with fewer of them no smaller difference is claimed."""


MOST_PLANNED = 10**9
"""No run plans more; a record that says so is not believed."""


class TimingRecord(Protocol):
    """A record of timings as read."""

    @property
    def header(self) -> dict[str, Any]:
        """The first line."""
        ...

    @property
    def limits(self) -> dict[str, Any] | None:
        """What the machine can do at most, and what the run can resolve."""
        ...

    @property
    def timings(self) -> list[dict[str, Any]]:
        """The series."""
        ...

    @property
    def duels(self) -> list[dict[str, Any]]:
        """The comparisons."""
        ...

    @property
    def end(self) -> dict[str, Any] | None:
        """The closing line; ``None`` if the run was killed."""
        ...

    @property
    def name(self) -> str:
        """The file's name."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was odd when it was read."""
        ...


@dataclass(frozen=True)
class Section:
    """One record, ready to be shown."""

    name: str
    started: str
    facts: list[tuple[str, str]]
    """What a reader needs to judge the numbers, by name."""
    warnings: list[str]
    groups: list[tuple[Place, list[Row]]]
    duel_groups: list[tuple[Place, list[Duel]]]
    standings: list[Standing]
    compiled: list[Compiled]
    models: list[ModelSpeed]
    chart_data: dict[str, Any]
    """What the page draws its charts from."""

    @property
    def duel_count(self) -> int:
        """How many duels there are."""
        return sum(len(found) for _, found in self.duel_groups)


def _machine(header: Line) -> str:
    machine = fields.mapping(header, "machine")
    parts = [fields.text(machine, "processor", 80), fields.text(machine, "architecture", 40)]
    cores = fields.number(machine, "cores")
    parts += [f"{units.count(cores)} cores"] if cores is not None else []
    parts += [
        f"{fields.text(machine, 'system', 40)} {fields.text(machine, 'release', 40)}",
        f"Python {fields.text(machine, 'python', 40)}",
    ]
    return ", ".join(part for part in parts if part.strip())


def _affinity(header: Line) -> str:
    cores = fields.sequence(header, "affinity")
    if not cores:
        return "not set: the system may move the workers from core to core"
    return "cores " + ", ".join(fields.clipped(str(core), 8) for core in cores[:64])


def _resolution(limits: Line | None) -> str:
    """The smallest difference that the run can tell, from its comparison of one contender with itself."""
    found = fields.mapping(limits or {}, "resolution")
    low, high = fields.positive(found, "ratio_low"), fields.positive(found, "ratio_high")
    if low is None or high is None:
        return "not measured: how small a difference this run can tell is unknown"
    spread = max(1 - low, high - 1, fields.number(found, "spread") or 0.0)
    measured = f"one contender against itself: {low:.4f} to {high:.4f}"
    return f"differences under {units.percent(spread)} cannot be told on this run ({measured})"


def _roofs(limits: Line | None) -> str:
    line = limits or {}
    peaks = fields.mapping(line, "gemm_flops_per_s")
    parts = [f"{units.giga(fields.positive(peaks, dtype))} GFLOP/s in {fields.clipped(dtype, 20)}" for dtype in peaks]
    for entry in fields.sequence(line, "bandwidth")[:12]:
        at = fields.mapping({"bandwidth": entry}, "bandwidth")
        footprint, rate = fields.positive(at, "footprint_bytes"), fields.positive(at, "bytes_per_s")
        parts.append(f"{units.giga(rate)} GB/s at {units.size(footprint)}")
    return ", ".join(parts) or "not measured: no share of a roof can be told"


def _versions(header: Line) -> list[tuple[str, str]]:
    found = []
    for entry in fields.sequence(header, "backends")[:32]:
        backend = fields.mapping({"backends": entry}, "backends")
        parts = [f"{name} {value}" for name, value in fields.words(backend, "versions").items()]
        parts += [f"{name}: {value or 'none'}" for name, value in fields.words(backend, "arithmetic").items()]
        if "instructions" in backend:
            parts.append(f"instruction set {fields.text(backend, 'instructions', 80)}")
        if "place" in backend:
            parts.append(f"from {fields.text(backend, 'place', 40)}")
        found.append((f"{fields.text(backend, 'label', 60)} on {fields.text(backend, 'device', 40)}", ", ".join(parts)))
    return found


def _seconds(end: Line | None) -> str:
    """Where the time of the run went."""
    seconds = fields.mapping(end or {}, "seconds")
    total = fields.number(seconds, "total")
    if total is None:
        return ""
    shares = [(fields.clipped(name, 40), fields.number(seconds, name)) for name in seconds if name != "total"][:12]
    told = ", ".join(f"{name} {units.duration(value * 1e9)}" for name, value in shares if value is not None)
    return units.duration(total * 1e9) + (f", of which {told}" if told else "")


def _counts(rows: Sequence[Row], planned: int) -> str:
    counts = Counter(row.status for row in rows)
    counts["not_run"] += max(0, planned - len(rows))
    texts = [f"{counts[status]} {word}" for status, (_, word, _) in timings.STATUSES.items() if counts[status]]
    distrusted = sum(row.measured and not row.trusted for row in rows)
    return ", ".join(texts) + (f"; {distrusted} of the measured are not trusted" if distrusted else "")


def _warnings(record: TimingRecord, rows: Sequence[Row], planned: int) -> list[str]:
    found = []
    if record.end is None:
        found.append(f"incomplete: this run was killed, {len(rows)} of {planned} planned series are here")
    elif len(rows) < planned:
        found.append(f"incomplete: {len(rows)} of {planned} planned series are here")
    if record.limits is None:
        found.append("the limits of the machine are not in the record: neither resolution nor shares of a roof are known")
    launches = fields.number(record.header, "launches")
    if launches is not None and launches < LAUNCHES_FOR_SMALL_DIFFERENCES:
        least = f"{units.count(launches)} of at least {LAUNCHES_FOR_SMALL_DIFFERENCES} launches"
        found.append(f"{least}: claim no difference under 3 % from this run")
    return found + [fields.clipped(str(note)) for note in (*record.notes, *fields.sequence(record.header, "notes")[:20])]


def _facts(record: TimingRecord, rows: Sequence[Row], planned: int) -> list[tuple[str, str]]:
    header = record.header
    numbers = {name: fields.number(header, name) for name in ("threads", "launches", "rounds", "seed")}
    facts = [
        ("resolution", _resolution(record.limits)),
        ("series", _counts(rows, planned)),
        ("machine", _machine(header)),
        ("threads", units.count(numbers["threads"])),
        ("affinity", _affinity(header)),
        (
            "launches × rounds",
            " × ".join(units.count(numbers[name]) for name in ("launches", "rounds")),
        ),
        ("roofs measured", _roofs(record.limits)),
        *_versions(header),
        ("time taken", _seconds(record.end)),
    ]
    return [(name, text) for name, text in facts if text]


def section(record: TimingRecord) -> Section:
    """What the page shows of one record.

    Raises:
        UsageError: something in the record is of a wrong type; the message names the record and the place.
    """
    rows = []
    for number, line in enumerate(record.timings, start=1):
        with fields.part_of(record.name, f"timing {number}"):
            rows.append(timings.row_of(line))
    untrusted = {(row.place, row.contender): row.measured and not row.trusted for row in rows}
    found = []
    for number, line in enumerate(record.duels, start=1):
        with fields.part_of(record.name, f"duel {number}"):
            found.append(duels.duel_of(line, untrusted))
    with fields.part_of(record.name, "its header, its limits or its end"):
        planned = min(int(fields.number(record.header, "planned") or 0), MOST_PLANNED)
        facts, warnings = _facts(record, rows, planned), _warnings(record, rows, planned)
        started = fields.text(record.header, "started", 40)
    groups = duels.grouped(found)
    ordered = [duel for _, group in groups for duel in group]
    judged = timings.explained(with_break_even(timings.with_verdicts(rows, ordered)))
    with fields.part_of(record.name, "a timing, or the limits of the machine,"):
        drawn: dict[str, Any] = {"points": points_of(rows, record.timings, ordered), "roofs": roofs_of(record.limits)}
        speeds = model_speeds(rows, record.timings)
        families = {row.place: fields.text(line, "family", 40) for row, line in zip(rows, record.timings, strict=True)}
    shown_groups = timings.grouped(judged)
    whole = {(row.place, row.contender): row.details for row in rows}
    drawn["details"] = [whole[row.place, row.contender] for _, group in shown_groups for row in group]
    return Section(
        record.name,
        started,
        facts,
        warnings,
        shown_groups,
        groups,
        standings(ordered, families),
        compiled_against_eager(rows),
        speeds,
        drawn,
    )


def sections(records: Sequence[TimingRecord]) -> list[Section]:
    """All records."""
    return [section(record) for record in records]
