"""The programs of a night: the fixed set in each compiled mode of a backend, and what is found that was not found before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.programs.records import BAD, CampaignRecord, read_campaign
from tensorproof.runs.records import read_record

SHOWN = 10


@dataclass(frozen=True)
class Asked:
    """One campaign of a night."""

    stage: str
    record: Path
    arguments: tuple[str, ...]
    """Of the command ``tensorproof``."""


def campaigns(night: Path, backend: str) -> Iterator[Asked]:
    """A campaign for each compiled mode that tonight's record of conformance names."""
    try:
        modes = read_record(night / f"conformance_{backend}.ndjson").header["modes"]
    except UsageError:
        return
    for mode in modes:
        if mode != "eager":
            record = night / f"programs_{backend}_{mode.replace(':', '-')}.ndjson"
            arguments = ("fuzz", backend, f"--mode={mode}", "--source=fixed", f"--record={record}")
            yield Asked(f"programs of {backend} {mode}", record, arguments)


def new_findings(night: Path, earlier: Sequence[Path], backend: str) -> tuple[list[str], list[str]]:
    """What tonight's campaigns of a backend found that the last one before did not, and notes on what cannot be told.

    A backend's first campaign has no new findings: they are counted in a note.
    """
    new: list[str] = []
    notes: list[str] = []
    for path in sorted(night.glob(f"programs_{backend}_*.ndjson")):
        try:
            record = read_campaign(path)
        except UsageError as error:
            notes.append(str(error))
            continue
        name = f"programs of {backend} {record.header['mode']}"
        if record.end is None or "ended" in record.end:
            notes.append(f"{name}: not all were judged")
        before = _last_before(earlier, path.name)
        found = {item["key"]: item for item in record.findings if item["status"] in BAD}
        if before is None:
            notes += [f"{name}: {len(found)} findings, and no earlier night to compare with"] if found else []
            continue
        known = {item["key"] for item in before.findings}
        unknown = [item for key, item in found.items() if key not in known]
        texts = [f"new: {name}: {item['status']}: {item['text']}: {item['message']}" for item in unknown]
        new += texts[:SHOWN]
        new += [f"{name}: {len(texts) - SHOWN} more new findings"] if len(texts) > SHOWN else []
    return new, notes


def _last_before(earlier: Sequence[Path], name: str) -> CampaignRecord | None:
    for folder in reversed(earlier):
        if (folder / name).is_file():
            try:
                record = read_campaign(folder / name)
            except UsageError:
                continue
            if record.end is not None and "ended" not in record.end:
                return record
    return None
