"""What is said of each planted fault: measured once, read by hand against the fault's code, and kept in a file.

::

    python suite/tests/diagnosed.py            # some twenty minutes: writes diagnoses.json, says what is new in it
    python suite/tests/diagnosed.py softmax    # only faults whose key begins so; writes nothing

Read what is new before it is committed: a diagnosis that is wrong is a defect of the suite. Large models are left out, whose
checks take minutes.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from faults import ALL
from faulty import Fault, checks_of
from noticed import is_large
from plain_options import OPTIONS
from small_backend import SmallBackend
from small_operations import SPECIFICATION

from tensorproof.conformance.checks import run_check
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.records import Record
from tensorproof.runs.run import result_to_record

FILE = Path(__file__).with_name("diagnoses.json")
DTYPE = "float64"
"""What is checked in this dtype, and in the one that a fault is about; where nothing is floating, in the only one."""


def is_formula(fault: Fault) -> bool:
    """Whether a fault is in a formula, and so as wrong eagerly as when compiled."""
    return not fault.mode and fault.optimize is None and fault.backend is SmallBackend


def record_of(fault: Fault, checks: Iterable[str] = ()) -> Record:
    """A record of the checks of the fault's operation; of some checks only, if they are named."""
    session, cases = checks_of(fault.backend(fault), fault.operation)
    present = {case.dtype for case in cases}
    dtypes = ("none", DTYPE if DTYPE in present else "float32", fault.group)
    chosen = [
        case
        for case in cases
        if case.dtype in dtypes
        and (case.mode in ("none", "eager") or not is_formula(fault))
        and (case.check in checks or not checks)
    ]
    lines = [result_to_record(run_check(session, case), OPTIONS) for case in chosen]
    return Record({"backend": "small", "versions": {}, "declarations": [], "seed": 0, "planned": len(lines)}, lines)


def said_of(record: Record) -> list[str]:
    """The diagnoses of a record's causes, each once."""
    return sorted({cause["diagnosis"] for cause in causes_of(record)} - {""})


def kept() -> dict[str, list[str]]:
    """What the file says, by the key of the fault."""
    found: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def main(start: str) -> None:
    """Measure, print what differs from the file, and write it unless only some faults were asked for."""
    before = kept() if FILE.exists() else {}
    chosen = [fault for fault in ALL.values() if fault.key.startswith(start) and not is_large(SPECIFICATION[fault.operation])]
    found = {}
    for fault in chosen:
        found[fault.key] = said_of(record_of(fault))
        if found[fault.key] != before.get(fault.key):
            print(f"{fault.key}: {before.get(fault.key)} → {found[fault.key]}")
    print(f"a diagnosis speaks of {sum(map(bool, found.values()))} of {len(found)} faults")
    if not start:
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(said, ensure_ascii=False)}" for key, said in sorted(found.items()))
        FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main("".join(sys.argv[1:2]))
