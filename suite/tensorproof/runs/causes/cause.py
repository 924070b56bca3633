"""A cause as people read it: name, headline, evidence, smallest failing case, consequences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorproof.errors import first_few, printable
from tensorproof.runs.causes.diagnoses import diagnosis
from tensorproof.runs.causes.grouping import Found, found_causes, known_causes
from tensorproof.runs.causes.symptoms import BAD, DEVIATIONS
from tensorproof.runs.causes.values import Checks
from tensorproof.runs.records import Record, check_key

SHOWN = 12
"""Causes that the terminal shows."""
LISTED = 40
"""Keys of checks and samples in a line of the record; the checks themselves are lines of their own."""

DTYPES = ("float64", "float32", "bfloat16", "float16")
CHECKS = ("forward", "gradient", "subset", "purity", "fused")


def causes_of(record: Record) -> list[dict[str, Any]]:
    """The causes of a record's bad checks and, after them, its known failures by declaration, as lines of a record.

    Computed from the checks, so that records without such lines have causes too.
    """
    return [line for line, _ in causes_with_checks(record)]


def causes_with_checks(record: Record) -> list[tuple[dict[str, Any], frozenset[int]]]:
    """The causes as ``causes_of`` tells them, each with the positions in the record of all its checks and of what follows."""
    found = [*found_causes(record.checks), *known_causes(record.checks)]
    lines = [_line(record.checks, cause) for cause in found]
    seen: dict[str, int] = {}
    for line, cause in zip(lines, found, strict=True):
        line["alone"] = record.again.get(line["smallest"]["check"])
        # Two causes of one operation, output and kind differ in where they are.
        if line["name"] in seen and cause.group is not None:
            line["name"] = "-".join([line["name"], *line["dtypes"], *line["modes"]])
        seen[line["name"]] = seen.get(line["name"], 0) + 1
        if seen[line["name"]] > 1:
            line["name"] += f"-{seen[line['name']]}"
    return [(line, frozenset(cause.checks.union(*cause.consequences.values()))) for line, cause in zip(lines, found, strict=True)]


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in text).strip("-")


def _name(checks: Checks, cause: Found) -> str:
    operations = _values(checks, cause.checks, "operation")
    if cause.kind == "known":
        return f"known-{_slug(cause.subject)}"
    if cause.group is None:
        subject = _slug(cause.subject)
        first = operations[0] if len(operations) == 1 or cause.kind == "exception" else ""
        parts = {
            "adapter": ("adapter", subject),
            "not-declared": ("operations-not-declared",),
            "exception": (first, subject),
            "mode": (subject, "mode-wrong"),
            "neighbour": (subject, "wrong-when-fused"),
        }
        words = parts.get(cause.kind, (first if first != subject else "", subject, cause.kind.replace("_", "-")))
        return "-".join(word for word in words if word)
    output = cause.group.keys[0][0]
    shown = "" if output == "y" or output.startswith("(") else _slug(output)
    return "-".join(word for word in (cause.group.operation, "fused" if cause.group.fused else "", shown, cause.kind) if word)


def _values(checks: Checks, indices: Iterable[int], name: str) -> list[str]:
    return list(dict.fromkeys(str(checks[index][name]) for index in sorted(indices)))


def _what(checks: Checks, cause: Found) -> str:
    """What is wrong, in words."""
    operations = _values(checks, cause.checks, "operation")
    if cause.group is not None:
        group = cause.group
        outputs = ", ".join(dict.fromkeys(output for output, _ in group.keys if not output.startswith("(")))
        words = DEVIATIONS[cause.kind]
        if cause.kind == "nan-lost" and len(group.became) == 1:
            words = f"NaN becomes {next(iter(group.became))}"
        others = [DEVIATIONS[kind] for kind in dict.fromkeys(kind for _, kind in group.keys) if kind != cause.kind]
        place = f" in {outputs}" if outputs and outputs != "y" else ""
        fused = " fused with tanh" if group.fused else ""
        return f"{group.operation}{fused}: {'; '.join([words, *others])}{place}"
    named = first_few(operations, 4)
    texts = {
        "adapter": f"{cause.subject} come back otherwise than they were sent, before any operation",
        "neighbour": f"fused with {cause.subject}, which is wrong alone",
        "exception": cause.evidence[0] if cause.evidence else "",
        "mode": f"wrong in mode {cause.subject} only",
        "precision": f"less exact in {cause.subject} than its bars allow",
        "dtype": cause.subject,
        "fell_back": f"computed on {cause.subject}, not on the device asked for",
        "ran_eagerly": f"ran eagerly in mode {cause.subject}",
        "crashed": "the process ended",
        "timed_out": "did not end in time",
        "out_of_memory": "memory ran out",
        "not-declared": DEVIATIONS["not-declared"],
        "known": f"declared: {cause.subject}",
    }
    return f"{named}: {texts.get(cause.kind, cause.kind)}"


def _of_all(failing: Sequence[str], ran: Sequence[str], word: str) -> str:
    if len(ran) > 1 and set(failing) == set(ran):
        return f"all {word}"
    return " and ".join(failing) if len(failing) < 3 else ", ".join(failing)


def _smallest(checks: Checks, indices: Iterable[int]) -> Mapping[str, Any]:
    """The check that is easiest to look at: fewest elements, the widest dtype, forward first, eager first."""

    def order(check: Mapping[str, Any]) -> tuple[Any, ...]:
        sizes = [item["size"] for item in check["findings"] if item.get("outcome") == "failed" and "size" in item]
        return (
            max(sizes, default=0 if not check["findings"] else 10**9),
            DTYPES.index(check["dtype"]) if check["dtype"] in DTYPES else len(DTYPES),
            CHECKS.index(check["check"]) if check["check"] in CHECKS else len(CHECKS),
            check["mode"] != "eager",
            check["sample"],
        )

    judged = [checks[index] for index in indices if checks[index]["findings"]]
    return min(judged or [checks[index] for index in indices], key=order)


def _line(checks: Checks, cause: Found) -> dict[str, Any]:
    operations = _values(checks, cause.checks, "operation")
    same = [check for check in checks if check["operation"] in set(operations) and check["dtype"] != "none"]
    ran = {name: list(dict.fromkeys(str(c[name]) for c in same if c["status"] != "unsupported")) for name in ("dtype", "mode")}
    dtypes, modes, samples = (_values(checks, cause.checks, name) for name in ("dtype", "mode", "sample"))
    passing = [check for check in same if check["status"] == "passed"]
    what = _what(checks, cause)
    everything = f"{len(cause.checks)} check{'s' if len(cause.checks) > 1 else ''}"
    where = [_of_all(dtypes, ran["dtype"], "dtypes"), _of_all(modes, ran["mode"], "modes")] if modes != ["none"] else []
    where = [_of_all(dtypes, ran["dtype"], "dtypes")] if cause.kind == "adapter" else where
    smallest = _smallest(checks, sorted(cause.checks))
    return {
        "kind": "cause",
        "name": _name(checks, cause),
        "deviation": cause.kind,
        "known": cause.kind == "known",
        "headline": printable(f"{what}; {', '.join([everything, *where])}"),
        "diagnosis": diagnosis(checks, cause.group) if cause.group else "",
        "evidence": cause.evidence[:8],
        "operations": operations[:LISTED],
        "outputs": list(dict.fromkeys(output for output, _ in cause.group.keys)) if cause.group else [],
        "dtypes": dtypes,
        "modes": modes,
        "samples": samples[:LISTED],
        "passing": {
            "dtypes": [name for name in ran["dtype"] if name not in dtypes],
            "modes": [name for name in ran["mode"] if name not in modes],
            "samples": [name for name in dict.fromkeys(c["sample"] for c in passing) if name not in samples][:LISTED],
        },
        "count": len(cause.checks),
        "checks": [check_key(checks[index]) for index in sorted(cause.checks)][:LISTED],
        "smallest": {"check": check_key(smallest), "message": smallest["message"], "command": smallest["command"]},
        "consequences": [
            {"operation": name, "count": len(indices), "checks": [check_key(checks[i]) for i in sorted(indices)][:LISTED]}
            for name, indices in sorted(cause.consequences.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
    }


def consequences_text(cause: Mapping[str, Any]) -> str:
    """The consequences of a cause in a line, or nothing."""
    shown = [f"{item['operation']} ({item['count']})" for item in cause["consequences"][:6]]
    more = len(cause["consequences"]) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def alone_lines(cause: Mapping[str, Any]) -> list[str]:
    """What is to be said of a cause whose smallest case passes in a process of its own, or nothing."""
    alone = cause["alone"]
    if alone is None or alone["alone"] in BAD:
        return []
    passes = "passes in a process of its own: what ran before it matters, or it comes and goes"
    return [passes, f"fails again in: {printable(alone['command'])}"] if alone["among"] in BAD else [passes]


def causes_text(causes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The causes (``causes_of``) for the terminal, at most a dozen, each with its smallest failing case and its consequences."""
    unknown = [cause for cause in causes if not cause["known"]]
    known = [cause for cause in causes if cause["known"]]
    lines = []
    if unknown:
        lines.append(f"{len(unknown)} cause{'s' if len(unknown) > 1 else ''} of what is wrong:")
    for cause in unknown[:SHOWN]:
        lines.append(f"  {cause['name']}: {cause['headline']}")
        if cause["diagnosis"]:
            lines.append(f"    as if: {printable(cause['diagnosis'])}")
        if cause["consequences"]:
            lines.append(f"    so also: {consequences_text(cause)}")
        lines.append(f"    {cause['smallest']['command']}")
        lines += [f"    {line}" for line in alone_lines(cause)]
    if len(unknown) > SHOWN:
        lines.append(f"  … and {len(unknown) - SHOWN} more; all of them: tensorproof report RECORD -o page.html")
    if known:
        lines.append(f"known failures: {sum(cause['count'] for cause in known)} checks of {len(known)} declarations")
    return lines


def compared_causes(old: Record, new: Record) -> list[str]:
    """The causes that are new, fixed or changed from one record to another, by name."""
    before, after = ({cause["name"]: cause for cause in causes_of(record) if not cause["known"]} for record in (old, new))
    lines = [f"new cause: {name}: {cause['headline']}" for name, cause in after.items() if name not in before]
    lines += [f"fixed cause: {name}: {cause['headline']}" for name, cause in before.items() if name not in after]
    for name in after.keys() & before.keys():
        was, now = before[name], after[name]
        if any(was[part] != now[part] for part in ("count", "dtypes", "modes", "outputs", "samples", "consequences")):
            lines.append(f"changed cause: {name}: {was['headline']} → {now['headline']}")
    return lines
