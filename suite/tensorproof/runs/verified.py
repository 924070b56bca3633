"""On which instruction sets declarations were verified: what a run says of it, and how the lists in their files are kept.

A declaration holds for the instruction sets on which a strict run of the whole backend found it so. ``verified`` in its table
lists them. A run elsewhere takes it as it is, says that it was never verified there, and does not call it stale.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.instructions import level_of
from tensorproof.lines.outputs import write_beside
from tensorproof.lines.reading import name_of
from tensorproof.lines.toml import read_toml
from tensorproof.runs.causes.symptoms import BAD
from tensorproof.runs.records import Record

KINDS = ("unsupported", "known_failure")


def instructions_of(record: Record) -> str:
    """The name of the instruction sets of a record; ``unknown`` in older ones."""
    return str((record.header.get("instructions") or {}).get("name", "unknown"))


def verified_sets(record: Record) -> list[str]:
    """The instruction sets on which any declaration of a record's backend was verified."""
    lists = (table.get("verified", []) for table in record.header["declarations"])
    return sorted({name for names in lists for name in names})


def lines_about_instructions(record: Record) -> list[str]:
    """What a person must know where a run's instruction set is not one of those on which declarations were verified."""
    here, known = instructions_of(record), verified_sets(record)
    if not known or here in known:
        return []
    wrong = [check for check in record.checks if check["status"] in BAD]
    resting = sum(bool(check.get("unverified")) for check in record.checks)
    lines = [f"this plugin's declarations were verified on {', '.join(known)} only, not on {here}; {resting} checks rest on them"]
    if wrong:
        operations = sorted({check["operation"] for check in wrong})
        count = f"{len(operations)} operation{'s' * (len(operations) != 1)}"
        lower = next((name for name in reversed(known) if level_of(name) != level_of(here)), known[0])
        lines += [
            f"{len(wrong)} failure{'s' * (len(wrong) != 1)} in {count} may be new on {here}: {', '.join(operations[:8])}",
            f"reproduce: {wrong[0]['command']}",
            f"compare:   {wrong[0]['command']} --instructions={level_of(lower)}",
        ]
    return lines


def _is_whole(record: Record) -> bool:
    left_out = set(record.header["left_out"]) - {"scope"}
    return bool(record.complete and record.header["options"].get("strict_declarations") and not left_out)


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _bare(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in ("verified", "source", "kind")}


def findings_by_declaration(record: Record) -> tuple[dict[str, int], dict[str, int]]:
    """How many checks each declaration speaks of, by its source, and how many of them pass."""
    matched: dict[str, int] = defaultdict(int)
    passed: dict[str, int] = defaultdict(int)
    for check in record.checks:
        if check["declaration"]:
            matched[check["declaration"]] += 1
            passed[check["declaration"]] += bool(check.get("stale")) or check["status"] == "passed" or _passes_this_time(check)
    return dict(matched), dict(passed)


def _passes_this_time(check: Mapping[str, Any]) -> bool:
    """Whether a known failure, which comes and goes, did not come."""
    outcomes = [finding.get("outcome") for finding in check.get("findings", ())]
    return check["status"] == "known_failure" and bool(outcomes) and "failed" not in outcomes


def with_lists(text: str, verified: Mapping[str, list[list[str]]]) -> str:
    """The text of a file of declarations with these lists at the ends of its tables; all else stays where it is.

    It is done by lines, since the libraries that keep comments put tables of one kind together.
    """
    numbers = dict.fromkeys(verified, 0)
    parts = re.split(r"(?m)^(?=\[\[)", text)
    for index, part in enumerate(parts):
        found = re.match(r"\[\[(\w+)\]\]", part)
        if found is None or found[1] not in verified:
            continue
        names = verified[found[1]][numbers[found[1]]]
        numbers[found[1]] += 1
        if names:
            table = re.match(r"(?:.+\n)+", part)  # up to the first empty line; comments of the next section follow it
            assert table is not None
            bare = re.sub(r"(?m)^verified = .*\n", "", table[0])
            line = ", ".join(f'"{name}"' for name in names)
            parts[index] = f"{bare}verified = [{line}]\n{part[table.end() :]}"
    return "".join(parts)


def update_verified(path: Path, records: Iterable[Record]) -> list[str]:
    """Write into a file of declarations on which instruction sets these records verify them; what was done, in lines.

    A record verifies a declaration if it is of a strict run of the whole default scope with this very table, and the table
    speaks of checks that ran, none of which passed.

    Raises:
        UsageError: the file cannot be read or written, or a record is not of such a run.
    """
    text, tables = read_toml(path, "declarations file ")
    for kind in KINDS:
        listed = tables.get(kind, [])
        if not (isinstance(listed, list) and all(isinstance(table, dict) for table in listed)):
            raise UsageError(f"declarations file {name_of(path)}: {kind} must be a list of tables, written [[{kind}]]")
        if not all(_is_list_of_names(table.get("verified", [])) for table in listed):
            raise UsageError(f"declarations file {name_of(path)}: {kind}: verified must be a list of names of instruction sets")
    verified = {kind: [list(table.get("verified", [])) for table in tables.get(kind, [])] for kind in KINDS}
    lines = []
    for record in records:
        if not _is_whole(record):
            raise UsageError(f"record {record.name}: not of a whole run; run pytest --backend=NAME --strict-declarations first")
        here = instructions_of(record)
        matched, passed = findings_by_declaration(record)
        recorded = [item for item in record.header["declarations"] if str(item["source"]).startswith(f"{path.name}: ")]
        for kind in KINDS:
            for number, table in enumerate(tables.get(kind, [])):
                # By content, since a table may have moved since.
                item = next((item for item in recorded if item["kind"] == kind and _bare(item) == _bare(table)), None)
                source = item["source"] if item else ""
                if passed.get(source) and not table.get("sometimes", False):
                    lines.append(
                        f"{source}: {passed[source]} of {matched[source]} checks pass on {here}; limit it with instructions"
                    )
                elif passed.get(source, 0) < matched.get(source, 0) and table.get("attempt", True):
                    verified[kind][number] = sorted({*verified[kind][number], here})
        lines.append(f"{record.name}: {len(matched)} declarations speak of checks on {here}")
    try:
        write_beside(path, with_lists(text, verified))
    except OSError as error:
        raise UsageError(f"declarations file {path.name}: cannot be written: {error.strerror}") from None
    return lines
