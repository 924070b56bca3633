"""Merging the records of shards into the record of one run."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tensorproof.errors import UsageError
from tensorproof.runs.records import Record, check_key, counts_of
from tensorproof.runs.summary import verdict

SAME = ("format", "tensorproof", "specification", "backend", "device", "seed", "versions", "instructions", "options")
"""What the headers of shards of one run agree on."""


class Shard(Protocol):
    """The record of a shard, of conformance or of timings."""

    @property
    def header(self) -> Mapping[str, Any]:
        """The header."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def complete(self) -> bool:
        """Whether the run ended by itself and did all that it planned."""


def merge_records(records: Sequence[Record]) -> Record:
    """One record of all checks of several shards.

    A shard that is missing or was killed makes the merged record incomplete: its closing line is left out, ``notes`` say what
    is missing, and the verdict counts it as not run.

    Raises:
        UsageError: the records are not shards of one run, or overlap.
    """
    first = records[0]
    notes, count = shards_of_one_run(records, SAME, [str(record.header.get("shard") or "1/1") for record in records])
    missing = len(records) < count
    checks = [check for record in records for check in record.checks]
    doubled = len(checks) - len({check_key(check) for check in checks})
    if doubled:
        raise UsageError(f"{doubled} checks are in more than one record")
    header = {**first.header, "shard": None, "planned": sum(int(record.header["planned"]) for record in records)}
    header["options"] = {**header["options"], "shard": None}
    left_out = dict(first.header["left_out"])
    planned_elsewhere = sum(int(record.header["planned"]) for record in records[1:])
    left_out["shard"] = max(0, int(left_out.get("shard", 0)) - planned_elsewhere) if missing or count > 1 else 0
    header["left_out"] = {reason: number for reason, number in left_out.items() if number}
    again = {key: line for record in records for key, line in record.again.items()}
    merged = Record(header, checks, name="merged", again=again, notes=notes)
    if not notes:
        merged.end = {"kind": "end", "finished": max(r.end["finished"] for r in records if r.end), "counts": counts_of(merged)}
        merged.end["verdict"] = verdict(merged)
    return merged


def shards_of_one_run(records: Sequence[Shard], same: Sequence[str], shards: Sequence[str]) -> tuple[list[str], int]:
    """What is missing from the records of shards (``I/N``) to be a whole run, and of how many shards it is.

    Raises:
        UsageError: their headers differ in what must be the ``same``, or a shard is there twice.
    """
    first, numbers = records[0], [_numbers(record, shard) for record, shard in zip(records, shards, strict=True)]
    count = numbers[0][1]
    for record, shard, (_, of) in zip(records, shards, numbers, strict=True):
        for key in same:
            mine, theirs = (_without_shard(item.header, key) for item in (first, record))
            if mine != theirs:
                raise UsageError(f"{record.name} and {first.name} are not of one run: {key} differs")
        if of != count:
            raise UsageError(f"{record.name} is shard {shard}, {first.name} is shard {shards[0]}")
    seen = Counter(index for index, _ in numbers)
    twice = [str(index) for index, number in seen.items() if number > 1]
    if twice:
        raise UsageError(f"shard {', '.join(twice)} of {count} is given more than once")
    notes = [f"incomplete: shard {index}/{count} is missing" for index in range(1, count + 1) if index not in seen]
    return notes + [f"incomplete: {record.name} was killed or is short" for record in records if not record.complete], count


def _numbers(record: Shard, shard: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
    if not found:
        raise UsageError(f"{record.name}: its header says shard {shard!r}; expected I/N")
    return int(found[1]), int(found[2])


def _without_shard(header: Mapping[str, Any], key: str) -> object:
    value = header.get(key)
    if key != "options" or not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name != "shard"}
