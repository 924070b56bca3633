"""A run's checks as columns, small enough for tens of thousands of them, and the details of those that have any."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorproof.runs.records import Record
from tensorproof.runs.summary import WRONG
from tensorproof_reports import fields
from tensorproof_reports.fields import Line

REQUIRED, STALE, UNVERIFIED, NEW, FIXED = 1, 2, 4, 8, 16
"""Bits of the column ``flags``. New: wrong now and not in the earlier run. Fixed: the other way round."""

PLACES = ("op", "sample", "dtype", "mode", "check")
"""Options of a command that name its check: they are left out of the command's text, and put in again by the page."""

DETAILS_OF_A_RUN = 4_000_000
"""Characters of details that are kept of one run, the most needed first; a page has no room for more in any case."""

FIRST_OF_A_CAUSE = 5
"""Checks of a cause whose details go before those of all others."""

TRAINED = ("training", "fitting")
"""Checks whose course the page draws, also where they pass."""

SILENT = ("unsupported", "not_run")
"""Statuses of checks that gave nothing to look at: their rows say why."""

DEEPEST, LONGEST_LIST, LONGEST_TEXT = 6, 400, 8000
"""What a page keeps of a value of a record: records come from other people."""


@dataclass
class Rows:
    """The checks of a run, column by column, in the order of operation, sample, dtype, check and mode."""

    operation: list[str] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    dtype: list[str] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    bars: list[float | str | None] = field(default_factory=list)
    """The largest error of all outputs, in bars; a word where it is no number; ``None`` where there is none."""
    rms: list[float | str | None] = field(default_factory=list)
    note: list[str] = field(default_factory=list)
    """Why a check says nothing: the reason of what is unsupported or was not run."""
    command: list[str] = field(default_factory=list)
    """The command, with the name of an option and ``=`` alone where the row's own value stands."""
    cause: list[list[int]] = field(default_factory=list)
    """Positions in the run's list of causes."""
    need: list[int] = field(default_factory=list)
    """How much a row's details are needed: 0 most."""
    details: list[str] = field(default_factory=list, repr=False)
    """JSON; empty where there is nothing to say or no room."""
    folded: int = 0
    """Checks whose details were left out here, and how many of these are wrong."""
    folded_wrong: int = 0

    def __len__(self) -> int:
        return len(self.operation)

    def key(self, index: int) -> str:
        """A row's name, as ``records.check_key`` makes it."""
        place = (self.mode[index], self.operation[index], self.sample[index], self.dtype[index])
        return f"{self.check[index]}[{'-'.join(place)}]"


def rows_of(record: Record, causes: Sequence[frozenset[int]], smallest: Collection[str], changed: Mapping[str, int] = {}) -> Rows:
    """The rows of a record.

    Args:
        record: the record as read.
        causes: by cause, the positions of its checks in the record.
        smallest: keys of the checks that are easiest to look at.
        changed: flags to add, by key of a check.
    """
    of_check: dict[int, list[int]] = {}
    for number, members in enumerate(causes):
        for index in members:
            of_check.setdefault(index, []).append(number)
    rows = Rows()
    order = sorted(range(len(record.checks)), key=lambda index: _order(record.checks[index]))
    for index in order:
        with fields.part_of(record.name, f"check {index + 1}"):
            _add(rows, record.checks[index], of_check.get(index, []), changed)
    rows.need = _needs(rows, smallest)
    rows.details = [""] * len(rows)
    room = DETAILS_OF_A_RUN
    for row in sorted(range(len(rows)), key=rows.need.__getitem__):
        if rows.status[row] in SILENT:
            continue
        with fields.part_of(record.name, f"check {order[row] + 1}"):
            details = _details(record.checks[order[row]]) if room > 0 else ""
        room -= len(details)
        rows.details[row] = details if room > 0 else ""
        if room <= 0:
            rows.folded += 1
            rows.folded_wrong += is_wrong(rows.status[row])
    return rows


NAMED = ("operation", "sample", "dtype", "mode", "check", "status")


def look_through(record: Record) -> None:
    """See that each check has its names, before anything is made of them.

    Raises:
        UsageError: one has not; the message says which.
    """
    for number, check in enumerate(record.checks, start=1):
        if not all(isinstance(check.get(name), str) for name in NAMED):
            with fields.part_of(record.name, f"check {number}"):
                for name in NAMED:
                    fields.name_of(check, name)
                    if check[name] is None:
                        raise TypeError(f"{name} must be a text, not null")


def _order(check: Line) -> tuple[str, ...]:
    return tuple(str(check.get(name)) for name in ("operation", "sample", "dtype", "check", "mode"))


def _add(rows: Rows, check: Line, causes: list[int], changed: Mapping[str, int]) -> None:
    """Append a row."""
    place = {name: fields.name_of(check, name) for name in ("operation", "sample", "dtype", "mode", "check")}
    for name, value in place.items():
        getattr(rows, name).append(value)
    rows.status.append(fields.name_of(check, "status"))
    flags = REQUIRED * bool(check.get("required")) + STALE * bool(check.get("stale")) + UNVERIFIED * bool(check.get("unverified"))
    rows.flags.append(flags + changed.get(rows.key(-1), 0))
    findings = findings_of(check)
    rows.bars.append(_largest(findings, "largest_z"))
    rows.rms.append(_largest(findings, "rms_z"))
    rows.note.append(fields.text(check, "message", 600) if rows.status[-1] in SILENT else "")
    rows.command.append(_general(fields.text(check, "command", 1000), {**place, "op": place["operation"]}))
    rows.cause.append(causes)


def findings_of(check: Line) -> list[Line]:
    """The findings of a check."""
    return [fields.mapping({"findings": item}, "findings") for item in fields.sequence(check, "findings")]


def _needs(rows: Rows, smallest: Collection[str]) -> list[int]:
    """By row how much its details are needed: 0 for a few of each cause, 1 for what else is wrong or trained, 2 for the rest."""
    told: Counter[int] = Counter()
    needs = []
    for row, (status, causes) in enumerate(zip(rows.status, rows.cause, strict=True)):
        if not is_wrong(status):
            needs.append(1 if rows.check[row] in TRAINED else 2)
        elif any(told[cause] < FIRST_OF_A_CAUSE for cause in causes) or rows.key(row) in smallest:
            told.update(causes)
            needs.append(0)
        else:
            needs.append(1)
    return needs


def _largest(findings: list[Line], name: str) -> float | str | None:
    """The largest of the findings' numbers, to three digits; a word (nan, shape) is larger than any.

    What fails without a number, as NaN in the place of one does, gives the reason.
    """
    numbers: list[float] = []
    for finding in findings:
        value = finding.get(name)
        if value is None and finding.get("outcome") == "failed" and name == "largest_z":
            value = fields.text(finding, "reason", 20) or None
        if isinstance(value, str):
            return fields.clipped(value, 20)
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append(float(value))
    if not numbers:
        return None
    largest = max(numbers)
    return float(f"{largest:.3g}") if abs(largest) < float("inf") else str(largest)


def _general(command: str, place: Mapping[str, str]) -> str:
    """A command without the row's own values, so that thousands share one.

    >>> _general("tensorproof check numpy --op=relu --mode=eager", {"op": "relu", "mode": "eager"})
    'tensorproof check numpy --op= --mode='
    """
    words = command.split(" ")
    own = {f"--{name}={place[name]}": f"--{name}=" for name in PLACES if name in place}
    return " ".join(own.get(word, word) for word in words)


def specific(command: str, place: Mapping[str, str]) -> str:
    """A command with a row's own values put in again.

    >>> specific("tensorproof check numpy --op= --mode=eager", {"op": "relu", "mode": "eager"})
    'tensorproof check numpy --op=relu --mode=eager'
    """
    own = {f"--{name}=": f"--{name}={place[name]}" for name in PLACES if name in place}
    return " ".join(own.get(word, word) for word in command.split(" "))


def _details(check: Line) -> str:
    """What a page shows of one check beyond its row, as JSON."""
    findings, told = findings_of(check), dict[str, Any]()
    if check["status"] == "passed":
        told["f"] = [
            _curve(finding)
            if isinstance(finding.get("got"), list)
            else [finding.get("output"), _short(finding.get("largest_z")), _short(finding.get("rms_z")), finding.get("size")]
            for finding in findings
        ]
        if not findings or check.get("stale"):
            told["message"] = check.get("message")
    else:
        told["f"] = [
            _curve(finding)
            if isinstance(finding.get("got"), list)
            else {name: value for name, value in finding.items() if name != "label"}
            for finding in findings
        ]
        told["message"] = check.get("message")
        told.update({name: check[name] for name in ("traceback", "placement") if check.get(name)})
    told.update({name: check[name] for name in ("declaration", "inputs") if check.get(name)})
    try:
        text = _json(told)
    except ValueError:
        return _json(cleaned(told))
    # Most details are short and plain; others are looked through.
    return text if len(text) <= LONGEST_TEXT and text.isprintable() else _json(cleaned(told))


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def _curve(finding: Line) -> dict[str, Any]:
    """A sequence over training steps, with as many digits as a chart shows."""
    got, expected = (
        [float(f"{value:.6g}") if isinstance(value, float) else value for value in fields.sequence(finding, name)]
        for name in ("got", "expected")
    )
    numbers = {"steps": finding["steps"]} if "steps" in finding else {}
    return {"output": finding.get("output"), "got": got, "expected": expected, **numbers}


def _short(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def cleaned(value: Any, longest: int = LONGEST_TEXT, depth: int = 0) -> Any:
    """A value of a record as a page may hold it: numbers that are none as words, long texts and lists cut, no control characters.

    >>> cleaned({"a": [float("nan"), 1, "b" * 3]})
    {'a': ['nan', 1, 'bbb']}
    """
    if isinstance(value, str):
        return fields.clipped(value, longest)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)[:40]
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:LONGEST_LIST]
        return {fields.clipped(str(name), 120): cleaned(item, longest, depth + 1) for name, item in items}
    if isinstance(value, list | tuple):
        return [cleaned(item, longest, depth + 1) for item in value[:LONGEST_LIST]]
    return fields.clipped(str(value), longest)


def is_wrong(status: str) -> bool:
    """Whether a status is one of something wrong, declared or not."""
    return status in WRONG
