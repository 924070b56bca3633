"""Records as other programs read them: CSV, JUnit XML, a Markdown summary for a pull request, a badge.

What records supply is text in each of them: it is quoted, cut, and begins no formula.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tensorproof.errors import UsageError
from tensorproof.lines.outputs import write_beside
from tensorproof.runs.causes.cause import alone_lines, causes_of, consequences_text
from tensorproof.runs.records import Record, check_key
from tensorproof.runs.summary import counts_by_mode, verdict, verdict_text
from tensorproof_reports import fields
from tensorproof_reports.conformance.statuses import SYMBOLS, words
from tensorproof_reports.timing_page import TimingRecord
from tensorproof_reports.timings import clock_of

CHECK_COLUMNS = ("operation", "sample", "dtype", "mode", "check", "status", "required", "stale", "unverified", "source")
TIMING_COLUMNS = ("operation", "workload", "direction", "dtype", "contender", "backend", "device", "mode", "family", "status")
SHOWN_CAUSES = 12

FAILURES = ("failed", "fell_back")
ERRORS = ("error", "crashed", "timed_out", "out_of_memory")
"""Statuses that JUnit calls failures and errors; the others are passes or skipped."""

GOOD, BAD, OPEN = "#1a6b9a", "#a33d00", "#5b6570"
"""Colours of a badge: conforms, does not conform, incomplete; white text on each has a contrast of 4.5 at least."""


def write_export(records: Sequence[Record], timings: Sequence[TimingRecord], path: Path) -> None:
    """Write records in the format that the file's name asks for.

    Raises:
        UsageError: no format has that name, the records are of the wrong kind for it, or the file cannot be written.
    """
    makers: Mapping[str, Callable[[Sequence[Record], Sequence[TimingRecord]], str]] = {
        ".csv": csv_text,
        ".xml": junit_text,
        ".md": markdown_text,
        ".svg": badge_text,
    }
    maker = makers.get(path.suffix)
    if maker is None:
        raise UsageError(f"-o: {path.name}: write to a file that ends in {', '.join(makers)}")
    names = [*(record.name for record in records), *(record.name for record in timings)]
    with fields.part_of(", ".join(names), "a line"):
        text = maker(records, timings)
    try:
        write_beside(path, text)
    except OSError as error:
        raise UsageError(f"-o: {path.name} cannot be written: {error.strerror}") from None


def _plain(value: object) -> str:
    """A value as a cell of a spreadsheet: text that would begin a formula gets an apostrophe.

    >>> _plain("=1+2"), _plain(-0.5), _plain(None), _plain("relu")
    ("'=1+2", '-0.5', '', 'relu')
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = fields.clipped(str(value)).replace("\n", " ")
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def csv_text(records: Sequence[Record], timings: Sequence[TimingRecord]) -> str:
    """A line for each check, or for each series.

    Raises:
        UsageError: there are records of both kinds.
    """
    if records and timings:
        raise UsageError("a CSV file holds checks or timings; export the records of one kind")
    lines = _check_lines(records) if records else _timing_lines(timings)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_plain(cell) for cell in line] for line in lines)
    return out.getvalue()


def _check_lines(records: Iterable[Record]) -> Iterator[list[Any]]:
    yield ["backend", "device", *CHECK_COLUMNS, "largest_bars", "rms_bars", "duration_ns", "message", "command"]
    for record in records:
        for check in record.checks:
            numbers = [
                [value for item in check["findings"] if isinstance(value := item.get(name), int | float)]
                for name in ("largest_z", "rms_z")
            ]
            yield [
                *(record.header.get(name) for name in ("backend", "device")),
                *(check.get(name) for name in CHECK_COLUMNS),
                *(max(found, default=None) for found in numbers),
                *(check.get(name) for name in ("duration_ns", "message", "command")),
            ]


def _timing_lines(records: Iterable[TimingRecord]) -> Iterator[list[Any]]:
    rates = ("flops_per_s", "bytes_per_s", "roof", "roof_share")
    yield [
        *(*TIMING_COLUMNS, "clock", "median_ns", "low_ns", "high_ns", *rates),
        *("compile_cold_ns", "compile_warm_ns", "peak_bytes", "largest_bars", "not_trusted", "message", "command"),
    ]
    for record in records:
        for line in record.timings:
            clock, measured = clock_of(line)
            compiled = fields.mapping(line, "compile")
            trust = fields.mappings(line, "trust")
            yield [
                *(line.get(name) for name in TIMING_COLUMNS),
                clock,
                *(fields.number(measured, name) for name in ("median_ns", "low_ns", "high_ns")),
                *(fields.mapping(line, "rates").get(name) for name in rates),
                *(fields.number(fields.mapping(compiled, name), "total_ns") for name in ("cold", "warm")),
                fields.number(fields.mapping(line, "memory"), "peak_bytes"),
                fields.mapping(line, "error").get("largest_bars"),
                " ".join(name for name, found in trust.items() if found.get("ok") is False),
                *(line.get(name) for name in ("message", "command")),
            ]


def _of_checks(records: Sequence[Record], what: str) -> None:
    if not records:
        raise UsageError(f"{what} is made of records of conformance")


def junit_text(records: Sequence[Record], timings: Sequence[TimingRecord]) -> str:
    """A test suite for each run, a test case for each check; checks that were planned and not run are counted as skipped.

    Raises:
        UsageError: there is no record of checks.
    """
    _of_checks(records, "JUnit XML")
    root = ElementTree.Element("testsuites")
    for record in records:
        suite = ElementTree.SubElement(root, "testsuite", name=_name(record))
        for check in record.checks:
            _test_case(suite, record, check)
        missing = max(0, int(record.header["planned"]) - len(record.checks))
        if missing:
            case = ElementTree.SubElement(suite, "testcase", classname=_name(record), name=f"{missing} checks that were not run")
            ElementTree.SubElement(case, "error", message="the run was killed, or part of it is missing")
        for name, tags in (("failures", {"failure"}), ("errors", {"error"}), ("skipped", {"skipped"})):
            suite.set(name, str(sum(child.tag in tags for case in suite for child in case)))
        suite.set("tests", str(len(suite)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _name(record: Record) -> str:
    return f"{fields.text(record.header, 'backend', 80)} on {fields.text(record.header, 'device', 80)}"


def _test_case(suite: ElementTree.Element, record: Record, check: Mapping[str, Any]) -> None:
    status, message = fields.name_of(check, "status"), fields.text(check, "message", 2000)
    seconds = (fields.number(check, "duration_ns") or 0.0) / 1e9
    place = f"{fields.text(record.header, 'backend', 80)}.{fields.name_of(check, 'mode')}.{fields.name_of(check, 'operation')}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=place, name=fields.clipped(check_key(check)), time=f"{seconds:.3f}"
    )
    if status == "passed":
        return
    tag = "failure" if status in FAILURES else "error" if status in ERRORS else "skipped"
    told = ElementTree.SubElement(case, tag, type=status, message=f"{words(status)}: {message}")
    if tag != "skipped":
        told.text = f"{fields.text(check, 'command', 1000)}\n{fields.text(check, 'traceback', 4000)}"


def code(text: str) -> str:
    """Text as code in Markdown, where nothing in it is markup; a table's bar is escaped.

    >>> code("a|b `c` <img> @me")
    '`a\\\\|b ´c´ <img> @me`'
    """
    plain = fields.clipped(" ".join(text.split())).replace("`", "´").replace("|", "\\|")
    return f"`{plain}`" if plain else "–"


def markdown_text(records: Sequence[Record], timings: Sequence[TimingRecord]) -> str:
    """A summary for a pull request that reads well as plain text too: verdicts, counts, causes with their commands.

    Raises:
        UsageError: there is no record of checks.
    """
    _of_checks(records, "a summary")
    lines = ["# Conformance", ""]
    for record in records:
        judged = verdict(record)
        symbol = {"conforms": "✓", "incomplete": "·"}.get(judged["word"], "✗")
        lines += [f"**{symbol} {code(_name(record))} {judged['word']}**", "", f"{verdict_text(judged)}.", ""]
        if not record.complete:
            lines += ["The run was killed, or part of it is missing.", ""]
        lines += [*_counts(record), ""]
        lines += _causes(record)
    return "\n".join(lines).rstrip() + "\n"


def _counts(record: Record) -> list[str]:
    modes = counts_by_mode(record.checks)
    shown = [status for status in SYMBOLS if any(counts[status] for counts in modes.values())]
    rows = [["mode", *(f"{SYMBOLS[status]} {words(status)}" for status in shown)]]
    rows.append(["---"] * len(rows[0]))
    rows += [[code(mode), *(str(counts[status] or "") for status in shown)] for mode, counts in modes.items() if mode != "none"]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]


def _causes(record: Record) -> list[str]:
    causes = [cause for cause in causes_of(record) if not cause["known"]]
    lines = []
    for cause in causes[:SHOWN_CAUSES]:
        also = f" So also: {code(consequences_text(cause))}." if cause["consequences"] else ""
        as_if = f" As if: {code(cause['diagnosis'])}." if cause["diagnosis"] else ""
        alone = f" Its smallest case {code('; '.join(alone_lines(cause)))}." if alone_lines(cause) else ""
        lines += [f"- {code(cause['headline'])}.{as_if}{also}{alone}", ""]
        lines += [f"      {fields.text(cause['smallest'], 'command')}", ""]
    if len(causes) > SHOWN_CAUSES:
        lines += [f"… and {len(causes) - SHOWN_CAUSES} more causes; `tensorproof report` writes a page of all.", ""]
    return lines


def badge_text(records: Sequence[Record], timings: Sequence[TimingRecord]) -> str:
    """An SVG badge: what was checked, and the verdict. A missing part is told, and never green.

    Raises:
        UsageError: there is no record of checks.
    """
    _of_checks(records, "a badge")
    found = [verdict(record) for record in records]
    order = ("does not conform", "incomplete", "conforms at reduced precision", "conforms")
    word = min((judged["word"] for judged in found), key=order.index)
    passed, required = sum(judged["passed"] for judged in found), sum(judged["required"] for judged in found)
    right = f"{word} · {passed}/{required}"
    left = "tensorproof " + ", ".join(dict.fromkeys(fields.text(record.header, "backend", 24) for record in records))
    left_width, right_width = 7 * len(left) + 12, 7 * len(right) + 12
    colour = {"conforms": GOOD, "incomplete": OPEN}.get(word, BAD)
    total = str(left_width + right_width)
    said = {"role": "img", "aria-label": f"{left}: {right}"}
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "width": total, "height": "20", **said})
    for x, width, fill in ((0, left_width, "#32383e"), (left_width, right_width, colour)):
        ElementTree.SubElement(root, "rect", x=str(x), width=str(width), height="20", fill=fill)
    for x, width, text in ((0, left_width, left), (left_width, right_width, right)):
        at = {"x": str(x + width // 2), "y": "14", "text-anchor": "middle", "textLength": str(width - 12)}
        style = {"fill": "#fff", "font-family": "Verdana, DejaVu Sans, sans-serif", "font-size": "11"}
        ElementTree.SubElement(root, "text", {**at, **style}).text = text
    return ElementTree.tostring(root, encoding="unicode") + "\n"
