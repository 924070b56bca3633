"""One self-contained HTML page of one or more runs: verdicts, counts, the matrix, and what is not as it should be."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from tensorproof.backends import UsageError
from tensorproof.checks import STATUSES
from tensorproof.records import Record
from tensorproof.summary import WRONG, left_out_text, verdict, verdict_text

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
    "fell_back": "computed on another device than asked",
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


def page(records: Sequence[Record]) -> str:
    """The page as text. Everything that comes from a record is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tensorproof_reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    columns, rows = _matrix(records)
    return environment.get_template("page.html").render(
        runs=_runs(records),
        columns=columns,
        rows=rows,
        cases=_cases(records),
        unsupported=_unsupported(records),
        statuses=STATUSES,
        symbols=SYMBOLS,
        meanings=MEANINGS,
    )


def write_page(records: Sequence[Record], path: Path) -> None:
    """Write the page of some runs.

    Raises:
        UsageError: the file cannot be written, or a record lacks what a page needs.
    """
    try:
        text = page(records)
    except (KeyError, TypeError, ValueError, AttributeError, jinja2.UndefinedError) as error:
        names = ", ".join(record.name or "this run" for record in records)
        raise UsageError(f"a record of {names} is malformed: {type(error).__name__}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the page {path.name} cannot be written: {error.strerror}") from None
