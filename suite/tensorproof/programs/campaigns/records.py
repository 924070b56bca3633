"""The record of a campaign: what was asked, a line for each program and finding, and how it ended."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.reading import LONGEST_LINE, name_of, opened, parsed_json, read_lines, require_counts, require_each_once
from tensorproof.lines.schema import Schema
from tensorproof.runs.recording import now
from tensorproof.runs.resume import require_same

FORMAT = 2
SCHEMA = Schema(
    "tensorproof.programs.campaigns", "campaign.schema.json", "record of a campaign", first="campaign", format=FORMAT, last="end"
)
RESUMED = (
    *("tensorproof", "specification", "backend", "device", "mode", "dtype", "seed", "source"),
    *("versions", "instructions", "machine"),
)
"""What must be the same for a record to be gone on with."""
BAD = ("failed", "error", "fell_back", "crashed", "timed_out", "out_of_memory")
"""The statuses that are findings, unless they are declared."""


@dataclass
class CampaignRecord:
    """The lines of a campaign."""

    header: Mapping[str, Any]
    programs: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    declared: list[dict[str, Any]] = field(default_factory=list)
    """The programs that are declared to fail, and what became of them in this mode."""
    end: dict[str, Any] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many programs there are of each status."""
        return dict(Counter(line["status"] for line in self.programs))

    @property
    def coverage(self) -> dict[str, int]:
        """How often operations followed each other, by ``first>second``, in programs that mean something."""
        return self._counted("pairs")

    @property
    def casts(self) -> dict[str, int]:
        """How many programs that mean something cast one dtype to another, by ``float32>bfloat16``."""
        return self._counted("casts")

    @property
    def memory(self) -> dict[str, int]:
        """How many programs that mean something have an input that lies in memory in some way, besides contiguous."""
        return self._counted("memory")

    def _counted(self, name: str) -> dict[str, int]:
        """How often words stand in a field, which older lines may lack, of programs that mean something."""
        judged = [line for line in self.programs if line["status"] not in ("not_meaningful", "unsupported")]
        return dict(sorted(Counter(word for line in judged for word in line.get(name, ())).items()))


def record_of(lines: Iterable[dict[str, Any]]) -> CampaignRecord:
    """The record of its lines, header first. A finding that was found again has several lines; the last one counts."""
    header, *others = lines
    record = CampaignRecord(header)
    findings: dict[str, dict[str, Any]] = {}
    for line in others:
        if line["kind"] == "program":
            record.programs.append(line)
        elif line["kind"] == "finding":
            findings[line["key"]] = line
        elif line["kind"] == "declared":
            record.declared.append(line)
        else:
            record.end = line
    record.findings = list(findings.values())
    return record


def is_campaign(path: Path) -> bool:
    """Whether a file begins like a record of a campaign."""
    try:
        with opened(path) as file:
            line = parsed_json(file.readline(LONGEST_LINE))
    except (OSError, ValueError):
        return False
    return isinstance(line, dict) and line.get("kind") == SCHEMA.first


def read_campaign(path: Path) -> CampaignRecord:
    """The record in a file.

    Raises:
        UsageError: it cannot be read, is none, or its lines do not fit each other.
    """
    found = read_lines(path, SCHEMA).values
    what = f"{SCHEMA.what} {name_of(path)}"
    require_each_once(what, found, lambda line: line["number"] if line["kind"] == "program" else None)
    record = record_of(found)
    require_counts(what, "programs", record.end, record.counts)
    return record


def kept_lines(path: Path, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a record that this campaign goes on with.

    Raises:
        UsageError: it is no record of a campaign, or of another one.
    """
    record = read_campaign(path)
    require_same(path, record.header, header, RESUMED)
    planned = header.get("planned")
    if planned is not None and len(record.programs) >= planned:
        raise UsageError(f"--resume: {name_of(path)} has all {planned} programs already; give more --programs")
    return [{**record.header, "planned": planned}, *record.programs, *record.findings]


def closing_line(record: CampaignRecord, seconds: float, framework: float, ended: str) -> dict[str, Any]:
    """The last line: counts, coverage, where the time went, and why the campaign ended early, if it did."""
    return {
        "kind": "end",
        "finished": now(),
        "counts": record.counts,
        "coverage": record.coverage,
        "casts": record.casts,
        "memory": record.memory,
        "seconds": {"total": round(seconds, 2), "workers": round(framework, 2)},
        **({"ended": ended} if ended else {}),
    }


def verdict_text(record: CampaignRecord) -> str:
    """The verdict, as the last line says it."""
    header, counts = record.header, record.counts
    words = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(counts.items()))
    new = [item for item in record.findings if item["status"] in BAD]
    name = f"{header['backend']} {header['mode']} {header['dtype']}"
    told = f"{len(new)} finding{'s' * (len(new) != 1)}" if new else "no finding"
    return f"{name}: {told} in {len(record.programs):,} programs ({words or 'none'})"
