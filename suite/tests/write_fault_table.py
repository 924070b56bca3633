"""Writes docs/faults.md, each deliberate fault and which checks notice it, and ``faults.tsv``, which ships with the suite.

Run it where tensorproof is installed, from anywhere, for each profile::

    python suite/tests/write_fault_table.py core
    python suite/tests/write_fault_table.py extended
    python suite/tests/write_fault_table.py extended gemm lbfgs     # these operations anew, the others as the page has them

It runs every check of each fault's operation, in all dtypes and modes: some twenty minutes on two processors for ``core``.
"""

import multiprocessing
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from faults import BEYOND, OF_PROFILE
from faulty import NOTICED, Fault, first_notice, results_of

from tensorproof.statements import known_faults
from tensorproof_reference.operation import CORE, DTYPES

DOCUMENTS = Path(__file__).parents[2] / "docs"
PAGES = {"core": DOCUMENTS / "faults.md", "extended": DOCUMENTS / "faults_extended.md"}
TABLES = {profile: Path(known_faults.__file__).with_name(name) for profile, name in known_faults.FILES.items()}

INTRODUCTION = """# Faults in operations of profile {profile}

The suite is itself tested: {planted} deliberate faults are planted, one at a time, in a small backend that is right otherwise.
Each has to be noticed, and the unbroken backend has to pass every check. Both are tests of the project
(`suite/tests/conformance/test_faults.py`). The faults are plain functions in `suite/tests/faults/`. They repeat, in small,
silent bugs of deep-learning frameworks.

*Expected* is the class of samples, the check, the mode or the dtype that ought to notice the fault. These run first. *First* is
the check, and the sample, that noticed it first. *Noticed* is how many checks did, of all that were run on the operation, and in
which dtypes. A formula that is wrong in every mode is run eagerly only. A fault that few checks notice is one that only breadth
of cases finds: fewer than one check in twenty notices {rare} of these {planted}.

By dtype, {by_dtype}.

This page is generated: `python suite/tests/write_fault_table.py {profile}`.
"""

LIMITS = """
## Not noticed

No check notices these; a test makes sure that this list is true.

| fault | operation | why, and what would notice it |
|---|---|---|
"""


def words(fault: Fault) -> str:
    """The fault's name as people write."""
    name: str = fault.name
    return name.replace("_", " ")


Row: TypeAlias = tuple[str, int, int, list[str]]
"""A fault's line of the table, how many checks noticed and were run, and the dtypes."""


def row(fault: Fault) -> Row:
    """The row of a fault."""
    total, noticed, first = 0, Counter[str](), ""
    for result in results_of(fault):
        total += 1
        if result.status in NOTICED:
            noticed[result.case.dtype] += 1
            mode = "" if result.case.mode == "eager" else f", {result.case.mode}"
            first = first or f"{result.case.check} `{result.case.sample}`{mode}"
    dtypes = [dtype for dtype in DTYPES if noticed[dtype]]
    count = sum(noticed.values())
    text = f"| {words(fault)} | {fault.group} | {first} | {count} of {total} | {', '.join(dtypes)} |"
    return text, count, total, dtypes


def rows_of(operation: str) -> list[Row]:
    """The lines of an operation's faults: one process keeps what the reference expects of its samples."""
    rows = [row(fault) for faults in OF_PROFILE.values() for fault in faults.values() if fault.operation == operation]
    print(f"{operation}: {len(rows)}", flush=True)
    return rows


def page(profile: str, tables: Mapping[str, list[Row]]) -> str:
    """The whole page of a profile."""
    rows = [row for table in tables.values() for row in table]
    by_dtype = ", ".join(f"{sum(dtype in dtypes for *_, dtypes in rows)} are noticed in {dtype}" for dtype in DTYPES)
    rare = sum(count < total / 20 for _, count, total, _ in rows)
    text = INTRODUCTION.format(profile=profile, planted=len(rows), rare=rare, by_dtype=by_dtype)
    for operation, table in tables.items():
        text += f"\n## {operation}\n\n| fault | expected | first | noticed | in |\n|---|---|---|---|---|\n"
        text += "".join(f"{line}\n" for line, *_ in table)
    if profile != CORE:
        return text
    return text + LIMITS + "".join(f"| {words(fault)} | {fault.operation} | {fault.missing} |\n" for fault in BEYOND.values())


def named_in(text: str) -> list[str]:
    """The keys of the faults that a page lists, in order."""
    keys, operation = [], ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            operation = line.removeprefix("## ")
        elif line.startswith("|") and cells[0] not in ("fault", "---"):
            where = cells[1] if operation == "Not noticed" else operation
            keys.append(f"{where}-{cells[0].replace(' ', '_')}")
    return keys


def dtypes_named_in(text: str) -> str:
    """The key, the operation and the dtypes of each fault that a page lists, as the file that statements use."""
    lines, operation = [], ""
    for line in text.split("\n## Not noticed")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            operation = line.removeprefix("## ")
        elif line.startswith("|") and cells[0] not in ("fault", "---"):
            lines.append(f"{operation}-{cells[0].replace(' ', '_')}\t{operation}\t{cells[-1].replace(' ', '')}\n")
    return "".join(lines)


def rows_in(text: str) -> dict[str, list[Row]]:
    """The rows of each operation that a page has."""
    tables: dict[str, list[Row]] = defaultdict(list)
    for part in text.split("\n## Not noticed")[0].split("\n## ")[1:]:
        operation, *lines = part.splitlines()
        for line in lines:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("|") and cells[0] not in ("fault", "---"):
                count, _, total = cells[3].partition(" of ")
                tables[operation].append((line, int(count), int(total), cells[4].split(", ")))
    return tables


def main(profile: str, named: Collection[str]) -> int:
    """Write a profile's page and table, with all rows new or those of the named operations; 1 if a fault is not noticed."""
    operations = sorted({fault.operation for fault in OF_PROFILE[profile].values()})
    kept = rows_in(PAGES[profile].read_text(encoding="utf-8")) if named else {}
    asked = [name for name in operations if not named or name in named]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = dict(zip(asked, pool.imap(rows_of, asked), strict=True))
    tables = {name: found.get(name) or kept[name] for name in operations}
    missed = [line for table in tables.values() for line, count, *_ in table if not count]
    wrong = [fault.key for fault in BEYOND.values() if profile == CORE and first_notice(fault)]
    print("\n".join([*missed, *wrong]) or f"all {sum(map(len, tables.values()))} faults are noticed")
    PAGES[profile].write_text(page(profile, tables), encoding="utf-8")
    TABLES[profile].write_text(dtypes_named_in(page(profile, tables)), encoding="utf-8")
    return bool(missed or wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
