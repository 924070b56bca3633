"""Which share of the known faults a run would have noticed.

``faults.tsv`` says of each planted fault in which dtypes checks notice it. ``suite/tests/write_fault_table.py`` writes it with
the table of faults.
"""

import functools
from collections.abc import Mapping, Set
from importlib.resources import files

FILE = "faults.tsv"


@functools.cache
def known_faults() -> Mapping[str, tuple[str, frozenset[str]]]:
    """Operation and dtypes of each fault, by its key."""
    found = {}
    for line in (files("tensorproof.statements") / FILE).read_text(encoding="utf-8").splitlines():
        key, operation, dtypes = line.split("\t")
        found[key] = (operation, frozenset(dtypes.split(",")))
    return found


def noticed_by(checked: Mapping[str, Set[str]]) -> dict[str, int]:
    """How many faults are known, and how many checks of these dtypes, by operation, would have noticed.

    >>> noticed_by({"relu": set()})["noticed"]
    0
    """
    faults = known_faults().values()
    return {"known": len(faults), "noticed": sum(bool(dtypes & checked.get(operation, set())) for operation, dtypes in faults)}
