"""What the section of programs shows: of each campaign its verdict, counts and conditions; findings; what was known; coverage."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorproof.programs.campaigns.records import BAD, CampaignRecord, verdict_text
from tensorproof_reports import fields
from tensorproof_reports.conformance.statuses import MEANINGS, SYMBOLS
from tensorproof_reports.programs.coverage import Coverage, coverage_of

NEAR = "near_a_branch"
STATUSES = (
    *("failed", "error", "crashed", "timed_out", "out_of_memory", "fell_back", "known_failure", NEAR, "not_meaningful"),
    *("unsupported", "passed"),
)
"""In the order of the table: what is a finding first."""
ALL_SYMBOLS = {**SYMBOLS, NEAR: "⋔"}
ALL_MEANINGS = {
    **MEANINGS,
    "failed": "a value or gradient outside of its bars, or memory shared where it must not be",
    "known_failure": "outside of its bars, as operations or calls that are declared to fail explain",
    NEAR: "it failed where either side of a branch is right; proves nothing",
    "not_meaningful": "the bars are too wide to prove anything",
}
SHOWN_FINDINGS = 100
"""Findings that are shown whole; the others are counted."""
SHOWN_KNOWN = 200
SCRIPTS = 400_000
"""Bytes that scripts take on a page; of what is left out, the page says so."""
LONGEST = 4_000
"""Characters of a program's text and of a message."""


@dataclass(frozen=True)
class Seen:
    """In which campaign a finding was made, and in how many of its programs."""

    campaign: str
    mode: str
    count: int
    first: int
    eager: str
    command: str


@dataclass
class Finding:
    """A finding, in all campaigns of its backend that have it."""

    anchor: str
    backend: str
    status: str
    message: str
    text: str
    """Empty where the program is longer than a page shows."""
    blamed: str
    script: str
    no_script: str
    seen: list[Seen] = field(default_factory=list)

    @property
    def count(self) -> int:
        """In how many programs it was found."""
        return sum(item.count for item in self.seen)


@dataclass(frozen=True)
class Known:
    """An explanation that excuses failures of a campaign, and of how many programs."""

    campaign: str
    explanation: str
    count: int


@dataclass(frozen=True)
class Declared:
    """A program that is declared to fail, and what became of it."""

    campaign: str
    source: str
    text: str
    explanation: str
    status: str

    @property
    def is_stale(self) -> bool:
        """Whether it passes."""
        return self.status == "passed"


@dataclass(frozen=True)
class Campaign:
    """A campaign, ready to be shown."""

    key: str
    verdict: str
    has_findings: bool
    early: str
    """Why it is not whole; empty if it is."""
    counts: Counter[str]
    conditions: Sequence[tuple[str, str]]
    coverage: Coverage
    memory: Sequence[tuple[str, int]]
    """How inputs lay in memory, besides contiguous, with the number of programs."""


@dataclass(frozen=True)
class Programs:
    """All that the section shows."""

    campaigns: Sequence[Campaign]
    findings: Sequence[Finding]
    more_findings: int
    known: Sequence[Known]
    more_known: int
    declared: Sequence[Declared]


def programs_of(records: Sequence[CampaignRecord]) -> Programs:
    """What the section of programs shows of some campaigns.

    Raises:
        UsageError: something in a record is of a wrong type.
    """
    keys = _keys(records)
    campaigns: list[Campaign] = []
    found: dict[tuple[str, str], Finding] = {}
    known: list[Known] = []
    declared: list[Declared] = []
    for key, record in zip(keys, records, strict=True):
        with fields.part_of(key, "the record"):
            campaigns.append(_campaign(key, record))
            _add_findings(found, key, record)
            known += _known(key, record)
            declared += [Declared(key, *_words(line)) for line in record.declared]
    findings = sorted(found.values(), key=lambda item: (STATUSES.index(item.status), -item.count))
    shown = _with_scripts(findings[:SHOWN_FINDINGS])
    more_findings, more_known = len(findings) - len(shown), max(0, len(known) - SHOWN_KNOWN)
    return Programs(campaigns, shown, more_findings, known[:SHOWN_KNOWN], more_known, declared[:SHOWN_KNOWN])


def _words(line: Mapping[str, Any]) -> list[str]:
    return [fields.text(line, name, LONGEST) for name in ("source", "text", "explanation", "status")]


def _keys(records: Sequence[CampaignRecord]) -> list[str]:
    """A name for each campaign: backend, mode and dtype, and what else tells it apart."""
    about = [
        [fields.text(record.header, name, 60) for name in ("backend", "mode", "dtype")]
        + [f"seed {record.header.get('seed')}", fields.text(record.header, "source", 60), f"number {number}"]
        for number, record in enumerate(records, start=1)
    ]
    found = []
    for words in about:
        length = next(size for size in range(3, 7) if sum(other[:size] == words[:size] for other in about) == 1)
        found.append(" ".join(words[:length]))
    return found


def _campaign(key: str, record: CampaignRecord) -> Campaign:
    header, end = record.header, record.end
    machine = fields.mapping(header, "machine")
    planned = header.get("planned")
    versions = " · ".join(f"{name} {version}" for name, version in fields.words(header, "versions").items())
    conditions = [
        ("versions", versions),
        ("device", fields.text(header, "device")),
        ("instruction set", fields.text(header, "instructions") or "not known"),
        ("machine", f"{fields.text(machine, 'processor')}, {machine.get('cores')} cores, {fields.text(machine, 'system')}"),
        ("inputs", _lying(header)),
        *_nodes(header),
        ("source", f"{fields.text(header, 'source')}, seed {header.get('seed')}"),
        ("programs", f"{len(record.programs):,}" + (f" of {planned:,}" if planned else "")),
        ("started", fields.text(header, "started")),
        *([("finished", fields.text(end, "finished"))] if end else []),
        ("made by", f"tensorproof {fields.text(header, 'tensorproof')}, specification {fields.text(header, 'specification')}"),
    ]
    early = "killed: the record has no closing line" if end is None else fields.text(end, "ended")
    has_findings = any(item["status"] in BAD for item in record.findings)
    counts, coverage = Counter(record.counts), coverage_of(record.coverage)
    verdict = fields.clipped(verdict_text(record))
    return Campaign(key, verdict, has_findings, early, counts, conditions, coverage, list(record.memory.items()))


def _lying(header: Mapping[str, Any]) -> str:
    """How inputs might lie in memory."""
    known = header.get("memories")
    if known is None:
        return "contiguous: the record is older than others"
    return ", ".join(["contiguous", *map(fields.clipped, known)]) if known else "contiguous: strides are not kept in this mode"


def _nodes(header: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The machines of a cluster, each kind with how many there were."""
    found = []
    for item in fields.sequence(header, "nodes")[:40]:
        processor = fields.text(fields.mapping(item, "machine"), "processor")
        found.append(("nodes", f"{item['count']} × {processor}, {fields.text(item, 'instructions')}"))
    return found


def _add_findings(found: dict[tuple[str, str], Finding], key: str, record: CampaignRecord) -> None:
    """Add the findings of a campaign to those of others with the same backend, calls, status and reason."""
    backend = fields.text(record.header, "backend", 60)
    for item in record.findings:
        if item["status"] not in BAD:
            continue
        same = (backend, item["key"])
        if same not in found:
            found[same] = Finding(
                anchor=f"finding-{len(found) + 1}",
                backend=backend,
                status=item["status"],
                message=fields.text(item, "message", LONGEST),
                text=fields.text(item, "text", LONGEST),
                blamed=fields.text(item, "blamed"),
                script=item["script"],
                no_script=fields.text(item, "no_script"),
            )
        numbers = item["programs"] or [0]
        eager = fields.text(item, "eager")
        mode = fields.text(record.header, "mode", 60)
        found[same].seen.append(Seen(key, mode, len(numbers), min(numbers), eager, _command(record.header, min(numbers))))


def _command(header: Mapping[str, Any], number: int) -> str:
    """The command that comes to a program again."""
    options = [f"--{name}={fields.text(header, name, 60)}" for name in ("mode", "dtype", "source")]
    options += [f"--seed={header['seed']}", f"--programs={number + 1}"]
    return " ".join(["tensorproof fuzz", fields.text(header, "backend", 60), *options])


def _with_scripts(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with scripts as long as there is room."""
    room = SCRIPTS
    for item in findings:
        size = len(item.script.encode("utf-8", "replace"))
        if size > room:
            item.script, item.no_script = "", f"it is left out to keep this page small: {size:,} bytes; the record has it"
        room -= len(item.script)
        item.script = fields.clipped(item.script, SCRIPTS)
    return list(findings)


def _known(key: str, record: CampaignRecord) -> Iterator[Known]:
    """What explains the known failures of a campaign, most programs first."""
    messages = (fields.text(line, "message", LONGEST) for line in record.programs if line["status"] == "known_failure")
    counts = Counter(message.removeprefix("declared: ").partition(" [")[0] for message in messages)
    for explanation, count in counts.most_common():
        yield Known(key, explanation, count)
