"""The command-line options of a conformance run, and what they select."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tensorproof.conformance.selection.cases import ADAPTER, Case, in_shard, samples_of
from tensorproof.contract.compile_cache import COMPILE_CACHE
from tensorproof.contract.declarations import CHECKS
from tensorproof.contract.description import Description
from tensorproof.errors import UsageError
from tensorproof.operation_table import did_you_mean
from tensorproof_reference.catalogue import EVERY_PROFILE
from tensorproof_reference.operation import CORE, DTYPES, Operation

CHECK_TIMEOUT = 120.0
"""Seconds."""
PYTEST_PLUGIN = "tensorproof.pytest_plugin"
LARGEST_SEED = 2**53 - 1
"""Larger numbers are not the same in all readers of JSON."""
LEAST_BUDGET = 1.0
"""Seconds within which not even a worker starts."""


class Adder(Protocol):
    """What adds an option: ``argparse.ArgumentParser`` and pytest's option groups have the method under two names."""

    def __call__(self, *names: str, **attributes: Any) -> Any:
        """Add one option."""
        ...


def add_instructions_option(add: Adder) -> None:
    """Add the option that keeps kernels to an instruction set, which conformance and timings share."""
    add(
        "--instructions",
        metavar="SET",
        default=None,
        help="keep the framework's kernels to an instruction set, such as avx2 or avx512 (default: the processor's highest)",
    )


def add_selection_options(add: Adder) -> None:
    """Add the options that say what is checked and how."""
    several = {"action": "append", "default": [], "metavar": "NAME"}
    add("--device", metavar="NAME", default=None, help="device, in the framework's words (default: the backend's first)")
    add_instructions_option(add)
    add("--op", dest="op", help="operation to check (repeat for several; default: all)", **several)
    add("--sample", help="sample to check (repeat for several), also outside the default scope", **several)
    add("--dtype", help="float64, float32, bfloat16 or float16 (repeat for several)", **several)
    add("--mode", help="mode to run in, such as eager (repeat for several), also outside the default scope", **several)
    add("--check", help=f"check to make: {', '.join(CHECKS)} (repeat for several)", **several)
    add("--profile", default=CORE, metavar="NAME", help="profile of the specification: core, extended or all (default: core)")
    add("--shard", default=None, metavar="I/N", help="run only part I of N")
    add("--seed", type=int, default=0, help="seed of the inputs and cotangents (default: 0)")
    add("--quick", action="store_true", help="run the few checks that notice most faults: a first look in about a minute")
    add("--thorough", action="store_true", help="run every sample in every dtype and mode, and the variants of modes")
    add(
        "--strict-declarations",
        action="store_true",
        help="fail on declarations that are stale or match no case, and try what is declared unsupported",
    )
    add("--declarations", action="append", default=[], metavar="FILE", help="further declarations (TOML; repeatable)")
    add(
        "--record",
        default=None,
        metavar="FILE",
        help="where to write the record of the run (NDJSON; default: under .tensorproof)",
    )
    add("--dump", default=None, metavar="DIR", help="write each failing check as arrays (.npz) and a stand-alone script")
    add("--resume", action="store_true", help="go on with the record of --record, if it exists")
    add("--report", default=None, metavar="FILE", help="write a self-contained HTML page of the run")
    add("--force", action="store_true", help="let the page replace a file that is no page")
    kept = "keep compiled programs here for later runs (default: where the framework keeps them, if it does)"
    add(COMPILE_CACHE, type=Path, default=None, metavar="DIR", help=kept)
    add(
        "--reference-cache",
        type=Path,
        default=None,
        metavar="DIR",
        help="keep what the reference computes here for later runs (default: the user's folder for caches)",
    )
    add("--no-reference-cache", action="store_true", help="keep nothing of what the reference computes")
    add("--baseline", default=None, metavar="RUN", help="compare with an earlier record; exit 1 only for what is newly wrong")
    add("--time-budget", type=float, default=None, metavar="SECONDS", help="start no further check after this time")
    add(
        "--check-timeout",
        type=float,
        default=CHECK_TIMEOUT,
        metavar="SECONDS",
        help=f"end a check that hangs (default: {CHECK_TIMEOUT:g}; training: five times as long)",
    )


MOST_SECONDS = 1e6
"""Eleven days: timers of the system do not take any number."""


def require_seconds(name: str, value: float | None) -> None:
    """Check the value of an option that is a time.

    Raises:
        UsageError: no timer takes it.
    """
    if value is not None and not 0 < value <= MOST_SECONDS:
        option = f"--{name.replace('_', '-')}"
        raise UsageError(f"{option}: expected a positive number of seconds, at most {MOST_SECONDS:.0f}, got {value}")


@dataclass(frozen=True)
class Selection:
    """What the options ask for."""

    operations: tuple[str, ...]
    samples: tuple[str, ...]
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]
    checks: tuple[str, ...]
    profile: str
    shard: tuple[int, int] | None
    thorough: bool
    quick: bool

    def reason_left_out(self, case: Case, quick: frozenset[Case]) -> str:
        """Why a case is not run, or an empty string if it is; ``quick`` are the cases of the quick set."""
        if case.check == ADAPTER:
            return self._adapter_left_out(case)
        whole = case.check == "declared"
        if self.operations and case.operation not in self.operations:
            return "selection"
        if self.checks and case.check not in self.checks:
            return "selection"
        for chosen, value in ((self.samples, case.sample), (self.dtypes, case.dtype), (self.modes, case.mode)):
            if chosen and value not in chosen and not (whole and "declared" in self.checks):
                return "selection"
        if not (case.by_default or self.thorough or self.samples):
            return "scope"
        if self.quick and case not in quick:
            return "quick"
        if self.shard and not in_shard(case, *self.shard):
            return "shard"
        return ""

    def _adapter_left_out(self, case: Case) -> str:
        """Why a check of the adapter is not run. It runs whatever operations are asked for, since all rest on it.

        Integers, booleans and floats of 8 bits come with every dtype.
        """
        if (self.checks or self.samples or self.modes) and ADAPTER not in self.checks:
            return "selection"
        asked = case.dtype in self.dtypes or (case.dtype not in DTYPES and ADAPTER not in self.checks)
        if self.dtypes and not asked:
            return "selection"
        return "shard" if self.shard and not in_shard(case, *self.shard) else ""


def shard_of(text: str | None) -> tuple[int, int] | None:
    """The part and the number of parts that ``I/N`` asks for.

    Raises:
        UsageError: it is malformed.
    """
    if text is None:
        return None
    index, slash, count = text.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise UsageError(f"--shard: expected I/N with 1 ≤ I ≤ N, such as 1/4, got {text!r}")
    return int(index), int(count)


def known_names(option: str, names: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """The names that an option gives, each once.

    Raises:
        UsageError: one of them is not among those known.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise UsageError(f"--{option}: nothing is called {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _known_samples(options: Any, specification: Mapping[str, Operation], samples: Iterable[str]) -> tuple[str, ...]:
    """The samples that are asked for, each once.

    Raises:
        UsageError: none of the operations that are asked for has one of them.
    """
    operations = list(dict.fromkeys(options.op))
    if operations:
        known = {name for operation in operations for name in samples_of(specification[operation], options.seed)}
    else:
        known = set(samples)
    for name in options.sample:
        if name not in known:
            whose = " and ".join(operations) if len(operations) < 3 else "any of these operations"
            there = f"there are: {', '.join(sorted(known))}" if len(operations) == 1 else "tensorproof list --samples prints all"
            raise UsageError(
                f"--sample: no sample{whose and f' of {whose}'} is called {name!r}{did_you_mean(name, known)}; {there}"
            )
    return tuple(dict.fromkeys(options.sample))


def _require_in_profile(options: Any, specification: Mapping[str, Operation]) -> None:
    """Refuse a profile that is none, and operations that are of another one.

    Raises:
        UsageError: saying which profile to ask for.
    """
    profiles = dict.fromkeys(operation.profile for operation in specification.values())
    known_names("profile", [options.profile], [*profiles, EVERY_PROFILE])
    for name in known_names("op", options.op, specification):
        profile = specification[name].profile
        if options.profile not in (profile, EVERY_PROFILE):
            raise UsageError(f"--op: {name} is of profile {profile}, not of {options.profile}; give --profile={profile}")


def selection_of(
    options: Any, description: Description, specification: Mapping[str, Operation], samples: Iterable[str]
) -> Selection:
    """The selection that options ask for.

    Raises:
        UsageError: an option names nothing, or is malformed; the message says what to type instead.
    """
    for dtype in known_names("dtype", options.dtype, DTYPES):
        if dtype not in description.dtypes:
            declared = ", ".join(description.dtypes)
            raise UsageError(f"--dtype: {description.backend} on {description.device} has no {dtype}; it declares {declared}")
    if not 0 <= options.seed <= LARGEST_SEED:
        raise UsageError(f"--seed: expected a number from 0 to {LARGEST_SEED}, got {options.seed}")
    if options.quick and (options.thorough or options.sample):
        other = "--thorough" if options.thorough else "--sample"
        raise UsageError(f"--quick: not together with {other}, which asks for more; leave one of them out")
    for name in ("time_budget", "check_timeout"):
        require_seconds(name, getattr(options, name))
    if options.time_budget is not None and options.time_budget < LEAST_BUDGET:
        raise UsageError(f"--time-budget: no check fits into {options.time_budget:g} s; give at least {LEAST_BUDGET:g}")
    _require_in_profile(options, specification)
    return Selection(
        operations=known_names("op", options.op, specification),
        samples=_known_samples(options, specification, samples),
        dtypes=tuple(options.dtype),
        modes=known_names("mode", options.mode, description.every_mode),
        checks=known_names("check", options.check, CHECKS),
        profile=options.profile,
        shard=shard_of(options.shard),
        thorough=options.thorough,
        quick=options.quick,
    )


def command_for(case: Case, options: Any) -> str:
    """The command that reproduces just one check, under all options of a run that have a say in what comes out."""
    parts = ["tensorproof", "check", case.backend, *(f"-p {shlex.quote(module)}" for module in modules_of(options))]
    parts += [] if case.check == ADAPTER else [f"--op={case.operation}"]
    parts.append(f"--check={case.check}")
    if case.device != "cpu":
        parts.append(f"--device={case.device}")
    if case.check == ADAPTER and case.dtype in DTYPES:
        parts.append(f"--dtype={case.dtype}")
    if case.check not in ("declared", ADAPTER):
        parts += [f"--sample={case.sample}", f"--dtype={case.dtype}", f"--mode={case.mode}"]
    if options.profile != CORE:
        parts.append(f"--profile={options.profile}")
    if options.instructions:
        parts.append(f"--instructions={options.instructions}")
    if options.seed:
        parts.append(f"--seed={options.seed}")
    parts += [f"--declarations={shlex.quote(path)}" for path in options.declarations]
    if options.strict_declarations:
        parts.append("--strict-declarations")
    if options.check_timeout != CHECK_TIMEOUT:
        parts.append(f"--check-timeout={options.check_timeout:g}")
    return " ".join(parts)


def modules_of(options: Any) -> list[str]:
    """The modules that ``-p`` imports first, without pytest's own words and this suite's plugin."""
    return [name for name in options.plugins if not name.startswith("no:") and name != PYTEST_PLUGIN]


def selected(cases: Iterable[Case], selection: Selection, quick: frozenset[Case]) -> Iterator[tuple[Case, str]]:
    """Each case with the reason why it is left out, or an empty string; ``quick`` are the cases of the quick set."""
    for case in cases:
        yield case, selection.reason_left_out(case, quick)
