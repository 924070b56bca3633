"""A statement: what a run says of a backend, in allow-listed fields, with what it takes to verify it.

``statement.schema.json`` lists all fields. Nothing in a statement names a host, a user or a folder, or repeats a message that a
plugin wrote.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tensorproof.errors import UsageError, printable
from tensorproof.lines.privacy import scrubbed
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.records import Record, check_key
from tensorproof.runs.summary import WRONG, excused
from tensorproof.runs.summary import verdict as verdict_of
from tensorproof.runs.verified import instructions_of
from tensorproof.statements.known_faults import noticed_by
from tensorproof_reference.frozen.freezing import frozen_name
from tensorproof_reference.operation import DTYPES

FORMAT = 1
EXCUSED = "excused"
"""Unsupported, but another value of the convention is offered: the status that a required check has in a statement only."""
NEUTRAL = ("passed", "not_meaningful", EXCUSED)
"""What does not keep an operation from conforming."""
UNTRIED = ("unsupported", "not_run")
LENGTH = 100


def _word(value: object) -> str:
    """Something that a plugin says of itself, as one short line without folders."""
    return printable(scrubbed(str(value)))[:LENGTH]


def digest_of(lines: Iterable[str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of lines in alphabetical order.

    >>> digest_of(["b", "a"]) == digest_of(["a", "b"])
    True
    """
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _is_required(check: Mapping[str, Any]) -> bool:
    """As the verdict has it: what cannot be composed says nothing about the operation itself."""
    return bool(check["required"]) and not (check["check"] == "fused" and check["status"] == "unsupported")


def operations_in(record: Record) -> dict[str, dict[str, Any]]:
    """What became of each operation's checks, and digests of outcomes and inputs, by which another run can be compared."""
    excuses = excused(record)
    found: dict[str, list[tuple[Mapping[str, Any], str]]] = defaultdict(list)
    for index, check in enumerate(record.checks):
        found[check["operation"]].append((check, EXCUSED if index in excuses else check["status"]))
    return {name: _operation(checks) for name, checks in sorted(found.items())}


def _operation(checks: list[tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
    counts = {True: Counter[str](), False: Counter[str]()}
    by_dtype: dict[str, Counter[str]] = defaultdict(Counter)
    for check, status in checks:
        counts[_is_required(check)][status] += 1
        if _is_required(check) and check["dtype"] in DTYPES:
            by_dtype[check["dtype"]][status] += 1
    return {
        "required": dict(counts[True]),
        "optional": dict(counts[False]),
        "conforms": [name for name, seen in by_dtype.items() if seen["passed"] and set(seen) <= set(NEUTRAL)],
        "checks": digest_of(f"{check_key(check)} {status}" for check, status in checks),
        "inputs": digest_of(f"{check_key(check)} {check['inputs']}" for check, _ in checks),
    }


def _placement(record: Record) -> str:
    """``verified`` if every result was seen on the device asked for, ``fell back`` if one was not, else ``unverified``."""
    if any(check["status"] == "fell_back" for check in record.checks):
        return "fell back"
    places = {check["placement"] for check in record.checks if check["placement"]}
    return "verified" if places == {record.header["device"]} else "unverified"


def _checked_dtypes(record: Record) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for check in record.checks:
        if check["status"] not in UNTRIED:
            found[check["operation"]].add(check["dtype"])
    return found


def _precision(record: Record) -> list[dict[str, Any]]:
    """The declared precision, without the reasons."""
    names = ("operation", "dtype", "mode", "device", "check", "matmul_input_bits", "accumulate", "casts")
    tables = [table for table in record.header["declarations"] if table["kind"] == "precision"]
    return [{name: table[name] for name in names if name in table} for table in tables]


def _conventions(record: Record) -> list[dict[str, Any]]:
    tables = [table for table in record.header["declarations"] if table["kind"] == "convention"]
    return [{"operation": table["operation"], "keywords": dict(table["keywords"])} for table in tables]


def _causes(record: Record) -> list[dict[str, Any]]:
    """The causes, without their headlines. An exception's name repeats its message: it is named by its first operation."""
    return [
        {
            "name": _word(f"{cause['operations'][0]}-exception" if cause["deviation"] == "exception" else cause["name"]),
            "deviation": cause["deviation"],
            "known": cause["known"],
            "operations": cause["operations"],
            "count": cause["count"],
        }
        for cause in causes_of(record)
    ]


def _of_operations(operations: Mapping[str, Mapping[str, Any]], need: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for operation in operations.values():
        total.update(operation[need])
    return dict(total)


def frozen_for(profile: str, seed: int) -> str:
    """The frozen version that a run was about: those of other profiles and with other seeds have other inputs."""
    return frozen_name(profile) if seed == 0 else ""


def statement_of(record: Record) -> dict[str, Any]:
    """The statement that a record of a whole run makes.

    Raises:
        UsageError: the run was of a part only, or did not end.
    """
    header, judged = record.header, verdict_of(record)
    partial = [name for name in ("selection", "shard", "quick") if header["left_out"].get(name)]
    if partial or header["options"].get("quick"):
        raise UsageError(
            f"record {record.name}: not of a whole run ({', '.join(partial)}); run tensorproof check {header['backend']}"
        )
    if not record.complete or record.end is None:
        raise UsageError(f"record {record.name}: the run did not end; a statement is made of a whole run")
    operations = operations_in(record)
    return {
        "kind": "statement",
        "format": FORMAT,
        "tensorproof": header["tensorproof"],
        "specification": {"version": header["specification"], "frozen": frozen_for(header["options"]["profile"], header["seed"])},
        "profile": header["options"]["profile"],
        "backend": header["backend"],
        "versions": {_word(name): _word(version) for name, version in header["versions"].items()},
        "device": _word(header["device"]),
        "instructions": _word(instructions_of(record)),
        "dtypes": list(header["dtypes"]),
        "modes": [_word(mode) for mode in header["modes"]],
        "seed": header["seed"],
        "thorough": bool(header["options"].get("thorough")),
        "finished": record.end["finished"],
        "verdict": judged["word"],
        "required": _of_operations(operations, "required"),
        "optional": _of_operations(operations, "optional"),
        "known_failures": sum(check["status"] == "known_failure" for check in record.checks),
        "operations": operations,
        "causes": _causes(record),
        "precision": _precision(record),
        "conventions": _conventions(record),
        "placement": _placement(record),
        "faults": noticed_by(_checked_dtypes(record), header["options"]["profile"]),
    }


def wrong_of(counts: Mapping[str, int]) -> int:
    """How many of some checks keep a backend from conforming: wrong in whatever way, or unsupported."""
    return sum(counts.get(status, 0) for status in (*WRONG, "unsupported"))


def specification_text(statement: Mapping[str, Any]) -> str:
    """The frozen version that it is about, or that there is none."""
    specification = statement["specification"]
    return str(specification["frozen"] or f"{statement['profile']}, not frozen ({specification['version']})")


def sentence(statement: Mapping[str, Any]) -> str:
    """The statement in a sentence."""
    required, optional, faults = statement["required"], statement["optional"], statement["faults"]
    name, version = statement["backend"], statement["versions"].get(statement["backend"], "")
    bits = sorted({table.get("matmul_input_bits", 24) for table in statement["precision"]} | {24})
    facts = [
        f"required {required.get('passed', 0):,} of {sum(required.values()):,} pass, {wrong_of(required):,} fail or are missing "
        f"in {len(statement['causes'])} causes, {required.get('not_run', 0):,} not run",
        f"optional {optional.get('passed', 0):,} of {sum(optional.values()):,}",
        ", ".join(statement["dtypes"]),
        f"matmul_input_bits {', '.join(map(str, bits))}",
        f"these checks notice {faults['noticed']} of {faults['known']} known faults",
        f"placement {statement['placement']}",
    ]
    verdict = statement["verdict"].replace("does not conform", "not conforming")
    subject = f"{name} {version}".strip() + f" on {statement['device']} ({statement['instructions']})"
    text = f"{subject}: {specification_text(statement)}: {'; '.join(facts)}: {verdict}"
    dtype = "float32" if "float32" in statement["dtypes"] else statement["dtypes"][0]
    conforming = [operation for operation, item in statement["operations"].items() if dtype in item["conforms"]]
    if statement["verdict"] == "conforms" or not conforming:
        return text
    return f"{text}; these {len(conforming)} operations conform in {dtype}: {', '.join(conforming)}"
