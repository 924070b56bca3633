"""Which checks notice which fault, measured once and kept in a file: what the quick set is chosen from.

::

    python suite/tests/noticed.py noticed.json       # some ten minutes on two processors
"""

import json
import multiprocessing
import sys
from pathlib import Path

from faults import ALL
from faulty import NOTICED, results_of


def noticed_in(operation: str) -> dict[str, list[list[str]]]:
    """By fault of an operation, the checks that notice it: mode, sample, dtype and check."""
    found: dict[str, list[list[str]]] = {}
    for fault in ALL.values():
        if fault.operation == operation:
            results = [result for result in results_of(fault) if result.status in NOTICED]
            found[fault.key] = [[item.case.mode, item.case.sample, item.case.dtype, item.case.check] for item in results]
    print(f"{operation}: {len(found)}", flush=True)
    return found


def measure(path: Path) -> None:
    """Write the file, an operation after the other."""
    operations = sorted({fault.operation for fault in ALL.values()})
    table: dict[str, list[list[str]]] = {}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for found in pool.imap_unordered(noticed_in, operations):
            table |= found
    path.write_text(json.dumps(table, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
