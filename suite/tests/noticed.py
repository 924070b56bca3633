"""Which checks notice which fault, measured once and kept in a file: what the quick set is chosen from.

::

    python suite/tests/noticed.py core noticed.json       # a quarter of an hour on one processor
    python suite/tests/noticed.py extended noticed_extended.json    # half an hour

Large models are left out, whose checks take minutes.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from faults import OF_PROFILE
from faulty import NOTICED, Fault, checks_of
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.conformance.checks import run_check
from tensorproof.conformance.selection.cases import Case, all_cases, samples_of, spread
from tensorproof.contract.description import describe
from tensorproof_reference.catalogue import of_profile
from tensorproof_reference.networks import evaluation
from tensorproof_reference.operation import Operation
from tensorproof_reference.sample_classes import class_of

FIRST_MODE = "eager"
"""The mode of the small backend that stands for any backend's first mode."""


def is_large(operation: Operation) -> bool:
    """Whether an operation is a large model."""
    return operation.model is not None and evaluation.is_large(operation.model)


def offered(operation: Operation, cases: Iterable[Case]) -> list[Case]:
    """Those of an operation's cases that the quick set may have, in order.

    They are all in the first mode; and in other modes, of which each sample may cost a compilation, those that a dear compiler
    gets, in float32.
    """
    dear = spread(samples_of(operation, 0))

    def may_be_in(case: Case) -> bool:
        if not case.by_default or case.check == "declared":
            return False
        return case.mode == FIRST_MODE or (case.dtype == "float32" and case.sample in dear)

    return [case for case in cases if may_be_in(case)]


def tried(operation: Operation, cases: Iterable[Case]) -> list[Case]:
    """Those of the offered cases that each fault is tried on: in other dtypes than float32 the first sample of each class."""
    first: dict[str, str] = {}
    for sample in samples_of(operation, 0).values():
        first.setdefault(class_of(sample), sample.name)
    return [case for case in offered(operation, cases) if case.dtype == "float32" or case.sample in first.values()]


def all_offered(profile: str) -> list[Case]:
    """All cases of the small backend that the quick set of a profile may have."""
    description = describe(SmallBackend(), None)
    return [
        case
        for operation in of_profile(KNOWN, profile).values()
        if not is_large(operation)
        for case in offered(operation, all_cases(description, {operation.name: operation}, 0))
    ]


def noticing(fault: Fault) -> list[list[str]]:
    """The checks that notice a fault, of its operation: mode, sample, dtype and check; of a formula, those of the first mode."""
    session, cases = checks_of(fault.backend(fault), fault.operation)
    chosen = [case for case in tried(KNOWN[fault.operation], cases) if case.mode == FIRST_MODE or not fault.is_formula]
    found = [case for case in chosen if run_check(session, case).status in NOTICED]
    kept = [case for case in found if fault.is_formula or _notices_alone(fault, case)]
    return [[case.mode, case.sample, case.dtype, case.check] for case in kept]


def _notices_alone(fault: Fault, wanted: Case) -> bool:
    """Whether a check notices a fault of a framework if only the checks of its own sample run before it.

    A fault that remembers what it saw first may show only after others, which a quick set need not have.
    """
    session, cases = checks_of(fault.backend(fault), fault.operation)
    own = [case for case in cases if (case.mode, case.sample, case.dtype) == (wanted.mode, wanted.sample, wanted.dtype)]
    return {case: run_check(session, case).status for case in own}[wanted] in NOTICED


def measure(profile: str, path: Path) -> None:
    """Write the file of a profile."""
    table: dict[str, list[list[str]]] = {}
    for fault in OF_PROFILE[profile].values():
        if not is_large(KNOWN[fault.operation]):
            table[fault.key] = noticing(fault)
    path.write_text(json.dumps(table, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
