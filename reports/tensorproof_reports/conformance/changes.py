"""What changed in a run since an earlier one of the same backend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorproof.runs.baseline import compare
from tensorproof.runs.records import Record
from tensorproof_reports import fields
from tensorproof_reports.conformance.rows import FIXED, NEW

LISTED = 60
"""Checks that are gone, of which a page lists so many."""


@dataclass(frozen=True)
class Changes:
    """The changes, ready to be shown."""

    since: str
    """The earlier run: its file and when it began."""
    line: str
    notes: tuple[str, ...]
    causes: tuple[str, ...]
    missing: tuple[str, ...]
    """Checks that ran before and did not now, the first of them."""
    counts: Mapping[str, int]
    """How many are newly wrong, fixed and missing."""
    versions: list[tuple[str, str, str]]
    """Packages and settings that differ: name, before, now."""
    flags: Mapping[str, int]
    """Bits of the rows' flags, by key of the check."""


def changes_between(old: Record, new: Record) -> Changes:
    """The changes from one record to another.

    Raises:
        TypeError: a header holds something of a wrong type.
    """
    found = compare(old, new)
    flags = dict.fromkeys(found.new_failures, NEW) | dict.fromkeys(found.fixed, FIXED)
    started = fields.text(old.header, "started", 40)
    return Changes(
        f"{old.name}, begun {started}" if started else old.name,
        found.line,
        found.notes,
        found.causes,
        found.missing[:LISTED],
        {"newly wrong": len(found.new_failures), "fixed": len(found.fixed), "missing": len(found.missing)},
        _differing(old.header, new.header),
        flags,
    )


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Versions, settings and facts of the machine that differ, by name."""
    before, after = _facts(old), _facts(new)
    return [
        (name, before.get(name, "–"), after.get(name, "–"))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _facts(header: Mapping[str, Any]) -> dict[str, str]:
    machine = {name: str(value) for name, value in fields.mapping(header, "machine").items() if name != "threads"}
    instructions = fields.text(fields.mapping(header, "instructions"), "name")
    facts = {"tensorproof": fields.text(header, "tensorproof"), "specification": fields.text(header, "specification")}
    facts |= {"instruction set": instructions, **fields.words(header, "versions"), **fields.words(header, "arithmetic")}
    return {name: value for name, value in {**facts, **machine}.items() if value}
