"""The quick sets: few checks that notice most planted faults, for a first look (``--quick``).

A file for each profile lists them. ``suite/tests/write_quick_set.py`` writes it from measurements: which check notices which of
the faults in ``suite/tests/faults``, and what each check costs. Its rows are independent of a backend: *first* ones run in its
first mode, *eager* ones too, but only if that mode is ``eager``, where a call costs no compilation, and *compiled* ones in its
other modes. *Large* names what has no row: models and trainings whose checks take long are left to full runs.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from tensorproof.conformance.selection.cases import Case
from tensorproof.contract.description import Description
from tensorproof_reference.catalogue import EVERY_PROFILE
from tensorproof_reference.operation import CORE, EXTENDED

FILES = {CORE: "quick.tsv", EXTENDED: "quick_extended.tsv"}
Row = tuple[str, str, str, str]
"""Operation, sample, dtype and check."""


@dataclass(frozen=True)
class QuickSet:
    """What the file says."""

    faults: int
    """How many faults were planted."""
    noticed: int
    """How many of them the set notices on a backend whose first mode is ``eager``."""
    noticed_compiled: int
    """How many of them it notices on one that compiles every call."""
    specification: str
    """Version of the specification that it was chosen for."""
    first: frozenset[Row]
    eager: frozenset[Row]
    compiled: frozenset[Row]
    large: frozenset[str]

    @functools.cached_property
    def operations(self) -> frozenset[str]:
        """The operations that were considered."""
        return frozenset(row[0] for row in self.first | self.eager) | self.large

    def in_first_mode(self, mode: str) -> frozenset[Row]:
        """The rows for a backend's first mode."""
        return self.first | self.eager if mode == "eager" else self.first

    def noticed_by(self, mode: str) -> int:
        """How many faults the set notices on a backend with this first mode."""
        return self.noticed if mode == "eager" else self.noticed_compiled

    def percent_noticed(self, mode: str) -> int:
        """Of all planted faults; rounded down."""
        return 100 * self.noticed_by(mode) // self.faults


def parsed(text: str) -> QuickSet:
    """The set that a file's text describes, or that of several together: header lines ``# name value``, lines ``large`` and a
    name, and rows ``first``, ``eager`` or ``compiled`` and four words.

    Raises:
        ValueError: it is malformed.
    """
    counts = dict.fromkeys(("faults", "noticed", "noticed_compiled"), 0)
    versions: list[str] = []
    rows: dict[str, set[Row]] = {"first": set(), "eager": set(), "compiled": set()}
    large: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# specification "):
            versions.append(line.removeprefix("# specification "))
        elif line.startswith("# "):
            name, number = line.removeprefix("# ").split(" ")
            counts[name] += int(number)
        elif line.startswith("large\t"):
            large.add(line.split("\t")[1])
        elif line:
            kind, operation, sample, dtype, check = line.split("\t")
            rows[kind].add((operation, sample, dtype, check))
    return QuickSet(
        faults=counts["faults"],
        noticed=counts["noticed"],
        noticed_compiled=counts["noticed_compiled"],
        specification=" ".join(versions),
        first=frozenset(rows["first"]),
        eager=frozenset(rows["eager"]),
        compiled=frozenset(rows["compiled"]),
        large=frozenset(large),
    )


@functools.cache
def quick_set(profile: str) -> QuickSet:
    """The set that comes with tensorproof for a profile, or for all together. One from outside has none: no faults, no rows."""
    folder = files("tensorproof.conformance.selection")
    names = [name for of, name in FILES.items() if profile in (of, EVERY_PROFILE)]
    return parsed("".join((folder / name).read_text(encoding="utf-8") for name in names))


def quick_cases(cases: Iterable[Case], description: Description, chosen: QuickSet) -> frozenset[Case]:
    """The cases of a backend that the set asks for.

    Of an operation that the set does not know (a third party's), it takes the ``plain`` samples in float32 in the first mode.
    What the set asks for in a dtype that the device lacks runs in float32.
    """
    first_mode = next(iter(description.modes))
    in_first_mode = chosen.in_first_mode(first_mode)

    def asked(case: Case) -> bool:
        if case.check == "declared":
            return True
        if not case.by_default:
            return False
        if case.operation not in chosen.operations:
            return case.mode == first_mode and case.dtype == "float32" and case.sample.startswith("plain")
        rows = in_first_mode if case.mode == first_mode else chosen.compiled
        dtypes = [case.dtype, *(lacking if case.dtype == "float32" else [])]
        return any((case.operation, case.sample, dtype, case.check) in rows for dtype in dtypes)

    lacking = [dtype for dtype in ("float64", "bfloat16", "float16") if dtype not in description.dtypes]
    return frozenset(case for case in cases if asked(case))


def share_text(chosen: QuickSet, first_mode: str) -> str:
    """What the set notices, in words."""
    if not chosen.faults:
        return "is the plain samples, since no faults were planted in operations of this profile"
    noticed = chosen.noticed_by(first_mode)
    return f"notices {noticed} of {chosen.faults} planted faults ({chosen.percent_noticed(first_mode)} %)"
