"""The page's data, compressed: the rows of all runs as columns of numbers, and as many details as there is room for."""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorproof_reports import fields, units
from tensorproof_reports.conformance.operations import GROUPS, Described
from tensorproof_reports.conformance.rows import is_wrong
from tensorproof_reports.conformance.runs import Run

TEXT_COLUMNS = ("operation", "sample", "dtype", "mode", "check", "status", "note", "command")
NUMBER_COLUMNS = ("flags", "bars", "rms", "cause")

CHUNK = 200
"""Checks that are compressed together before their size is looked at."""


@dataclass(frozen=True)
class Details:
    """Details as the page holds them."""

    text: str
    """Base64 of gzip of a line of JSON for each check: its number and its details."""
    folded: int
    """Checks whose details the page leaves out, wrong ones and others."""
    folded_wrong: int


def packed(value: Any) -> str:
    """A value as base64 of gzip of JSON."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode()


class Words:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


def data_of(runs: Sequence[Run], operations: Sequence[Described]) -> dict[str, Any]:
    """Everything that the page shows on demand, but for details."""
    words = Words()
    columns: dict[str, list[Any]] = {name: [] for name in ("run", *TEXT_COLUMNS, *NUMBER_COLUMNS)}
    for number, run in enumerate(runs):
        columns["run"] += [number] * len(run.rows)
        for name in TEXT_COLUMNS:
            columns[name] += [words.number(text) for text in getattr(run.rows, name)]
        for name in NUMBER_COLUMNS:
            columns[name] += getattr(run.rows, name)
    return {
        "runs": [_run(run) for run in runs],
        "groups": list(GROUPS.items()),
        "operations": [[item.name, item.group, item.text] for item in operations],
        "words": words.texts,
        "rows": columns,
    }


def _run(run: Run) -> dict[str, Any]:
    with fields.part_of(run.key, "its header"):
        return {
            "key": run.key,
            "backend": run.backend,
            "device": run.device,
            "instructions": run.instructions,
            "modes": run.modes,
            "versions": ", ".join(f"{name} {value}" for name, value in fields.words(run.header, "versions").items()),
            "seed": fields.clipped(str(run.header.get("seed", units.MISSING)), 40),
            "sources": fields.words(run.header, "sources"),
            "causes": [[cause["name"], _told(cause), cause["known"], cause["anchor"]] for cause in run.causes],
        }


def _told(cause: Mapping[str, Any]) -> str:
    """A cause in a line: why it is declared, if it is, and its headline."""
    return ": ".join(part for part in (cause["explanation"], cause["headline"]) if part)


def details_of(runs: Sequence[Run], room: int) -> Details:
    """Details of checks within ``room`` characters: first a few of each cause, then what is wrong, then the rest."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    compressed, kept = b"", 0
    waiting = _by_need(runs)
    for start in range(0, len(waiting), CHUNK):
        chunk = waiting[start : start + CHUNK]
        trial = packer.copy()
        text = "".join(f'{{"n":{number},"d":{details}}}\n' for number, details, _ in chunk)
        more = trial.compress(text.encode("utf-8", "replace")) + trial.flush(zlib.Z_SYNC_FLUSH)
        if (len(compressed) + len(more)) * 4 / 3 > room:
            break
        packer, compressed, kept = trial, compressed + more, kept + len(chunk)
    compressed += packer.flush()
    left = waiting[kept:]
    folded = len(left) + sum(run.rows.folded for run in runs)
    wrong = sum(wrong for _, _, wrong in left) + sum(run.rows.folded_wrong for run in runs)
    return Details(base64.b64encode(compressed).decode(), folded, wrong)


def _by_need(runs: Sequence[Run]) -> list[tuple[int, str, bool]]:
    """Number on the page, details and whether it is wrong, of each check that has details; the most needed first."""
    found: list[tuple[int, int, str, bool]] = []
    offset = 0
    for run in runs:
        rows = run.rows
        for index, details in enumerate(rows.details):
            if details:
                found.append((rows.need[index], offset + index, details, is_wrong(rows.status[index])))
        offset += len(rows)
    return [(number, details, wrong) for _, number, details, wrong in sorted(found, key=lambda item: item[:2])]
