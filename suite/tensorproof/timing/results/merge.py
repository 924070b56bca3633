"""Merging the records of timings of shards into the record of one run."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.runs.merge import shards_of_one_run
from tensorproof.timing.results.records import TimingRecord, line_key

SAME = (
    "format",
    "method",
    "tensorproof",
    "specification",
    "seed",
    "contenders",
    "backends",
    "machine",
    "threads",
    "launches",
    "rounds",
    "series_seconds",
    "options",
)
"""What the headers of shards of one run agree on."""


def merge_timing_records(records: Sequence[TimingRecord]) -> TimingRecord:
    """One record of all series of several shards.

    Each series keeps the share of the roof that its own shard measured. The limits that are told are those of the first shard,
    with the worst resolution of all. A shard that is missing or was killed makes the merged record incomplete: its closing line
    is left out, and ``notes`` say what is missing.

    Raises:
        UsageError: the records are not shards of one run, or overlap.
    """
    first = records[0]
    notes, _ = shards_of_one_run(records, SAME, [_shard(record) for record in records])
    timings = [line for record in records for line in record.timings]
    doubled = len(timings) - len({line_key(line) for line in timings})
    if doubled:
        raise UsageError(f"{doubled} series are in more than one record")
    header = {**first.header, "planned": sum(int(record.header.get("planned", 0)) for record in records)}
    header["options"] = {**(header.get("options") or {}), "shard": None}
    measured = [record.limits for record in records if record.limits is not None]
    limits = {**measured[0], "resolution": max((line["resolution"] for line in measured), key=_spread)} if measured else None
    duels = [line for record in records for line in record.duels]
    merged = TimingRecord(header, limits, timings, duels, name="merged", notes=notes)
    if not notes:
        ends = [record.end for record in records if record.end is not None]
        names = ends[0]["seconds"]
        merged.end = {
            "kind": "end",
            "finished": max(end["finished"] for end in ends),
            "counts": dict(Counter(line["status"] for line in timings)),
            "seconds": {name: round(sum(end["seconds"][name] for end in ends), 2) for name in names},
        }
    return merged


def _shard(record: TimingRecord) -> str:
    options = record.header.get("options")
    return str((options.get("shard") if isinstance(options, dict) else None) or "1/1")


def lines_of(record: TimingRecord) -> list[dict[str, Any]]:
    """All lines of a record, in the order in which a run writes their kinds."""
    lines = [record.header, record.limits, *record.timings, *record.duels, record.end]
    return [line for line in lines if line is not None]


def _spread(resolution: dict[str, float]) -> float:
    return resolution["spread"]
