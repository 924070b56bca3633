"""The command ``tensorproof check NAME --next``: what to do next, the cheapest and most telling first.

Checks run in stages, each in a process of its own, and a long stage in parts. The first part with a failure ends it: everything
after that would only repeat what is wrong already.
"""

import argparse
import inspect
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorproof.conformance.selection.cases import samples_of
from tensorproof.contract.backends import specification
from tensorproof.contract.description import Description, describe_apart
from tensorproof.errors import UsageError, printable
from tensorproof.operation_table import UNWRITTEN
from tensorproof.runs.again import made_again
from tensorproof.runs.causes.cause import alone_lines, causes_of
from tensorproof.runs.causes.symptoms import BAD
from tensorproof.runs.records import Record, check_key, read_record
from tensorproof_reference.catalogue import of_profile
from tensorproof_reference.manual.page import signature
from tensorproof_reference.networks.evaluation import operations_of
from tensorproof_reference.operation import CORE, Operation
from tensorproof_reference.registry import basic_operations
from tensorproof_reference.sample_classes import REQUIRED

EASIEST_FIRST = (
    "elementwise",
    "axis",
    "reshaping",
    "product",
    "loss",
    "penalty",
    "lookup",
    "metric",
    "normalization",
    "window",
    "attention",
    "gates",
    "recurrent",
    "clipping",
    "schedule",
    "optimizer",
)
"""Families of operations in the order in which to write them; those that are not named come last."""
SHOWN = 6
PART_S = 60
"""Seconds after which a stage is looked at: if something fails by then, the rest of it waits."""


@dataclass(frozen=True)
class Stage:
    """Some checks of the operations that are there, in words and as options."""

    name: str
    arguments: tuple[str, ...]


def stages_of(description: Description, written: Sequence[Operation]) -> list[Stage]:
    """The stages for a backend that has these operations, from one sample of each to models and their training."""
    mode, *compilers = description.modes
    first = "float32" if "float32" in description.dtypes else description.dtypes[0]
    basic = [operation for operation in written if operation.model is None]
    named = tuple(f"--op={operation.name}" for operation in basic)
    samples = dict.fromkeys(f"--sample={next(iter(samples_of(operation, 0)))}" for operation in basic)
    random = tuple(f"--op={operation.name}" for operation in basic if operation.random)
    models = tuple(f"--op={operation.name}" for operation in written if operation.model is not None)
    here = (f"--mode={mode}",)
    gradients = tuple(f"--check={name}" for name in ("gradient", "subset", "purity", "fused"))
    stages = [
        Stage(f"one value each in {first}", (*named, "--check=forward", f"--dtype={first}", *here, *samples)),
        Stage(f"values in {', '.join(description.dtypes)}", (*named, "--check=forward", *here)),
        Stage("gradients", (*named, *gradients, *here)),
        *(Stage(f"mode {compiler}", (*named, f"--mode={compiler}")) for compiler in compilers),
    ]
    return [
        Stage("arrays that come back as they went", ("--check=adapter",)),
        *(stages if basic else []),
        *([Stage("distributions", (*random, "--check=randomness"))] if random else []),
        *([Stage("models and training", models)] if models else []),
    ]


def written_in(description: Description, known: Mapping[str, Operation]) -> list[Operation]:
    """The operations that a backend has, and the models that it can make of them."""
    present = [known[name] for name in description.sources if name in known]
    names = {operation.name for operation in present if operation.model is None}
    return [item for item in present if item.model is None or _is_whole(item, names)]


def _is_whole(operation: Operation, names: Collection[str]) -> bool:
    model = operation.model
    return model is not None and set(operations_of(model)) <= set(names)


def to_write(description: Description) -> list[Operation]:
    """The operations that are neither written nor declared unsupported, the easiest first."""
    order = {family: place for place, family in enumerate((*EASIEST_FIRST, *(f for f in REQUIRED if f not in EASIEST_FIRST)))}
    missing = [
        operation
        for name, operation in basic_operations().items()
        if name not in description.sources and description.reasons.get(name, UNWRITTEN) == UNWRITTEN
    ]

    def effort(operation: Operation) -> tuple[int, int]:
        return order.get(operation.family, len(order)), len(inspect.signature(operation.function).parameters)

    return sorted(missing, key=effort)


def record_of(options: argparse.Namespace, stage: Stage, path: Path) -> Record | None:
    """The record of a stage's checks, or of its first parts, the last of which has a failure; ``None`` if no check matches it.

    Raises:
        UsageError: the run could not be made; the message is its own.
    """
    command = [sys.executable, "-m", "tensorproof", "check", options.backend, f"--record={path}", *stage.arguments]
    command += [f"--device={options.device}"] if options.device else []
    command += [f"-p={module}" for module in options.plugins]
    command += [f"--declarations={name}" for name in options.declarations]
    record, ran, limit, resume = None, 0, [f"--time-budget={PART_S}"], list[str]()
    while record is None or (ran < len(record.checks) and failing(record) is None):
        done = subprocess.run([*command, *limit, *resume], capture_output=True, text=True, check=False)
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        if not path.exists() and any("no check matches" in line for line in said):
            return None
        record = read_record(path) if path.exists() else None
        resume = ["--resume"] if record else []
        before, ran = ran, len(that_ran(record)) if record is not None else 0
        if ran == before:
            if record is None or not limit:
                raise UsageError(printable(said[-1].removeprefix("ERROR: ")) if said else f"{stage.name}: the run said nothing")
            limit = []  # to load the backend takes longer than a part
    return record


def that_ran(record: Record) -> list[dict[str, Any]]:
    """The checks for which there was time."""
    return [check for check in record.checks if check["status"] != "not_run"]


def failing(record: Record) -> dict[str, Any] | None:
    """The cause to mend first, or ``None`` if nothing fails: in float32 if there is one, and with the smallest input."""
    sizes = {
        check_key(check): min((item["size"] for item in check["findings"] if "size" in item), default=0)
        for check in record.checks
        if check["status"] in BAD
    }
    order = [*record.header["dtypes"], "none"]
    causes = [cause for cause in causes_of(record) if not cause["known"]]
    return min(
        causes,
        key=lambda cause: (
            "float32" not in cause["dtypes"],
            min(order.index(dtype) for dtype in cause["dtypes"]),
            sizes.get(cause["smallest"]["check"], 0),
        ),
        default=None,
    )


def lines_of_failure(record: Record, cause: Mapping[str, Any]) -> list[str]:
    """What fails, on which input, and how to run it again."""
    ran = that_ran(record)
    bad = sum(check["status"] in BAD for check in ran)
    so_far = " so far" if len(ran) < len(record.checks) else ""
    lines = [f"       {bad} of {len(ran)} checks{so_far} fail; first mend", f"       {cause['headline']}"]
    if cause["diagnosis"]:
        lines.append(f"       as if: {printable(cause['diagnosis'])}")
    lines += [f"       {printable(cause['smallest']['message'])[:400]}", f"       {cause['smallest']['command']}"]
    return [*lines, *(f"       {line}" for line in alone_lines(cause))]


def lines_of_writing(description: Description) -> list[str]:
    """What to write next, if anything is left."""
    missing = to_write(description)
    if not missing:
        return []
    following = ", ".join(operation.name for operation in missing[1:SHOWN])
    return [
        f"write  {signature(missing[0])}; its page: tensorproof show {missing[0].name}",
        f"       {len(missing)} operations are left{f'; then {following}' if following else ''}",
        f'       a framework that has no such operation: operations.unsupported("{missing[0].name}", "why")',
    ]


def unsupported_text(record: Record) -> str:
    """How many checks of a stage are unsupported and for which reason most, or nothing."""
    reasons = [check["message"] for check in record.checks if check["status"] == "unsupported"]
    if not reasons:
        return ""
    most = max(dict.fromkeys(reasons), key=reasons.count)
    return f", {len(reasons)} unsupported: {printable(most)[:120]}"


def run(options: argparse.Namespace) -> int:
    """Print the stages that pass, the first failure, and what to write next; 1 if something fails.

    Raises:
        UsageError: the plugin cannot be loaded, or a device or file that the options name is not there.
    """
    description = describe_apart(options.backend, options.device, options.plugins)
    written = written_in(description, of_profile(specification(), CORE))
    basic, count = sum(operation.model is None for operation in written), len(basic_operations())
    abilities = ", ".join((*description.dtypes, *description.modes))
    place = f"{description.backend} on {description.device}"
    print(f"done   adapter: {place}, {abilities}; {basic} of {count} operations", flush=True)
    stages = stages_of(description, written)
    with tempfile.TemporaryDirectory(prefix="tensorproof_") as folder:
        for number, stage in enumerate(stages):
            record = record_of(options, stage, Path(folder) / f"{number}.ndjson")
            if record is None:
                continue
            cause = failing(record)
            if cause is not None:
                cause["alone"] = next(made_again([cause]), None)
                later = "; ".join(item.name for item in stages[number + 1 :])
                print(f"now    {stage.name}", *lines_of_failure(record, cause), *([f"then   {later}"] if later else []), sep="\n")
                return 1
            passed = sum(check["status"] == "passed" for check in record.checks)
            print(f"done   {stage.name}: {passed} checks pass{unsupported_text(record)}", flush=True)
    writing = lines_of_writing(description)
    whole = [f"done   all operations; the statement: tensorproof check {options.backend} --record=run.ndjson, then"]
    print(*(writing or [*whole, "       tensorproof statement run.ndjson -o statement.json"]), sep="\n")
    return 0
