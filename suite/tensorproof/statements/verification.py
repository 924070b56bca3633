"""Verifying a statement: does it contradict itself, is it about what is installed here, and does a part of it come out again?"""

import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorproof
from tensorproof.conformance.selection.cases import ADAPTER
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.backends import specification
from tensorproof.contract.description import Description, describe_apart, with_variants
from tensorproof.errors import UsageError, printable
from tensorproof.runs.records import read_record
from tensorproof.statements.known_faults import noticed_by
from tensorproof.statements.statement import UNTRIED, frozen_for, operations_in, wrong_of
from tensorproof_reference.catalogue import of_profile, specification_version


def contradictions(statement: Mapping[str, Any]) -> list[str]:
    """What a statement says against itself: totals that are no sums, and a verdict that its counts do not give."""
    found = []
    for need in ("required", "optional"):
        total: Counter[str] = Counter()
        for operation in statement["operations"].values():
            total.update(operation[need])
        if dict(total) != statement[need]:
            found.append(f"{need}: the total is {statement[need]}, the operations add up to {dict(total)}")
    required = statement["required"]
    word = "does not conform" if wrong_of(required) else "incomplete" if required.get("not_run") else "conforms"
    # The kernels and versions for which a precision is declared are not in a statement: it may have been in force or not.
    may_be = (word, f"{word} at reduced precision") if word == "conforms" and statement["precision"] else (word,)
    if statement["verdict"] not in may_be:
        found.append(f"verdict: it says {statement['verdict']!r}, its counts give {word!r}")
    if not statement["causes"] and wrong_of(required) > required.get("unsupported", 0):
        found.append("causes: checks fail, and no cause is named")
    most = noticed_by({name: set(statement["dtypes"]) for name in statement["operations"]}, statement["profile"])
    said = statement["faults"]
    if said["known"] != most["known"] or said["noticed"] > most["noticed"]:
        found.append(f"faults: it says {said}, at most {most['noticed']} of {most['known']} can be noticed in these dtypes")
    return found


def differences_from_here(statement: Mapping[str, Any], description: Description) -> list[str]:
    """Where the statement is about something else than what is installed here."""
    here = {
        "tensorproof": tensorproof.__version__,
        "specification": {
            "version": specification_version(statement["profile"]),
            "frozen": frozen_for(statement["profile"], statement["seed"]),
        },
        "device": description.device,
        "instructions": description.instructions,
        "dtypes": list(description.dtypes),
        "modes": list(with_variants(description, (), statement["thorough"]).modes),
        "versions": description.versions,
    }
    return [
        f"{name}: the statement says {statement[name]}, here it is {here[name]}" for name in here if statement[name] != here[name]
    ]


class _Options:
    """The options of a whole run, as a plan reads them."""

    def __init__(self, statement: Mapping[str, Any], declarations: Sequence[str]) -> None:
        self.seed = statement["seed"]
        self.thorough = statement["thorough"]
        self.profile = statement["profile"]
        self.declarations = list(declarations)
        self.op: list[str] = []
        self.sample: list[str] = []
        self.dtype: list[str] = []
        self.mode: list[str] = []
        self.check: list[str] = []
        self.shard = self.time_budget = None
        self.check_timeout = 120.0
        self.quick = False


def differences_from_plan(statement: Mapping[str, Any], description: Description, declarations: Sequence[str]) -> list[str]:
    """Operations of which the statement counts more or fewer checks than the specification has for this backend."""
    options, known = _Options(statement, declarations), specification()
    plan = Plan(options, description, known, of_profile(known, options.profile))
    planned = Counter(case.operation for case in plan.cases)
    stated = {
        name: sum(item["required"].values()) + sum(item["optional"].values()) for name, item in statement["operations"].items()
    }
    names = sorted(planned.keys() | stated.keys())
    return [
        f"{name}: the statement counts {stated.get(name, 0)} checks, the specification has {planned.get(name, 0)}"
        for name in names
        if stated.get(name, 0) != planned.get(name, 0)
    ]


def drawn(statement: Mapping[str, Any], count: int, generator: random.Random) -> list[str]:
    """Operations to run again, drawn among those of which something was tried. The adapter's checks run along with any."""
    tried = [
        name
        for name, item in statement["operations"].items()
        if name != ADAPTER and any(status not in UNTRIED for need in ("required", "optional") for status in item[need])
    ]
    return sorted(generator.sample(tried, min(count, len(tried))))


def run_again(
    statement: Mapping[str, Any], operations: Sequence[str], arguments: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What becomes of the checks of some operations now.

    Raises:
        UsageError: the run could not be made; the message is its own.
    """
    command = [sys.executable, "-m", "tensorproof", "check", statement["backend"], f"--device={statement['device']}"]
    command += [f"--op={name}" for name in operations] + [f"--seed={statement['seed']}"]
    command += [f"--profile={statement['profile']}"] + (["--thorough"] if statement["thorough"] else [])
    with tempfile.TemporaryDirectory(prefix="tensorproof_") as folder:
        path = Path(folder) / "again.ndjson"
        done = subprocess.run([*command, f"--record={path}", *arguments], capture_output=True, text=True, check=False)
        if not path.exists():
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise UsageError(printable(said[-1].removeprefix("ERROR: ")) if said else "the run said nothing")
        return operations_in(read_record(path))


def differences(statement: Mapping[str, Any], again: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where operations that were run again differ from what the statement says of them."""
    found = []
    for name, now in again.items():
        then = statement["operations"].get(name)
        if then is None:
            found.append(f"{name}: the statement does not name it")
            continue
        found += [
            f"{name}: {need}: the statement says {_counts(then[need])}; it is {_counts(now[need])}"
            for need in ("required", "optional")
            if then[need] != now[need]
        ]
        if then["inputs"] != now["inputs"]:
            found.append(f"{name}: the inputs are others (digest {then['inputs']}, here {now['inputs']})")
        elif then["checks"] != now["checks"] and not any(item.startswith(f"{name}: ") for item in found):
            found.append(f"{name}: other checks pass than the statement says (digest {then['checks']}, here {now['checks']})")
    return found


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(counts.items())) or "none"


def verify(
    statement: Mapping[str, Any],
    count: int | None,
    generator: random.Random,
    modules: Sequence[str] = (),
    declarations: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """What disagrees with a statement, in lines, and the operations that were run again (all of them if ``count`` is ``None``).

    Nothing is run again of a statement that contradicts itself or is about something else.

    Raises:
        UsageError: the backend is not installed, or cannot be run.
    """
    found = contradictions(statement)
    description = describe_apart(statement["backend"], statement["device"], modules)
    found += differences_from_here(statement, description)
    unknown = sorted(statement["operations"].keys() - specification().keys() - {ADAPTER})
    found += [f"{name}: the specification has no such operation" for name in unknown]
    if found:
        return found, []
    found = differences_from_plan(statement, description, declarations)
    if found:
        return found, []
    operations = drawn(statement, len(statement["operations"]) if count is None else count, generator)
    arguments = [f"-p={module}" for module in modules] + [f"--declarations={path}" for path in declarations]
    return differences(statement, run_again(statement, operations, arguments)), operations
