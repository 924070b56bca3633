"""What a run came to: the table of outcomes, and the verdict for the profile from raw outcomes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorproof.conformance.checks import STATUSES
from tensorproof.conformance.selection.cases import conventions_of, samples_of, with_conventions
from tensorproof.contract.declarations import Declaration, in_force
from tensorproof.errors import first_few
from tensorproof.runs.causes.cause import causes_text
from tensorproof.runs.records import Record
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import Operation

WRONG = ("failed", "known_failure", "error", "crashed", "timed_out", "out_of_memory", "fell_back")
"""The statuses that keep a required check from conforming; declaring a failure as known does not make it a pass."""


def counts_by_mode(checks: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """How many checks of each mode have each status; declared-ness is under ``none``."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for check in checks:
        counts[check["mode"]][check["status"]] += 1
    return dict(counts)


def _chosen(operation: Operation, sample: str, seed: int, declared: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the operation's conventions that a sample chooses, or leaves to the backend."""
    defaults = operation.function.__kwdefaults__ or {}
    keywords = {**defaults, **with_conventions(operation, samples_of(operation, seed)[sample], declared).keywords}
    return {name: keywords[name] for name in operation.conventions}


def excused(record: Record) -> set[int]:
    """Indices of unsupported checks whose convention a backend lacks, and need not have, since it offers another value of it.

    A value is lacking when no check that chooses it passed: where some do, what is unsupported is something else, and counts.
    A value is offered when some check that chooses it passed and none went wrong.
    """
    known = known_operations()  # those from outside excuse nothing: reading a record imports nobody's code
    seed = int(record.header.get("seed", 0))
    declared = [table for table in record.header["declarations"] if table["kind"] == "convention"]
    statuses: dict[tuple[str, str, Any], set[str]] = defaultdict(set)
    choices: dict[int, dict[str, Any]] = {}
    for index, check in enumerate(record.checks):
        operation = known.get(check["operation"])
        if operation is None or not operation.conventions or check["sample"] not in samples_of(operation, seed):
            continue
        choices[index] = _chosen(operation, check["sample"], seed, conventions_of(declared, operation.name))
        for name, value in choices[index].items():
            statuses[operation.name, name, value].add(check["status"])
    found = set()
    for index, chosen in choices.items():
        check = record.checks[index]
        if check["status"] != "unsupported":
            continue
        operation = known[check["operation"]]
        for name, value in chosen.items():
            if "passed" in statuses[operation.name, name, value]:
                continue
            others = (statuses[operation.name, name, other] for other in operation.conventions[name] if other != value)
            if any("passed" in seen and not seen.intersection(WRONG) for seen in others):
                found.add(index)
    return found


SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
BITS = {16: "16 bits, bfloat16 in three parts", 11: "11 bits, TF32", 8: "8 bits, bfloat16"}


def reduced_precision(record: Record) -> list[str]:
    """What the backend declares of reduced precision, and checks of the record were held to, in words."""
    header = record.header
    kernels = (header.get("instructions") or {}).get("kernels", {})
    found = []
    for table in header["declarations"]:
        bits, accumulate = table.get("matmul_input_bits", 24), table.get("accumulate", "float32")
        if table["kind"] != "precision" or (bits == 24 and accumulate == "float32"):
            continue
        system = SYSTEMS.get(header["machine"]["system"], "")
        if not in_force(Declaration("precision", table, table["source"]), header["versions"], kernels, system):
            continue
        if not any(_held_to(table, {**check, "device": header["device"]}) for check in record.checks):
            continue
        found += [f"matrix products take their inputs in {BITS[bits]}"] if bits in BITS else []
        found += ["sums are kept in the dtype itself"] if accumulate == "same" else []
    return [f"{words} ({count} declaration{'s' if count > 1 else ''})" for words, count in Counter(found).items()]


def _held_to(table: Mapping[str, Any], check: Mapping[str, Any]) -> bool:
    """Whether a check may have been judged by a declaration of precision; keywords are not looked at."""
    for name in ("operation", "sample", "dtype", "mode", "device", "check"):
        wanted = table.get(name, check[name])
        if check[name] not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return bool(check["mode"] != "none")


def verdict(record: Record) -> dict[str, Any]:
    """The verdict for the profile with the counts it rests on: ``conforms``, ``conforms at reduced precision`` (a declared one),
    ``does not conform`` or ``incomplete``.

    It is over the required checks of the default scope (all of them under ``--thorough``) and from raw outcomes. It is
    incomplete if options, shards or time left some of these out, or the run was killed, unless one is wrong already.
    """
    excuses = excused(record)
    required = [
        (index, check)
        for index, check in enumerate(record.checks)
        # What cannot be composed (no automatic differentiation) says nothing about the operation itself.
        if check["required"] and not (check["check"] == "fused" and check["status"] == "unsupported")
    ]
    wrong = Counter(check["status"] for _, check in required if check["status"] in WRONG)
    unsupported = sum(check["status"] == "unsupported" and index not in excuses for index, check in required)
    passed = sum(check["status"] == "passed" for _, check in required)
    left_out = record.header["left_out"]
    not_run = sum(left_out.get(reason, 0) for reason in ("selection", "shard", "quick"))
    not_run += max(0, int(record.header["planned"]) - len(record.checks)) + sum(c["status"] == "not_run" for c in record.checks)
    bad = sum(wrong.values()) + unsupported
    precision = reduced_precision(record)
    right = "conforms at reduced precision" if precision else "conforms"
    word = "does not conform" if bad else "incomplete" if not_run or record.end is None else right
    return {
        "profile": record.header["options"]["profile"],
        "word": word,
        "precision": precision,
        "required": len(required),
        "passed": passed,
        "wrong": dict(wrong),
        "unsupported": unsupported,
        "excused": len(excuses),
        "not_meaningful": sum(check["status"] == "not_meaningful" for _, check in required),
        "not_run": not_run,
    }


def verdict_text(judged: Mapping[str, Any]) -> str:
    """The verdict in a sentence."""
    parts = [f"{judged['passed']} of {judged['required']} required checks pass"]
    parts += [f"{count} {status.replace('_', ' ')}" for status, count in judged["wrong"].items()]
    parts += [f"{judged[name]} {name.replace('_', ' ')}" for name in ("unsupported", "not_meaningful", "not_run") if judged[name]]
    if judged["excused"]:
        parts.append(f"{judged['excused']} excused by another convention")
    declared = f"; declared precision: {'; '.join(judged['precision'])}" if judged["precision"] else ""
    return f"profile {judged['profile']}: {judged['word']} ({', '.join(parts)}){declared}"


LEFT_OUT = {
    "scope": "outside the default scope (--thorough runs them)",
    "selection": "not selected",
    "quick": "outside the quick set (a full run has them)",
    "shard": "in other shards",
}
"""Why checks were not planned, in words."""


def left_out_text(record: Record) -> str:
    """How many checks were not planned, and why."""
    return ", ".join(f"{count} {LEFT_OUT.get(reason, reason)}" for reason, count in record.header["left_out"].items())


def compiled_in_part_text(record: Record) -> str:
    """The checks that passed of which a part ran eagerly, where the backend breaks graphs, counted by operation; or nothing."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for check in record.checks:
        compiled = check.get("compiled") or {}
        if check["status"] == "passed" and (compiled.get("left_eager") or compiled.get("graph_breaks")):
            found[check["mode"]][check["operation"]] += 1
    return "; ".join(
        f"mode {mode}: {first_few([f'{name} ({number})' for name, number in sorted(counts.items())], 3)}"
        for mode, counts in found.items()
    )


def summary_text(record: Record, causes: Sequence[Mapping[str, Any]]) -> str:
    """The table of a run and the verdict."""
    return f"{table_text(record, causes)}\n{verdict_text(verdict(record))}"


def table_text(record: Record, causes: Sequence[Mapping[str, Any]]) -> str:
    """Causes, the table of a run with a row for each mode, what was left out, and where the time went."""
    header = record.header
    counts = counts_by_mode(record.checks)
    total: Counter[str] = sum(counts.values(), Counter())
    total["not_run"] += max(0, int(header["planned"]) - len(record.checks))
    shown = [status for status in STATUSES if total[status] or status in ("passed", "failed")]
    rows = [["backend", "device", "mode", *(status.replace("_", " ") for status in shown)]]
    for mode, count in counts.items():
        name = "(declared)" if mode == "none" else mode
        rows.append([header["backend"], header["device"], name, *(str(count[status]) for status in shown)])
    rows.append(["total", "", "", *(str(total[status]) for status in shown)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = causes_text(causes)
    lines += [
        "  ".join(
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    left = left_out_text(record)
    if left:
        lines.append(f"not run: {left}")
    parts = compiled_in_part_text(record)
    if parts:
        lines.append(f"compiled in part: {parts}")
    lines.append(_time_text(record.checks))
    return "\n".join(lines)


UNTIMED = ("unsupported", "not_run", "timed_out", "crashed", "out_of_memory")
"""Checks that did not run to their end: how long they took is not the suite's own time."""


def _time_text(checks: Iterable[Mapping[str, Any]]) -> str:
    ran = [check for check in checks if check["status"] not in UNTIMED]
    framework = sum(check["framework_ns"] for check in ran)
    own = sum(check["duration_ns"] for check in ran) - framework
    each = own / max(1, len(ran)) / 1e6
    return (
        f"time: framework and compilers {framework / 1e9:.1f} s, reference and verdict {own / 1e9:.1f} s ({each:.2f} ms a check)"
    )
