"""What the page of one operation tells: the state of every backend by mode and dtype, its causes, and what fails."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tensorproof_reports import fields, units
from tensorproof_reports.conformance.accuracy import rank
from tensorproof_reports.conformance.matrix import Cell
from tensorproof_reports.conformance.rows import is_wrong, specific
from tensorproof_reports.conformance.runs import Run, anchor
from tensorproof_reports.conformance.statuses import DECLARED, GRADIENTS, VALUES, part_of

WHOLE = 40
"""Failing checks of a backend that a page shows whole; of the others, a line each."""

FACTS = {
    "largest_z": "largest error, bars (limit 10)",
    "rms_z": "rms, bars (limit 2)",
    "outside": "elements outside",
    "size": "elements",
    "index": "at",
    "got": "got",
    "expected": "expected",
    "bar": "bar",
    "input": "input there",
    "shapes": "shapes",
    "keywords": "keywords",
    "fits": "as if",
}
"""What a finding says, in the order of the page, and its name there."""


@dataclass
class State:
    """A backend in one mode and dtype."""

    run: str
    mode: str
    dtype: str
    values: Cell = field(default_factory=Cell)
    gradients: Cell = field(default_factory=Cell)
    worst: float | str | None = None
    """The largest error, in bars; a word where it is no number."""
    worst_rms: float | str | None = None
    """The largest root mean square, in bars; a word where it is no number."""
    worst_passing: float | None = None
    anchor: str = ""
    """Of the failing check that the largest error is of."""


@dataclass(frozen=True)
class Case:
    """A failing check."""

    anchor: str
    run: str
    key: str
    status: str
    bars: str
    causes: list[tuple[str, str]]
    """Anchor and name of each."""
    address: str
    """Of the same check on the page of the runs."""
    command: str
    whole: bool
    message: str = ""
    findings: list[tuple[str, list[tuple[str, str]], list[str]]] = field(default_factory=list)
    """By output: what is wrong, as names and values, and the rows of the map of its errors."""
    traceback: str = ""


def file_name(operation: str) -> str:
    """The name of an operation's page: its own, where a file may have that on any system.

    >>> file_name("conv2d"), file_name("../Conv")
    ('conv2d.html', 'conv-c3358f1d.html')
    """
    if re.fullmatch(r"[a-z][a-z0-9_]{0,79}", operation) and not re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", operation):
        return f"{operation}.html"
    plain = re.sub(r"[^a-z0-9_]+", "-", operation.lower()).strip("-")[:40]
    return f"{plain or 'operation'}-{hashlib.sha256(operation.encode('utf-8', 'replace')).hexdigest()[:8]}.html"


def rows_by_operation(run: Run) -> dict[str, list[int]]:
    """The rows of each operation."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for index, operation in enumerate(run.rows.operation):
        found[operation].append(index)
    return dict(found)


def states(run: Run, rows: Sequence[int]) -> list[State]:
    """A backend's states by mode, then by dtype."""
    columns, found = run.rows, dict[tuple[str, str], State]()
    for row in rows:
        place = (columns.mode[row], columns.dtype[row])
        state = found.setdefault(place, State(run.key, *place))
        cell = {VALUES: state.values, GRADIENTS: state.gradients}[part_of(columns.check[row])]
        cell.counts[columns.status[row]] += 1
        bars = columns.bars[row]
        if bars is not None and _size(bars) > _size(state.worst):
            state.worst = bars
            state.anchor = _anchor(run, columns.key(row)) if is_wrong(columns.status[row]) else ""
        if columns.rms[row] is not None and _size(columns.rms[row]) > _size(state.worst_rms):
            state.worst_rms = columns.rms[row]
        if isinstance(bars, float) and columns.status[row] == "passed":
            state.worst_passing = max(bars, state.worst_passing or 0.0)
    order = [*run.modes, "none"]
    return sorted(found.values(), key=lambda state: (order.index(state.mode), *rank(state.dtype)))


def by_sample(asked: Iterable[tuple[Run, Sequence[int]]]) -> list[tuple[str, list[Cell]]]:
    """By sample, in the order in which the runs name them, a cell for each run; of a run without it an empty one.

    What a backend declares is checked without a sample, so it has no place here.
    """
    runs = [(run, [row for row in rows if run.rows.mode[row] != DECLARED]) for run, rows in asked]
    names = dict.fromkeys(run.rows.sample[row] for run, rows in runs for row in rows)
    found = {name: [Cell() for _ in runs] for name in names}
    for number, (run, rows) in enumerate(runs):
        for row in rows:
            found[run.rows.sample[row]][number].counts[run.rows.status[row]] += 1
    return list(found.items())


def _size(bars: float | str | None) -> float:
    """Words are larger than any number."""
    return -1.0 if bars is None else bars if isinstance(bars, float) else float("inf")


def cases(run: Run, rows: Sequence[int]) -> list[Case]:
    """The failing checks, undeclared ones first; those whose details are most needed are whole."""
    columns = run.rows
    wrong = [row for row in rows if is_wrong(columns.status[row])]
    wrong.sort(key=lambda row: (columns.status[row] == "known_failure", columns.need[row], -_size(columns.bars[row])))
    return [_case(run, row, number < WHOLE) for number, row in enumerate(wrong)]


def _case(run: Run, row: int, whole: bool) -> Case:
    columns = run.rows
    key = columns.key(row)
    place = {name: getattr(columns, name)[row] for name in ("sample", "dtype", "mode", "check")}
    told: Mapping[str, Any] = json.loads(columns.details[row]) if whole and columns.details[row] else {}
    causes = [run.causes[number] for number in columns.cause[row]]
    return Case(
        _anchor(run, key),
        run.key,
        key,
        columns.status[row],
        bars_text(columns.bars[row]),
        [(cause["anchor"], cause["name"]) for cause in causes],
        f"runs.html#case={quote(f'{run.key}:{key}', safe='')}",
        specific(columns.command[row], {**place, "op": columns.operation[row]}),
        whole,
        str(told.get("message") or columns.note[row]),
        [(fields.clipped(str(item.get("output", "")), 80), _facts(item), _map(item)) for item in _failed(told)],
        str(told.get("traceback") or ""),
    )


def _anchor(run: Run, key: str) -> str:
    """The id of a failing check: made of its run and its key only, so that links outlive a page."""
    return anchor("check", run.key, *key.removesuffix("]").split("[", 1))


def _failed(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings that failed; curves over training steps are drawn on the page of the runs."""
    found = told.get("f")
    return [item for item in found or [] if isinstance(item, dict) and item.get("outcome") == "failed"]


def _facts(finding: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _exactly(finding[field])) for field, name in FACTS.items() if finding.get(field) not in (None, [], {}, "")]


def _map(finding: Mapping[str, Any]) -> list[str]:
    """The rows of the map of errors; none if it has no map."""
    found = finding.get("map")
    cells = found.get("cells") if isinstance(found, dict) else None
    return (
        [row for row in cells[:12] if isinstance(row, str) and re.fullmatch("[0-9n]{1,24}", row)]
        if isinstance(cells, list)
        else []
    )


def _exactly(value: object) -> str:
    """A value with all its digits."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_exactly(item)}" for name, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def bars_text(bars: float | str | None) -> str:
    """An error in bars, to three digits; a dash where there is none."""
    return units.significant(bars) if isinstance(bars, float) else bars or units.MISSING
