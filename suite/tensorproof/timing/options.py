"""The options of ``tensorproof time`` and ``tensorproof duel``, and what they select."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorproof.conformance.selection.options import LARGEST_SEED, Adder, add_instructions_option, known_names, require_seconds
from tensorproof.contract.compile_cache import COMPILE_CACHE
from tensorproof.errors import UsageError
from tensorproof.timing.crews import Origin, own_python
from tensorproof.timing.plan import DIRECTIONS
from tensorproof.timing.processes import python_of
from tensorproof.timing.resources import available_cores
from tensorproof_reference.networks.operations import TRAINING
from tensorproof_reference.operation import DTYPES, EXTENDED, SIZES, Operation

DEFAULT_WORKLOADS = ("S", "M")


def add_series_options(add: Adder, launches: int) -> None:
    """Add the options that say what is timed and how, beyond those that conformance has too; ``launches`` is the default."""
    several: dict[str, Any] = {"action": "append", "default": []}
    add(
        "--workload",
        metavar="SIZE",
        help=f"S, M or L (repeat for several; default: {' and '.join(DEFAULT_WORKLOADS)})",
        **several,
    )
    add("--direction", metavar="NAME", help=f"{' or '.join(DIRECTIONS)} (repeat for both; default: both)", **several)
    add("--model", metavar="NAME", help="model to time, with its training step (repeat for several)", **several)
    add("--threads", type=int, default=1, metavar="N", help="threads of every worker (default: 1)")
    spread = f"processes of each backend; rounds are divided among them (default: {launches})"
    add("--launches", type=int, default=launches, metavar="N", help=spread)
    limit = "seconds of rounds for each contender of a series, at most (default: 6)"
    add("--series-seconds", type=float, default=6.0, metavar="SECONDS", help=limit)
    add("--rounds", type=int, default=31, metavar="N", help="blocks of each series; more while unclear (default: 31)")


def add_command_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``time`` and ``duel``."""
    add = parser.add_argument
    several: dict[str, Any] = {"action": "append", "default": []}
    add("backends", nargs="+", metavar="BACKEND", help="backends to time; the others are compared with the first")
    add(
        "--env",
        metavar="LABEL=PATH",
        help="virtual environment of a backend (torch=PATH), or one of several to compare (old=PATH --env new=PATH)",
        **several,
    )
    add("--op", metavar="NAME", help="operation to time (repeat for several; default: all)", **several)
    add("--dtype", metavar="NAME", help="dtype (repeat for several; default: float32)", **several)
    add("--mode", metavar="NAME", help="mode to time, such as eager (repeat for several; default: all)", **several)
    add("--device", metavar="NAME", default=None, help="device, in the framework's words (default: the backend's first)")
    add_instructions_option(add)
    add("--declarations", metavar="FILE", help="further declarations (TOML; repeatable)", **several)
    add("--seed", type=int, default=0, help="seed of the inputs and cotangents (default: 0)")
    add("--request-timeout", type=float, default=300.0, metavar="SECONDS", help="end a worker that hangs (default: 300)")
    add("--shard", default=None, metavar="I/N", help="time only part I of N")
    add("--record", default=None, metavar="FILE", help="where to write the record (NDJSON; default: under .tensorproof)")
    add("--resume", action="store_true", help="continue the record of --record, if it exists")
    add("--force", action="store_true", help="let the page replace a file that is no page")
    add("--report", default=None, metavar="FILE", help="write a self-contained HTML page of the run")
    kept = "keep compiled programs here for later runs (default: each run begins with none, and measures compiling them)"
    add(COMPILE_CACHE, type=Path, default=None, metavar="DIR", help=kept)
    add_series_options(add, launches=3)


def origins_of(backends: Sequence[str], environments: Sequence[str], device: str | None) -> list[Origin]:
    """Where each backend is to be taken from.

    An environment whose label is a backend's name supplies that backend. Others are compared with each other: each supplies
    every backend that has no environment of its own.

    Raises:
        UsageError: an environment is malformed, given twice, or of no use.
    """
    given: dict[str, Path] = {}
    for text in environments:
        label, equals, path = text.partition("=")
        if not (label and equals and path):
            raise UsageError(f"--env: expected LABEL=PATH, such as old=venvs/old, got {text!r}")
        if label in given:
            raise UsageError(f"--env: {label} is given twice")
        given[label] = python_of(Path(path))
    own = {name: path for name, path in given.items() if name in backends}
    compared = {name: path for name, path in given.items() if name not in backends}
    if compared and set(own) == set(backends):
        raise UsageError(f"--env: {next(iter(compared))} has nothing to supply: each backend has an environment of its own")
    if len(set(backends)) < len(backends):
        raise UsageError("a backend is named twice; to compare it with itself, give two environments: --env old=… --env new=…")
    origins = []
    for backend in backends:
        if backend in own or not compared:
            origins.append(Origin(backend, "", own.get(backend, own_python()), device))
        else:
            origins += [Origin(backend, label, path, device) for label, path in compared.items()]
    return origins


def selected_operations(options: Any, operations: dict[str, Operation]) -> dict[str, Operation]:
    """The operations to time: those that are named, or all but the ones of profile ``extended``.

    Raises:
        UsageError: an option names something that is not, or that has no workload.
    """
    timed = {name: operation for name, operation in operations.items() if operation.workload is not None}
    models = [name for name, operation in timed.items() if operation.family == "model"]
    for name in options.op:
        if name in operations and name not in timed:
            raise UsageError(f"--op: {name} is not timed: it has no workload")
    chosen = [*known_names("op", options.op, list(timed))]
    for name in known_names("model", options.model, models):
        chosen += [other for other in (name, f"{name}{TRAINING}") if other in timed]
    if chosen:
        return {name: timed[name] for name in timed if name in chosen}
    return {name: operation for name, operation in timed.items() if operation.profile != EXTENDED}


def check_numbers(options: Any) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: naming the option.
    """
    cores = available_cores()
    for name, least in (("threads", 1), ("launches", 1), ("rounds", 1), ("seed", 0)):
        value = getattr(options, name)
        if value < least:
            raise UsageError(f"--{name}: expected at least {least}, got {value}")
    if options.threads > cores:
        raise UsageError(f"--threads: this process may use {cores} cores, got {options.threads}")
    for name in ("request_timeout", "series_seconds"):
        require_seconds(name, getattr(options, name))
    if options.seed > LARGEST_SEED:
        raise UsageError(f"--seed: expected at most {LARGEST_SEED}, got {options.seed}")


def chosen_of(options: Any, modes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Workloads, directions, dtypes and modes that are asked for (modes: empty for all).

    Raises:
        UsageError: one is unknown.
    """
    return {
        "workload": known_names("workload", options.workload, SIZES) or DEFAULT_WORKLOADS,
        "direction": known_names("direction", options.direction, DIRECTIONS) or DIRECTIONS,
        "dtype": known_names("dtype", options.dtype, DTYPES) or ("float32",),
        "mode": known_names("mode", options.mode, modes),
    }
