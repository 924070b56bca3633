"""Merging the records of shards into the record of one run."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tensorproof.backends import UsageError
from tensorproof.baseline import check_key
from tensorproof.records import Record, write_line
from tensorproof.summary import verdict

SAME = ("format", "tensorproof", "specification", "backend", "device", "seed", "versions", "options")
"""What the headers of shards of one run agree on."""


def _shard(record: Record) -> tuple[int, int]:
    index, _, count = str(record.header.get("shard") or "1/1").partition("/")
    return int(index), int(count)


def merge_records(records: Sequence[Record]) -> Record:
    """One record of all checks of several shards.

    A shard that is missing or was killed makes the merged record incomplete: its closing line is left out, ``notes`` say what
    is missing, and the verdict counts it as not run.

    Raises:
        UsageError: the records are not shards of one run, or overlap.
    """
    first = records[0]
    _, count = _shard(first)
    for record in records[1:]:
        for key in SAME:
            mine, theirs = (_without_shard(item, key) for item in (first, record))
            if mine != theirs:
                raise UsageError(f"{record.name} and {first.name} are not of one run: {key} differs")
        if _shard(record)[1] != count:
            raise UsageError(f"{record.name} is shard {record.header['shard']}, {first.name} is shard {first.header['shard']}")
    seen = Counter(_shard(record)[0] for record in records)
    twice = [str(index) for index, number in seen.items() if number > 1]
    if twice:
        raise UsageError(f"shard {', '.join(twice)} of {count} is given more than once")
    missing = [index for index in range(1, count + 1) if index not in seen]
    notes = [f"incomplete: shard {index}/{count} is missing" for index in missing]
    notes += [f"incomplete: {record.name} was killed or is short" for record in records if not record.complete]
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
    merged = Record(header, checks, name="merged", notes=notes)
    if not notes:
        counts = Counter(check["status"] for check in checks)
        merged.end = {"kind": "end", "finished": max(r.end["finished"] for r in records if r.end), "counts": dict(counts)}
        merged.end["verdict"] = verdict(merged)
    return merged


def _without_shard(record: Record, key: str) -> object:
    value = record.header.get(key)
    return {name: item for name, item in value.items() if name != "shard"} if key == "options" and value else value


def write_record(record: Record, path: Path) -> None:
    """Write a record.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            for line in (record.header, *record.checks, *([record.end] if record.end else [])):
                write_line(file, line)
    except FileExistsError:
        raise UsageError(f"-o: {path.name} exists already; records are never overwritten") from None
    except OSError as error:
        raise UsageError(f"-o: {path.name} cannot be written: {error.strerror}") from None
