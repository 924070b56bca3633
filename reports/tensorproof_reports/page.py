"""One self-contained HTML page of one or more runs: verdicts, counts, the matrix, and what is not as it should be."""

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from tensorproof.conformance.checks import STATUSES
from tensorproof.errors import UsageError
from tensorproof.runs.causes.cause import causes_of, consequences_text
from tensorproof.runs.records import Record
from tensorproof.runs.summary import WRONG, compiled_in_part_text, left_out_text, verdict, verdict_text
from tensorproof.runs.verified import instructions_of, lines_about_instructions
from tensorproof_reports import duels, fields
from tensorproof_reports import timings as timing_rows
from tensorproof_reports.timing_page import TimingRecord, sections

SYMBOLS = {
    "passed": "✓",
    "failed": "✗",
    "unsupported": "–",
    "known_failure": "△",
    "not_meaningful": "≈",
    "error": "!",
    "crashed": "†",
    "timed_out": "…",
    "out_of_memory": "▪",
    "fell_back": "↩",
    "not_run": "·",
}
"""A symbol beside every colour."""

MEANINGS = {
    "passed": "within the error bars",
    "failed": "a wrong value",
    "unsupported": "the backend says that it lacks this, and why",
    "known_failure": "a wrong value that is declared and explained",
    "not_meaningful": "rounding swamps the result in this dtype; proves nothing",
    "error": "an exception",
    "crashed": "the process ended",
    "timed_out": "did not end in time",
    "out_of_memory": "memory ran out",
    "fell_back": "computed on another device than asked, or eagerly in a compiled mode",
    "not_run": "planned, but not run",
}

SEVERITY = (
    *("crashed", "timed_out", "out_of_memory", "failed", "error", "fell_back", "known_failure", "not_run", "not_meaningful"),
    *("unsupported", "passed"),
)
"""From the status that a cell shows first to the one that it shows only if there is no other."""


@dataclass
class Cell:
    """One cell of the matrix: an operation in a mode of a backend."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def status(self) -> str:
        """The gravest status in the cell."""
        return next((status for status in SEVERITY if self.counts[status]), "not_run")

    @property
    def text(self) -> str:
        """``24/25``: passed of all that was asked."""
        return f"{self.counts['passed']}/{self.counts.total()}"

    @property
    def title(self) -> str:
        """All counts in words."""
        return ", ".join(f"{self.counts[status]} {status.replace('_', ' ')}" for status in STATUSES if self.counts[status])


@dataclass
class Column:
    """One backend on one device in one mode."""

    run: int
    backend: str
    device: str
    mode: str


KINDS = {"forward": "forward", "gradient": "gradient", "subset": "gradient"}
"""Which checks a matrix row counts where; the others are ``other``."""


def _runs(records: Sequence[Record]) -> list[dict[str, Any]]:
    runs = []
    for record in records:
        counts = Counter(check["status"] for check in record.checks)
        counts["not_run"] += max(0, int(record.header["planned"]) - len(record.checks))
        judged = verdict(record)
        runs.append(
            {
                "name": record.name,
                "header": record.header,
                "counts": counts,
                "total": counts.total(),
                "verdict": judged,
                "verdict_text": verdict_text(judged),
                "complete": record.complete,
                "notes": record.notes,
                "left_out": left_out_text(record),
                "compiled_in_part": compiled_in_part_text(record),
                "instructions": instructions_of(record),
                "about_instructions": lines_about_instructions(record),
            }
        )
    return runs


def _matrix(records: Sequence[Record]) -> tuple[list[Column], dict[str, dict[str, list[Cell | None]]]]:
    columns: list[Column] = []
    cells: dict[str, dict[tuple[str, int], Cell]] = defaultdict(lambda: defaultdict(Cell))
    index: dict[tuple[int, str], int] = {}
    for run, record in enumerate(records):
        for check in record.checks:
            if check["mode"] == "none":
                continue
            key = (run, check["mode"])
            if key not in index:
                index[key] = len(columns)
                columns.append(Column(run, record.header["backend"], record.header["device"], check["mode"]))
            kind = KINDS.get(check["check"], "other")
            cells[check["operation"]][kind, index[key]].counts[check["status"]] += 1
    rows: dict[str, dict[str, list[Cell | None]]] = {}
    for operation in sorted(cells):
        rows[operation] = {
            kind: [cells[operation].get((kind, position)) for position in range(len(columns))]
            for kind in ("forward", "gradient", "other")
        }
    return columns, rows


def _worst_z(check: Mapping[str, Any]) -> str:
    values = [item.get("largest_z") for item in check.get("findings", [])]
    numbers = [value for value in values if isinstance(value, int | float)]
    return f"{max(numbers):.3g}" if numbers else ""


def _cases(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What went wrong, run by run, the gravest first."""
    found = [
        {**check, "backend": record.header["backend"], "worst_z": _worst_z(check)}
        for record in records
        for check in record.checks
        if check["status"] in WRONG or check.get("stale")
    ]
    return sorted(found, key=lambda check: SEVERITY.index(check["status"]) if check["status"] in SEVERITY else -1)


def _causes(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The causes, run by run; known failures last."""
    found = [
        {**cause, "backend": record.header["backend"], "anchor": f"cause-{run}-{number}", "so_also": consequences_text(cause)}
        for run, record in enumerate(records)
        for number, cause in enumerate(causes_of(record))
    ]
    return sorted(found, key=lambda cause: bool(cause["known"]))


def _unsupported(records: Sequence[Record]) -> dict[str, list[tuple[str, str, int]]]:
    """Reasons of what is unsupported, by backend: (operation, reason, number of checks)."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for record in records:
        counts: Counter[tuple[str, str]] = Counter(
            (check["operation"], check["message"]) for check in record.checks if check["status"] == "unsupported"
        )
        rows = [(operation, reason, count) for (operation, reason), count in sorted(counts.items())]
        found.setdefault(f"{record.header['backend']} on {record.header['device']}", []).extend(rows)
    return found


def _made_by(records: Sequence[Record], timings: Sequence[TimingRecord]) -> dict[str, str]:
    """Version of the suite and of the specification, by the first record."""
    headers = [*(record.header for record in records), *(record.header for record in timings)]
    return {name: fields.text(headers[0], name) if headers else "" for name in ("tensorproof", "specification")}


def _subjects(records: Sequence[Record], timings: Sequence[TimingRecord]) -> list[str]:
    """The backends that the page is about."""
    names = [record.header["backend"] for record in records]
    for timed in timings:
        with fields.part_of(timed.name, "its header"):
            names += [fields.text(entry, "backend", 60) for entry in fields.sequence(timed.header, "contenders")[:64]]
    return list(dict.fromkeys(names))


@functools.cache
def _environment() -> jinja2.Environment:
    """The templates, compiled once."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tensorproof_reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(records: Sequence[Record], timings: Sequence[TimingRecord] = ()) -> str:
    """The page as text. Everything that comes from a record is escaped.

    Raises:
        UsageError: something in a record of timings is of a wrong type.
    """
    columns, rows = _matrix(records)
    timing_sections, no_charts = sections(timings)
    return (
        _environment()
        .get_template("page.html")
        .render(
            runs=_runs(records),
            columns=columns,
            rows=rows,
            causes=_causes(records),
            cases=_cases(records),
            unsupported=_unsupported(records),
            statuses=STATUSES,
            symbols=SYMBOLS,
            meanings=MEANINGS,
            subjects=_subjects(records, timings),
            made_by=_made_by(records, timings),
            timing_sections=timing_sections,
            no_charts=no_charts,
            timing_columns=timing_rows.COLUMNS,
            timing_statuses=timing_rows.STATUSES,
            verdicts=duels.VERDICTS,
            verdict_meanings=duels.VERDICT_MEANINGS,
        )
    )


def write_page(records: Sequence[Record], path: Path, timings: Sequence[TimingRecord] = ()) -> None:
    """Write the page of some runs of checks, of timings, or of both.

    Raises:
        UsageError: the file cannot be written, or a record lacks what a page needs.
    """
    try:
        text = page(records, timings)
    except (*fields.MALFORMED, jinja2.UndefinedError) as error:
        names = ", ".join(name or "this run" for name in [*(run.name for run in records), *(run.name for run in timings)])
        raise UsageError(f"a record of {names} is malformed: {type(error).__name__}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"the page {path.name} cannot be written: {error.strerror}") from None
