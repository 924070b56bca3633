"""Which share of the known faults a run would have noticed.

A file for each profile says of each planted fault in which dtypes checks notice it. ``suite/tests/write_fault_table.py`` writes
it with the table of faults.
"""

import functools
from collections.abc import Mapping, Set
from importlib.resources import files

from tensorproof_reference.catalogue import EVERY_PROFILE
from tensorproof_reference.operation import CORE, EXTENDED

FILES = {CORE: "faults.tsv", EXTENDED: "faults_extended.tsv"}
"""By profile. A profile from outside has no planted faults."""


@functools.cache
def known_faults(profile: str) -> Mapping[str, tuple[str, frozenset[str]]]:
    """Operation and dtypes of each fault in a profile's operations, or in those of all profiles, by its key."""
    found = {}
    for name in [file for of, file in FILES.items() if profile in (of, EVERY_PROFILE)]:
        for line in (files("tensorproof.statements") / name).read_text(encoding="utf-8").splitlines():
            key, operation, dtypes = line.split("\t")
            found[key] = (operation, frozenset(dtypes.split(",")))
    return found


def noticed_by(checked: Mapping[str, Set[str]], profile: str) -> dict[str, int]:
    """How many faults are known in a profile, and how many checks of these dtypes, by operation, would have noticed.

    >>> noticed_by({"relu": set()}, "core")["noticed"]
    0
    """
    faults = known_faults(profile).values()
    return {"known": len(faults), "noticed": sum(bool(dtypes & checked.get(operation, set())) for operation, dtypes in faults)}
