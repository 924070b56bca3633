"""A run of timings from its options to its record: crews are started, limits measured, and groups timed one after the other."""

import contextlib
import dataclasses
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorproof
from tensorproof.conformance.selection.cases import workload_of
from tensorproof.conformance.selection.options import shard_of
from tensorproof.contract.backends import specification
from tensorproof.contract.compile_cache import has_programs, programs_folder
from tensorproof.contract.description import switches_for
from tensorproof.contract.outlines import outlined_specification
from tensorproof.errors import UsageError
from tensorproof.instructions import require_taken
from tensorproof.lines.writing import LineFile
from tensorproof.processes import interruption, undisturbed
from tensorproof.runs.recording import now
from tensorproof.runs.records import machine
from tensorproof.timing.crews import Crew, Described, anchor_crew, describe_crew, require_own_files
from tensorproof.timing.engine import Engine
from tensorproof.timing.entries import Settings
from tensorproof.timing.options import check_numbers, chosen_of, origins_of, selected_operations
from tensorproof.timing.plan import Contender, Group, groups
from tensorproof.timing.resources import available_cores, has_affinity, worker_cores
from tensorproof.timing.results import limits
from tensorproof.timing.results.lines import NO_LIMITS
from tensorproof.timing.results.recording import CannotWrite, append, closing_line, end_early, open_record
from tensorproof.timing.results.records import FORMAT, KIND, METHOD, TimingRecord
from tensorproof.timing.results.statistics import SAME, compare
from tensorproof_reference.catalogue import specification_version

SELF_TEST_SECONDS = 5.0
SELF_TESTS = 4
SELF_TEST_CALLS = 4
PEAK_OPERATION, PEAK_WORKLOAD = "matmul", "M"
Progress = Callable[[int, int, str], None]
"""Called with the number of groups done, of all, and what comes next."""


@dataclasses.dataclass
class Session:
    """Everything that is open during a run."""

    options: Any
    crews: list[Crew]
    described: list[Described]
    anchors: Crew
    """Of launch 0 in the rounds, and of 1 for the self-test."""
    folder: Path
    groups: list[Group]
    header: dict[str, Any]


@contextlib.contextmanager
def opened(options: Any) -> Iterator[Session]:
    """Start the crews and plan the run.

    Raises:
        UsageError: an option is wrong, or a backend or device does not exist.
    """
    check_numbers(options)
    outlined_specification(options.seed)  # says in a sentence what would end this process if it were imported here first
    operations = specification()
    chosen_operations = selected_operations(options, operations)
    cores = worker_cores(options.threads)
    if options.instructions:
        for backend in options.backends:
            os.environ.update(switches_for(backend, options.instructions))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tensorproof_")))
        crews = []
        for number, origin in enumerate(origins_of(options.backends, options.env, options.device)):
            cache = folder / f"compiled_{number}"
            if options.compile_cache is not None:
                cache = programs_folder(options.compile_cache, origin.label, options.instructions)
            crew = Crew(origin, options.threads, cores, cache, began_cached=has_programs(cache))
            stack.callback(crew.close)
            crews.append(crew)
        described = [describe_crew(crew, operations, options.declarations, options.seed) for crew in crews]
        if options.env:
            require_own_files(crews)
        if options.instructions:
            for item in described:
                require_taken(item.description.backend, options.instructions, item.description.kernels)
        anchors = anchor_crew(options.threads, cores, folder)
        stack.callback(anchors.close)
        modes = [mode for item in described for mode in item.description.every_mode]
        chosen = chosen_of(options, list(dict.fromkeys(modes)))
        contenders = [
            Contender(number, crew.origin.label, crew.origin.backend, crew.origin.environment, item.description.device, mode)
            for number, (crew, item) in enumerate(zip(crews, described, strict=True))
            for mode in item.description.modes_asked(chosen["mode"])
        ]
        planned = list(
            groups(
                contenders,
                chosen_operations,
                chosen["workload"],
                chosen["direction"],
                {crew.origin.label: item.description.dtypes for crew, item in zip(crews, described, strict=True)},
                chosen["dtype"],
            )
        )
        shard = shard_of(options.shard)
        if shard is not None:
            planned = planned[shard[0] - 1 :: shard[1]]
        if not planned:
            raise UsageError("nothing matches all of these options; tensorproof time --help lists them")
        header = _header(options, crews, described, contenders, planned, cores, chosen)
        yield Session(options, crews, described, anchors, folder, planned, header)


def _header(
    options: Any,
    crews: list[Crew],
    described: list[Described],
    contenders: list[Contender],
    planned: list[Group],
    cores: tuple[int, ...] | None,
    chosen: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    notes = []
    if not has_affinity():
        notes.append("affinity: this system cannot tie a process to cores; threads are verified by CPU time only")
    if available_cores() < 2:
        notes.append("one core only: what drives the workers shares it with them")
    began_cached = [crew.origin.label for crew in crews if crew.began_cached]
    if began_cached:
        names = ", ".join(began_cached)
        notes.append(f"compiled programs of earlier runs were there for {names}: no time of compiling without them")
    return {
        "kind": KIND,
        "format": FORMAT,
        "method": METHOD,
        "tensorproof": tensorproof.__version__,
        "specification": specification_version(),
        "started": now(),
        "seed": options.seed,
        "contenders": [
            {
                "name": item.name,
                "backend": item.backend,
                "environment": item.environment,
                "device": item.device,
                "mode": item.mode,
            }
            for item in contenders
        ],
        "backends": [
            {
                "label": crew.origin.label,
                "backend": crew.origin.backend,
                "environment": crew.origin.environment,
                "device": item.description.device,
                "versions": item.description.versions,
                "arithmetic": item.description.arithmetic,
                "instructions": item.description.instructions,
                "place": crew.hello["loaded"]["place"],
                "packages": crew.hello["packages"],
            }
            for crew, item in zip(crews, described, strict=True)
        ],
        "machine": machine(),
        "threads": options.threads,
        "launches": options.launches,
        "rounds": options.rounds,
        "series_seconds": options.series_seconds,
        "affinity": None if cores is None else list(cores),
        "notes": notes,
        "workloads": list(chosen["workload"]),
        "directions": list(chosen["direction"]),
        "dtypes": list(chosen["dtype"]),
        "planned": sum(len(group.contenders) for group in planned),
        "options": {
            name: getattr(options, name)
            for name in ("op", "model", "workload", "direction", "dtype", "mode", "shard", "instructions")
        },
    }


def self_test(session: Session) -> dict[str, float]:
    """The same code in two processes, interleaved like any contenders, for five seconds: what differs is the run's resolution.
    It goes on for up to twenty while it says less than verdicts need, for what disturbs five seconds need not disturb the run.

    ``ratio_low`` and ``ratio_high`` bound the ratio, ``spread`` is the larger distance of the two from 1.
    """
    start = time.perf_counter()
    ratios: list[float] = []
    for number in range(1, SELF_TESTS + 1):
        while (spent := time.perf_counter() - start) < number * SELF_TEST_SECONDS or len(ratios) < 12 * number:
            order = (0, 1) if len(ratios) % 2 == 0 else (1, 0)
            taken = {place: _anchor_ns(session, place) for place in order}
            ratios.append(taken[1] / taken[0])
        found = compare([ratios])
        spread = max(abs(math.log(found.low)), abs(math.log(found.high)))
        if spread <= SAME:
            break
    return {"ratio_low": found.low, "ratio_high": found.high, "spread": math.expm1(spread), "seconds": spent}


def _anchor_ns(session: Session, place: int) -> float:
    return float(session.anchors.ask(place, "kernel", 60.0, name="anchor", calls=SELF_TEST_CALLS)["ns"])


def machine_limits(session: Session) -> dict[str, Any]:
    """The line of a record that says how fast the machine is, and what this run can tell apart."""

    def ask(do: str, **request: Any) -> dict[str, Any]:
        return session.anchors.ask(0, do, session.options.request_timeout, **request)

    resolution = self_test(session)
    return {
        "kind": "machine_limits",
        "gemm_flops_per_s": _peaks(session, limits.measured_gemm(ask)),
        "bandwidth": limits.measured_bandwidth(ask),
        "resolution": resolution,
        "anchor_ns": ask("kernel", name="anchor", calls=20)["ns"],
    }


def _peaks(session: Session, peaks: dict[str, float]) -> dict[str, float]:
    """The best matrix product by dtype, of NumPy's and of each backend that computes on the host."""
    engine = engine_of(session, {**NO_LIMITS, "resolution": {"spread": 0.0}})
    operation = engine.operations[PEAK_OPERATION]
    for number, (crew, described) in enumerate(zip(session.crews, session.described, strict=True)):
        description = described.description
        for dtype in session.header["dtypes"]:
            if description.device == "cpu" and dtype in description.dtypes and PEAK_OPERATION in description.sources:
                mode = next(iter(description.modes))
                contender = Contender(number, crew.origin.label, crew.origin.backend, crew.origin.environment, "cpu", mode)
                call_ns = engine.call_ns(Group(PEAK_OPERATION, PEAK_WORKLOAD, "forward", dtype, (contender,)))
                expected = workload_of(operation, session.options.seed, PEAK_WORKLOAD)
                assert operation.work is not None
                flops = operation.work(**expected.inputs, **expected.keywords).flops
                peaks[dtype] = max(peaks.get(dtype, 0.0), flops / call_ns * 1e9)
    return peaks


def run(options: Any, path: Path, progress: Progress) -> TimingRecord:
    """Time what the options ask for, and append it to a record as it comes.

    Raises:
        UsageError: an option is wrong, or the record cannot be written or gone on with.
    """
    with opened(options) as session:
        file, record, done = open_record(path, session.header, session.groups, resume=options.resume)
        with contextlib.closing(file):
            try:
                _measure_all(session, file, record, done, progress)
            except KeyboardInterrupt:
                if record.end is None:  # else all is measured and written
                    end_early(file, record, f"interrupted ({interruption() or 'Ctrl-C'})")
            except (CannotWrite, OSError) as error:
                why = str(error) if isinstance(error, CannotWrite) else f"a file cannot be written: {error.strerror}"
                end_early(file, record, why)
            except Exception:
                end_early(file, record, "internal error")
                raise
    return record


def _measure_all(session: Session, file: LineFile, record: TimingRecord, done: set[tuple[str, ...]], progress: Progress) -> None:
    """Measure what is not done, and append the lines as they come."""
    if record.limits is None:
        progress(0, len(session.groups), "machine's limits and self-test")
        limits = machine_limits(session)
        append(file, limits)
        record.limits = limits
    engine = engine_of(session, record.limits)
    for number, group in enumerate(session.groups):
        if group.key in done:
            continue
        progress(number, len(session.groups), f"{group.operation} {group.workload} {group.direction} {group.dtype}")
        for line in engine.measure(group):
            with undisturbed():
                append(file, line)
                (record.timings if line["kind"] == "timing" else record.duels).append(line)
    progress(len(session.groups), len(session.groups), "done")
    with undisturbed():
        end = closing_line(record.timings, engine)
        append(file, end)
        record.end = end


def engine_of(session: Session, found: Mapping[str, Any]) -> Engine:
    """The engine of a run, once the machine's limits are known."""
    options = session.options
    resolution = math.log1p(float(found["resolution"]["spread"]))
    settings = Settings(
        launches=options.launches,
        rounds=options.rounds,
        threads=options.threads,
        seconds=options.request_timeout,
        seed=options.seed,
        series_seconds=options.series_seconds,
        resolution=resolution,
    )
    return Engine(session.crews, session.described, session.anchors, specification(), settings, found, session.folder)
