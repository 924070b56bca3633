"""One run on the controller: the record it appends to, what it counts, and how it ends."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorproof
from tensorproof.conformance.checks import Result
from tensorproof.conformance.selection.options import command_for
from tensorproof.conformance.selection.plan import Plan
from tensorproof.conformance.selection.quick import quick_set, share_text
from tensorproof.contract.compile_cache import has_programs, programs_folder
from tensorproof.errors import UsageError
from tensorproof.lines.outputs import require_place
from tensorproof.lines.privacy import cleaned
from tensorproof.lines.writing import UnfitLine, fitting
from tensorproof.processes import undisturbed
from tensorproof.runs.again import LIMIT_S, made_again
from tensorproof.runs.baseline import Comparison, compare, require_comparable
from tensorproof.runs.causes.cause import SHOWN, causes_of
from tensorproof.runs.causes.symptoms import BAD
from tensorproof.runs.progress import Durations
from tensorproof.runs.recording import default_path, now, open_record
from tensorproof.runs.records import FORMAT, SCHEMA, Record, check_key, counts_of, machine, read_record
from tensorproof.runs.resume import kept_lines
from tensorproof.runs.summary import table_text, verdict, verdict_text
from tensorproof.runs.verified import lines_about_instructions
from tensorproof_reference.catalogue import specification_version

COULD_NOT_GO_ON = 3
"""The exit code of a run that ended early, though nobody interrupted it: a full disk, a worker that does not start, a mistake."""
INTERRUPTED = 2
"""The exit code of a run that a signal ended."""
MADE_BEFORE = 100
"""Checks from which on it is worth new processes to know whether what fails depends on what ran before it."""
RECORDED_OPTIONS = ("op", "sample", "dtype", "mode", "check", "profile", "shard", "quick", "thorough", "strict_declarations")


class Run:
    """What the controller knows of the run in progress."""

    def __init__(self, options: Any, path: Path, header: dict[str, Any], plan: Plan, baseline: Record | None) -> None:
        self.options = options
        self.path = path
        self.record = Record(header, [])
        self.planned = {case.key for case in plan.cases}
        self.kind = plan.kind
        self.quick_left = plan.quick_left
        self.began = time.monotonic()
        self.baseline = baseline
        self.deadline = time.monotonic() + options.time_budget if options.time_budget else None
        self.lines: list[str] = []
        """What the terminal shows at the end."""
        self.verdict = ""
        """Its last line."""
        self._file, lines = open_record(path, SCHEMA, header, kept_lines if options.resume else None)
        if lines:
            self.record.header, self.record.checks = lines[0], lines[1:]
        self.before = frozenset(map(check_key, self.record.checks))
        """The checks that an earlier run made, which this one goes on with."""
        self.to_do = Counter(plan.kind(case.mode, case.operation) for case in plan.cases if case.key not in self.before)
        """How many checks of each kind are planned now."""
        self.done = set(self.before)
        """The checks that have a line."""
        self.causes: list[dict[str, Any]] = []
        """Of what is wrong, once the run is over."""
        self.making_again = 0.0
        """Seconds that went into making cases again."""
        self.ended = ""
        """Why the run ended before all checks were made, if it did."""

    def add(self, check: dict[str, Any]) -> None:
        """Append a check's line, unless it has one: its worker may die after it has sent the result.

        Raises:
            OSError: the record cannot be written.
        """
        if check_key(check) in self.done:
            return
        with undisturbed():
            self._file.append(check)
            self.done.add(check_key(check))
            self.record.checks.append(check)

    def end_early(self, why: str) -> None:
        """Note why the run ends early; the first reason counts."""
        self.ended = self.ended or why

    def close(self, end: dict[str, Any]) -> None:
        """Append what was made again, the causes and the closing line, which must stand whatever is unfit before it."""
        self.record.end = end
        for line in (*self.record.again.values(), *self.causes):
            with contextlib.suppress(UnfitLine):
                self._file.append(line)
        self._file.append(end)
        self._file.close()


def make_again(run: Run, say: Callable[[str], None]) -> None:
    """Make the smallest case of each cause again in a process of its own, where that is worth it, and keep what came of it.

    It is not where few checks ran before, where time is limited, or where a cluster made the checks, as this machine may not be
    able to.
    """
    record = run.record
    if run.ended or run.options.time_budget or len(record.checks) < MADE_BEFORE or "nodes" in record.header:
        return
    if not any(check["status"] in BAD for check in record.checks):
        return
    say(f"each smallest case again, in a process of its own; {LIMIT_S:g} s at most")
    began = time.monotonic()
    try:
        for line in made_again([cause for cause in causes_of(record) if not cause["known"]][:SHOWN]):
            record.again[line["check"]] = line
    finally:
        run.making_again = time.monotonic() - began


def _default_path(backend: str, device: str) -> Path:
    return default_path("".join(letter if letter.isalnum() else "_" for letter in f"{backend}_{device}"))


def _compiled_before(options: Any, backend: str) -> bool | None:
    place = options.compile_cache
    return None if place is None else has_programs(programs_folder(place, backend, options.instructions))


def start_run(options: Any, plan: Plan, nodes: Sequence[Mapping[str, Any]] = ()) -> Run:
    """Open the record and write its header. All that a run reads or writes at its end is looked at now.

    ``nodes`` are those of the cluster that makes the checks, if one does.

    Raises:
        UsageError: the record's file exists or cannot be made, the baseline cannot be read or compared with, the page cannot be
            written, or compiled programs cannot be kept.
    """
    description = plan.description
    if options.resume and not options.record:
        raise UsageError("--resume: say which record to go on with: --record=FILE")
    path = Path(options.record) if options.record else _default_path(description.backend, description.device)
    read = [Path(name) for name in (options.baseline, *options.declarations) if name]
    for option, place in _pages(options):
        require_place(option, place, [path, *read], force=options.force)
    baseline = read_record(Path(options.baseline)) if options.baseline else None
    header = {
        "kind": "run",
        "format": FORMAT,
        "tensorproof": tensorproof.__version__,
        "specification": specification_version(options.profile),
        "started": now(),
        "backend": description.backend,
        "device": description.device,
        "seed": options.seed,
        "dtypes": list(description.dtypes),
        "modes": description.modes,
        "versions": description.versions,
        "arithmetic": description.arithmetic,
        "instructions": {"name": description.instructions, "kernels": description.kernels, "limit": options.instructions},
        "defaults": description.defaults,
        "sources": description.sources,
        "reasons": description.reasons,
        "machine": machine(),
        **({"nodes": list(nodes)} if nodes else {}),
        "compiled_before": _compiled_before(options, description.backend),
        "options": {name: getattr(options, name) for name in RECORDED_OPTIONS},
        "shard": options.shard,
        "planned": len(plan.cases),
        "left_out": dict(plan.left_out),
        "declarations": [{"kind": item.kind, "source": item.source, **item.table} for item in plan.declarations],
        "idle_declarations": [item.source for item in plan.idle],
    }
    if baseline is not None:
        require_comparable(baseline, fitting(header, SCHEMA))
    return Run(options, path, header, plan, baseline)


def _pages(options: Any) -> list[tuple[str, Path]]:
    """What the run writes at its end besides the record."""
    return [("--report", Path(options.report))] if options.report else []


def result_to_record(result: Result, options: Any) -> dict[str, Any]:
    """A check's line of the record. A result that cannot be recorded as it is becomes an error that says so."""
    line = _line_of(result, options)
    try:
        return fitting(line, SCHEMA)
    except (UnfitLine, RecursionError) as error:
        empty = dict.fromkeys(("traceback", "inputs", "declaration", "source", "placement"), "")
        message = str(cleaned(f"its result cannot be recorded: {error}"))[:2000]
        return {**line, **empty, "findings": [], "stale": False, "unverified": False, "status": "error", "message": message}


def _line_of(result: Result, options: Any) -> dict[str, Any]:
    case = result.case
    return {
        "kind": "check",
        "check": case.check,
        "operation": case.operation,
        "operation_version": case.versions[0],
        "sample": case.sample,
        "sample_version": case.versions[1],
        "dtype": case.dtype,
        "mode": case.mode,
        "required": case.required,
        "status": result.status,
        "message": str(cleaned(result.message))[:2000],
        "findings": result.findings,
        "declaration": result.declaration,
        "stale": result.stale,
        "unverified": result.unverified,
        "traceback": str(cleaned(result.traceback))[:8000],
        "inputs": result.inputs,
        "source": result.source,
        "placement": result.placement,
        "compiled": result.compiled,
        "duration_ns": result.duration_ns,
        "framework_ns": result.framework_ns,
        "command": command_for(case, options),
    }


def _stale_texts(stale: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each declaration of which checks pass."""
    found: dict[str, list[str]] = {}
    for check in stale:
        found.setdefault(check["declaration"], []).append(check_key(check))
    return [
        f"stale declaration: {source}: {keys[0]} passes" + (f", and {len(keys) - 1} more" if len(keys) > 1 else "")
        for source, keys in found.items()
    ]


def quick_text(run: Run) -> str:
    """What a quick run was, and what a full one adds."""
    durations = Durations()
    for check in run.record.checks:
        if check["duration_ns"]:
            durations.add(run.kind(check["mode"], check["operation"]), check["duration_ns"] / 1e9)
    wall = time.monotonic() - run.began - run.making_again
    left, whole = durations.left(run.quick_left, wall)
    seconds = wall + left
    more = run.quick_left.total()
    share = share_text(quick_set(run.options.profile), next(iter(run.record.header["modes"])))
    minutes = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
    return (
        f"quick: {len(run.record.checks)} checks; this set {share}; "
        f"a full run has {more} more and takes {'about' if whole else 'more than'} {minutes} here: leave out --quick"
    )


def _closed(run: Run, end: dict[str, Any]) -> str:
    """Write the closing line; what to say if it cannot be written."""
    try:
        run.close(end)
    except OSError as error:
        return f"the record has no closing line: {error.strerror}"
    return ""


def finish(run: Run, exitstatus: int) -> int:
    """Write the closing line, compare with the baseline, and say in lines what came of it; the exit code."""
    header, checks = run.record.header, run.record.checks
    run.record.end = end = {"kind": "end", "finished": now(), "counts": counts_of(run.record)}
    if run.ended:
        end["ended"] = run.ended
    end["verdict"] = judged = verdict(run.record)
    run.causes = causes_of(run.record)
    kept = _closed(run, end)
    if any(check["status"] in BAD for check in checks if check_key(check) in run.before):
        exitstatus = exitstatus or 1
    lines = [table_text(run.record, run.causes)]
    if run.ended:
        missing = len(run.planned - run.done)
        lines.append(f"ended early: {run.ended}; {len(checks)} of {len(run.planned)} checks are in the record, {missing} are not")
        lines.append(f"to make them all, run the same command again with --record={run.path} --resume")
    if kept:
        lines.append(kept)
        exitstatus = exitstatus if exitstatus in (INTERRUPTED, COULD_NOT_GO_ON) else COULD_NOT_GO_ON
    stale = [check for check in checks if check["stale"]]
    lines += _stale_texts(stale)
    lines += [f"idle declaration: {source} matches no case" for source in header["idle_declarations"]]
    if run.options.strict_declarations and (stale or header["idle_declarations"]):
        exitstatus = exitstatus or 1
    if run.options.quick:
        lines.append(quick_text(run))
    lines += lines_about_instructions(run.record)
    lines.append(f"record: {run.path}")
    if run.baseline is not None:
        comparison: Comparison = compare(run.baseline, run.record)
        lines += [*comparison.notes, *comparison.causes, *comparison.details, comparison.line]
        if not run.ended:
            exitstatus = comparison.exit_code
    if run.options.time_budget and all(check["status"] == "not_run" for check in checks):
        lines.append(f"--time-budget: {run.options.time_budget:g} s were over before the first check; give more")
        exitstatus = 4
    run.lines, run.verdict = lines, verdict_text(judged)
    return exitstatus
