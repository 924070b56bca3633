"""The programs of a night: the fixed set in each compiled mode of a backend, and what is found that was not found before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.programs.campaigns.declared import stale_texts
from tensorproof.programs.campaigns.records import BAD, CampaignRecord, read_campaign
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


def told_of_programs(night: Path, earlier: Sequence[Path], backend: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What tonight's campaigns of a backend give reason to alarm about, each with the kind of alarm; and notes.

    A finding is new if the last whole campaign did not have it. A backend's first campaign has no new findings: they are counted
    in a note. A campaign that is not whole is an alarm, and so is one that an earlier night has and this one has not.
    """
    alarms: list[tuple[str, str]] = []
    notes: list[str] = []
    tonight = _records_of(night, backend)
    before = next((paths for folder in reversed(earlier) if (paths := _records_of(folder, backend))), [])
    gone = {path.name for path in before} - {path.name for path in tonight}
    alarms += [("missing", f"{name.removesuffix('.ndjson')}: there is no record") for name in sorted(gone)]
    for path in tonight:
        try:
            record = read_campaign(path)
        except UsageError as error:
            alarms.append(("missing", str(error)))
            continue
        if record.header["backend"] != backend:  # one whose name begins with this one's
            continue
        name = f"programs of {backend} {record.header['mode']}"
        if not _is_whole(record):
            alarms.append(("incomplete", f"{name}: {len(record.programs)} programs were judged, not all"))
        notes += [f"{name}: {text}" for text in stale_texts(record.declared)]
        found = {item["key"]: item for item in record.findings if item["status"] in BAD}
        last = _last_before(earlier, path.name)
        if last is None:
            notes += [f"{name}: findings, with no earlier night to compare with: {len(found)}"] if found else []
            continue
        known = {item["key"] for item in last.findings}
        texts = [
            f"new: {name}: {item['status']}: {item['text']}: {item['message']}" for key, item in found.items() if key not in known
        ]
        texts[SHOWN:] = [f"{name}: {len(texts) - SHOWN} more new findings"] if len(texts) > SHOWN else []
        alarms += [("new failure", text) for text in texts]
    return alarms, notes


def _records_of(night: Path, backend: str) -> list[Path]:
    return sorted(night.glob(f"programs_{backend}_*.ndjson"))


def _is_whole(record: CampaignRecord) -> bool:
    return record.end is not None and "ended" not in record.end


def _last_before(earlier: Sequence[Path], name: str) -> CampaignRecord | None:
    for folder in reversed(earlier):
        if (folder / name).is_file():
            try:
                record = read_campaign(folder / name)
            except UsageError:
                continue
            if _is_whole(record):
                return record
    return None
