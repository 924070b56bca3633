"""The quick set: few checks that notice most planted faults, for a first look (``--quick``).

``quick.tsv`` lists them. ``suite/tests/write_quick_set.py`` writes it from measurements: which check notices which of the faults
in ``suite/tests/faults``, and what each check costs. Its rows are independent of a backend: *first* ones run in a backend's
first mode, *compiled* ones in its other modes.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from tensorproof.conformance.selection.cases import Case
from tensorproof.contract.description import Description

FILE = "quick.tsv"
Row = tuple[str, str, str, str]
"""Operation, sample, dtype and check."""


@dataclass(frozen=True)
class QuickSet:
    """What the file says."""

    faults: int
    """How many faults were planted."""
    noticed: int
    """How many of them the set notices."""
    specification: str
    """Version of the specification that it was chosen for."""
    first: frozenset[Row]
    compiled: frozenset[Row]

    @property
    def operations(self) -> frozenset[str]:
        """The operations that were considered."""
        return frozenset(row[0] for row in self.first)


def parsed(text: str) -> QuickSet:
    """The set that a file's text describes: three header lines ``# name value``, then rows ``first|compiled`` and four words.

    Raises:
        ValueError: it is malformed.
    """
    header: dict[str, str] = {}
    rows: dict[str, set[Row]] = {"first": set(), "compiled": set()}
    for line in text.splitlines():
        if line.startswith("# "):
            name, _, value = line.removeprefix("# ").partition(" ")
            header[name] = value
        elif line:
            kind, operation, sample, dtype, check = line.split("\t")
            rows[kind].add((operation, sample, dtype, check))
    return QuickSet(
        int(header["faults"]),
        int(header["noticed"]),
        header["specification"],
        frozenset(rows["first"]),
        frozenset(rows["compiled"]),
    )


@functools.cache
def quick_set() -> QuickSet:
    """The set that comes with tensorproof."""
    return parsed((files("tensorproof.conformance.selection") / FILE).read_text(encoding="utf-8"))


def quick_cases(cases: Iterable[Case], description: Description, chosen: QuickSet) -> frozenset[Case]:
    """The cases of a backend that the set asks for.

    Of an operation that the set does not know (a third party's), it takes the ``plain`` samples in float32 in the first mode.
    What the set asks for in a dtype that the device lacks runs in float32.
    """
    first_mode = next(iter(description.modes))

    def asked(case: Case) -> bool:
        if case.check == "declared":
            return True
        if not case.by_default:
            return False
        if case.operation not in chosen.operations:
            return case.mode == first_mode and case.dtype == "float32" and case.sample.startswith("plain")
        rows = chosen.first if case.mode == first_mode else chosen.compiled
        dtypes = [case.dtype, *(lacking if case.dtype == "float32" else [])]
        return any((case.operation, case.sample, dtype, case.check) in rows for dtype in dtypes)

    lacking = [dtype for dtype in ("float64", "bfloat16", "float16") if dtype not in description.dtypes]
    return frozenset(case for case in cases if asked(case))


def share_text(chosen: QuickSet) -> str:
    """What the set notices, in words."""
    return f"notices {chosen.noticed} of {chosen.faults} planted faults ({100 * chosen.noticed / chosen.faults:.0f} %)"


def estimated_seconds(durations: Mapping[str, list[float]], left: Mapping[str, int], wall: float) -> float:
    """How long a whole run would take here: from the durations of what ran, how much was left, by mode, and the wall time."""
    ran = sum(sum(values) for values in durations.values())
    more = sum(count * sum(durations[mode]) / len(durations[mode]) for mode, count in left.items() if durations.get(mode))
    return wall * (1 + more / ran) if ran else wall
