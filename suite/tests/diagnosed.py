"""What is said of each planted fault: its causes, and the diagnosis of each.

::

    python suite/tests/diagnosed.py diagnosed.ndjson            # all faults but those of large models
    python suite/tests/diagnosed.py diagnosed.ndjson softmax    # those whose key begins so
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faults import ALL
from faulty import Fault, checks_of
from noticed import is_large
from small_backend import SPECIFICATION, SmallBackend

from tensorproof.conformance.checks import run_check
from tensorproof.runs.records import Record
from tensorproof.runs.run import result_to_record

OPTIONS = SimpleNamespace(seed=0, instructions=None)
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


def main(path: Path, start: str) -> None:
    """Write a line for each fault: its key and the lines of its checks."""
    with path.open("w", encoding="utf-8") as file:
        for fault in ALL.values():
            if fault.key.startswith(start) and not is_large(SPECIFICATION[fault.operation]):
                line: dict[str, Any] = {"fault": fault.key, "checks": record_of(fault).checks}
                file.write(json.dumps(line) + "\n")
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "".join(sys.argv[2:3]))
