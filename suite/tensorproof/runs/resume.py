"""Going on with a record: what an earlier run must have in common with this one, and what is kept of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError, printable
from tensorproof.lines.reading import name_of
from tensorproof.runs.records import read_record

RESUMED = (
    *("tensorproof", "specification", "backend", "device", "seed", "versions", "instructions", "options", "declarations"),
    *("arithmetic", "dtypes", "modes", "sources", "reasons", "defaults", "shard", "planned", "left_out", "machine"),
)
"""What is the same in the header of a record that a run goes on with."""


def require_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Refuse to go on with another run.

    Raises:
        UsageError: the headers differ in one of ``keys``; the message says how.
    """
    for key in keys:
        was, now = old.get(key), new.get(key)
        if was != now:
            raise UsageError(
                f"--resume: {name_of(path)} is of another run: {key} differs{printable(_how(was, now))}; "
                "give the options that it was begun with, or another --record"
            )


def _how(was: Any, now: Any) -> str:
    """The first difference, in words, however deep it lies."""
    of = ""
    while True:
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            name = next(name for name in {**was, **now} if was.get(name) != now.get(name))
            was, now, of = was.get(name), now.get(name), f"{name} "
        elif _are_tables(was) and _are_tables(now) and len(was) == len(now):
            was, now = next((one, other) for one, other in zip(was, now, strict=True) if one != other)
        else:
            return f" ({of}was {_brief(was)}, is {_brief(now)})"


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def kept_lines(path: Path, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The header of a record and its checks that ran; a run that was killed, interrupted or out of time goes on with these.

    Raises:
        UsageError: it is no record, of another run, or nothing is left to run.
    """
    record = read_record(path)
    require_same(path, record.header, header, RESUMED)
    kept = [check for check in record.checks if check["status"] != "not_run"]
    if record.end is not None and len(kept) >= int(record.header["planned"]):
        raise UsageError(f"--resume: {name_of(path)} has ended already: all {len(kept)} checks were made")
    return [record.header, *kept]
