"""A run as the page shows it: what it was, its verdict, causes and rows. The record itself need not be kept."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tensorproof.runs.causes.cause import alone_lines, causes_with_checks, consequences_text
from tensorproof.runs.records import Record
from tensorproof.runs.summary import compiled_in_part_text, left_out_text, verdict, verdict_text
from tensorproof.runs.verified import instructions_of, lines_about_instructions
from tensorproof_reports import fields
from tensorproof_reports.conformance.changes import Changes, changes_between
from tensorproof_reports.conformance.rows import Rows, cleaned, is_wrong, look_through, rows_of
from tensorproof_reports.conformance.statuses import DECLARED

LONGEST_NAME, LONGEST_LINE = 300, 600
"""Characters of a value of a header, and of a line about a cause, that a page shows."""


@dataclass
class Run:
    """One run on the page."""

    key: str
    """What tells it from the page's other runs, the same in another page of such runs: part of links."""
    backend: str
    device: str
    instructions: str
    header: Mapping[str, Any]
    counts: Counter[str]
    verdict: Mapping[str, Any]
    verdict_text: str
    complete: bool
    notes: list[str]
    left_out: str
    compiled_in_part: str
    about_instructions: list[str]
    causes: list[dict[str, Any]]
    rows: Rows = field(repr=False)
    changes: Changes | None = None
    """Since an earlier run, if there is one."""

    @property
    def total(self) -> int:
        """All checks that were planned."""
        return self.counts.total()

    @property
    def modes(self) -> list[str]:
        """The modes that checks ran in, in the order of the header; what is only declared counts as one if it is wrong."""
        found = dict.fromkeys([*fields.mapping(self.header, "modes"), *self.rows.mode])
        ran = set(self.rows.mode)
        modes = [mode for mode in found if mode != DECLARED and mode in ran]
        wrong = any(mode == DECLARED and is_wrong(status) for mode, status in zip(self.rows.mode, self.rows.status, strict=True))
        return [*modes, DECLARED] if wrong else modes


Earlier = Callable[[Record], Record | None]
"""Finds the earlier run that a run is compared with."""


def runs_of(records: Iterable[Record], earlier: Earlier) -> list[Run]:
    """The runs of some records, each record let go before the next is asked for.

    Args:
        records: read or being read.
        earlier: finds the run that each is compared with.
    """
    runs: list[Run] = []
    for record in records:
        with fields.part_of(record.name, "its header or a check"):
            runs.append(_run(record, earlier(record)))
    for run, key in zip(runs, _keys(runs), strict=True):
        run.key = key
        for cause in run.causes:
            cause["anchor"] = anchor("cause", key, cause["name"])
    return runs


def anchor(*names: str) -> str:
    """The id of an element, made of names.

    >>> anchor("cause", "my backend", "softmax-nan-lost")
    'cause:my-backend:softmax-nan-lost'
    """
    return ":".join(re.sub(r"[^\w./-]+", "-", name) for name in names)


def _run(record: Record, earlier: Record | None) -> Run:
    look_through(record)
    header = record.header
    changes = changes_between(earlier, record) if earlier else None
    found = causes_with_checks(record)
    counts = Counter(str(check["status"]) for check in record.checks)
    counts["not_run"] += max(0, int(header["planned"]) - len(record.checks))
    judged = verdict(record)
    return Run(
        record.name,
        fields.name_of(header, "backend"),
        fields.name_of(header, "device"),
        fields.clipped(instructions_of(record), 80),
        cleaned(header, LONGEST_NAME),
        counts,
        judged,
        fields.clipped(verdict_text(judged)),
        record.complete,
        [fields.clipped(note) for note in record.notes],
        fields.clipped(left_out_text(record)),
        fields.clipped(compiled_in_part_text(record), LONGEST_LINE),
        [fields.clipped(line, LONGEST_LINE) for line in lines_about_instructions(record)],
        [_cause(record, line, members) for line, members in found],
        rows_of(
            record,
            [members for _, members in found],
            {line["smallest"]["check"] for line, _ in found},
            changes.flags if changes else {},
        ),
        changes,
    )


def _cause(record: Record, line: dict[str, Any], members: frozenset[int]) -> dict[str, Any]:
    """A cause as the page shows it, with texts of a bearable length."""
    told = {
        **line,
        "so_also": consequences_text(line),
        "alone": "; ".join(alone_lines(line)),
        **_declared(record, line, members),
    }
    found: dict[str, Any] = cleaned(told, LONGEST_LINE)
    return found


def _declared(record: Record, cause: Mapping[str, Any], members: frozenset[int]) -> dict[str, str]:
    """Explanation and upstream issue of the declaration that a known failure is of; empty texts for others."""
    source = record.checks[min(members)].get("declaration") if cause["known"] and members else None
    for item in fields.sequence(record.header, "declarations"):
        table = fields.mapping({"declarations": item}, "declarations")
        if source and table.get("source") == source:
            return {"explanation": fields.text(table, "explanation"), "issue": fields.text(table, "issue")}
    return {"explanation": "", "issue": ""}


def _keys(runs: list[Run]) -> list[str]:
    """Names of runs that differ: the backend, then its device, its instruction set and its number where these are needed."""
    parts: list[list[str]] = [[run.backend] for run in runs]
    for more in ([run.device for run in runs], [run.instructions for run in runs]):
        values: dict[tuple[str, ...], set[str]] = {}
        for own, value in zip(parts, more, strict=True):
            values.setdefault(tuple(own), set()).add(value)
        parts = [[*own, value] if len(values[tuple(own)]) > 1 else own for own, value in zip(parts, more, strict=True)]
    names = ["/".join(own) for own in parts]
    seen: Counter[str] = Counter()
    for position, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[position] = f"{name}/{seen[name]}"
    return names
