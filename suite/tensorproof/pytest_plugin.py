"""The front door: ``pytest --backend=NAME``, one process for one backend, in workers that may die.

Loaded with ``-p tensorproof.pytest_plugin``, not as a ``pytest11`` plugin, so that other projects keep their ``--backend``.
The controller writes the record; a worker imports the framework, runs checks and sends each result back with its report.
"""

import argparse
import faulthandler
import os
import tempfile
import time
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, TextIO

import pytest

import tensorproof
from tensorproof.conformance.checks import Judge, Result, run_check
from tensorproof.conformance.findings import Session
from tensorproof.conformance.reference_process.client import reference_process, require_cache
from tensorproof.conformance.selection.cases import Case, seconds_for
from tensorproof.conformance.selection.options import add_selection_options, command_for
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.backends import load
from tensorproof.contract.compile_cache import programs_folder
from tensorproof.contract.description import describe, describe_apart, switches_for
from tensorproof.errors import UsageError
from tensorproof.instructions import require_taken
from tensorproof.runs.endings import end_of_worker, frames_of_dump
from tensorproof.runs.run import Run, finish, result_to_record, start_run
from tensorproof.terminal import TerminalPlugin
from tensorproof.timing.front_door import BENCHMARKS, TimingPlugin, options_for
from tensorproof.timing.options import add_series_options

CONFORMANCE = BENCHMARKS.parent / "conformance"
DEFAULT_BACKEND = "numpy"
RESTARTS = 100
RUN = pytest.StashKey[Run]()
PLAN = pytest.StashKey[Plan]()
SESSION = pytest.StashKey[Session]()
RESULT = pytest.StashKey[Result]()
DUMP = pytest.StashKey[TextIO]()
"""Where a worker's frames go if it crashes or hangs."""
FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a conformance run."""
    group = parser.getgroup("tensorproof", "conformance of deep-learning backends")
    group.addoption("--backend", default=None, metavar="NAME", help=f"backend to check (default: {DEFAULT_BACKEND})")
    add_selection_options(group.addoption)
    add_series_options(group.addoption, launches=1)


def _is_timing(config: pytest.Config) -> bool:
    """Whether this run is about timings: pytest-benchmark is told to run benchmarks only."""
    asked = bool(getattr(config.option, "benchmark_only", False))
    named = config.option.backend is not None or _names(config, BENCHMARKS) or _names(config, CONFORMANCE)
    return asked and bool(named)


def _is_conformance(config: pytest.Config) -> bool:
    """Whether this run is about conformance: ``--backend`` is given, or what is collected is the conformance folder."""
    if _is_timing(config):
        return False
    return config.option.backend is not None or bool(_names(config, CONFORMANCE))


def _names(config: pytest.Config, folder: Path) -> list[str]:
    """The arguments that name a folder of this package, or something in it."""
    start = config.invocation_params.dir
    paths = [(name, name.partition("::")[0]) for name in config.args]
    module = f"tensorproof.{folder.name}"
    return [name for name, path in paths if path.startswith(module) or (start / path).resolve().is_relative_to(folder)]


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Run conformance in one worker process unless told otherwise, so that a crash costs its own check only."""
    option = config.option
    alone = option.usepdb or option.collectonly or _is_timing(config)
    if _is_conformance(config) and not hasattr(config, "workerinput") and not alone and hasattr(option, "numprocesses"):
        if option.numprocesses is None and not option.tx:
            option.numprocesses = 1
        if option.numprocesses and option.dist == "no":
            option.dist = "worksteal"
        if option.maxworkerrestart is None:
            option.maxworkerrestart = str(RESTARTS)
        _share_cores(option.numprocesses or 1)
    return (yield)


def _share_cores(workers: int | str) -> None:
    """Give each worker its share of the cores, before any framework starts its threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = workers if isinstance(workers, int) else cores
    threads = str(max(1, cores // max(1, count)))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC"):
        os.environ.setdefault(name, threads)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the backend, list its cases and, in the process that runs them, load it."""
    config.addinivalue_line("markers", "case(op, sample, dtype, mode, device, check, workload, direction): what a test is about")
    try:
        if _is_timing(config):
            options = options_for(config.option, config.option.backend or DEFAULT_BACKEND)
            config.pluginmanager.register(TimingPlugin(options), "tensorproof timings")
            conformance = _names(config, CONFORMANCE)
            config.args[:] = [str(BENCHMARKS) if name in conformance else name for name in config.args]
        elif _is_conformance(config):
            _configure(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _require_own_checks(config: pytest.Config) -> None:
    """Refuse checks of another checkout than the package that is imported: their modules would be taken for tests of a stranger.

    Raises:
        UsageError: an argument is such a folder, or in one.
    """
    for name in config.args:
        path = (config.invocation_params.dir / name.partition("::")[0]).resolve()
        folder = next((item for item in (path, *path.parents) if item.parts[-2:] == CONFORMANCE.parts[-2:]), None)
        if folder is not None and folder != CONFORMANCE:
            raise UsageError(
                f"the checks in {folder} are not those of the installed tensorproof, which is {CONFORMANCE.parent}: "
                "install this checkout (pip install -e .), or run tensorproof check"
            )


def _configure(config: pytest.Config) -> None:
    option = config.option
    _require_own_checks(config)
    option.backend = option.backend or DEFAULT_BACKEND
    modules = [name for name in option.plugins if not name.startswith("no:") and name != __name__]
    is_worker = hasattr(config, "workerinput")
    if option.instructions and not is_worker:
        os.environ.update(switches_for(option.backend, option.instructions, modules))
    apart = bool(getattr(option, "numprocesses", None)) and not is_worker
    if apart:
        require_cache(option)
        plan = Plan(option, describe_apart(option.backend, option.device, modules))
    else:
        with warnings.catch_warnings():
            # Other people's frameworks may warn as they please; that is no failure of conformance.
            warnings.simplefilter("ignore")
            source = reference_process(option)
            config.add_cleanup(source.close)
            backend = load(option.backend)
            plan = Plan(option, describe(backend, option.device))
            if option.compile_cache is not None:
                backend.use_compile_cache(programs_folder(option.compile_cache, option.backend, option.instructions))
        config.stash[SESSION] = Session(
            backend,
            plan.description.device,
            plan.specification,
            plan.declared,
            option.seed,
            attempt_unsupported=option.strict_declarations,
            source=source,
        )
    if option.instructions:
        require_taken(option.backend, option.instructions, plan.description.kernels)
    config.stash[PLAN] = plan
    if not hasattr(config, "workerinput") and not option.collectonly:
        config.stash[RUN] = start_run(option, plan)
        config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="tensorproof_", ignore_cleanup_errors=True)
        config.add_cleanup(config.stash[FOLDER].cleanup)
        config.pluginmanager.register(TerminalPlugin(config, config.stash[RUN]), "tensorproof terminal")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Backend, device, versions and arithmetic."""
    if PLAN not in config.stash:
        return []
    description = config.stash[PLAN].description
    words = {**description.versions, **description.arithmetic}
    return [
        f"tensorproof {tensorproof.__version__}: {description.backend} on {description.device} ({description.instructions}), "
        f"seed {config.option.seed}, "
        f"{len(config.stash[PLAN].cases)} checks",
        "  ".join(f"{name} {value}" for name, value in words.items()),
    ]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave conformance alone in runs that are about something else, such as doctests of this package."""
    if collection_path.parent == CONFORMANCE and collection_path.name.startswith("test_"):
        return None if PLAN in config.stash else True
    return True if collection_path == BENCHMARKS and not _is_timing(config) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case, named so that it can be selected exactly."""
    if "case" not in metafunc.fixturenames or PLAN not in metafunc.config.stash:
        return
    check = metafunc.function.__name__.removeprefix("test_")
    parameters = [
        pytest.param(
            case,
            id=case.name,
            marks=pytest.mark.case(
                op=case.operation, sample=case.sample, dtype=case.dtype, mode=case.mode, device=case.device, check=case.check
            ),
        )
        for case in metafunc.config.stash[PLAN].cases
        if case.check == check
    ]
    metafunc.parametrize("case", parameters)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the checks of one sample, dtype and mode side by side, so that they share a run; drop what has no case."""
    if PLAN not in config.stash:
        return
    order = config.stash[PLAN].order
    items[:] = [item for item in items if _case(item) is not None or not _is_ours(item)]
    items.sort(key=lambda item: order.get(_case(item), -1))  # type: ignore[arg-type]
    for item in items:
        if _is_ours(item):
            item.add_marker(pytest.mark.filterwarnings("ignore"))


def _is_ours(item: pytest.Item) -> bool:
    return item.path.is_relative_to(CONFORMANCE)


def _case(item: pytest.Item) -> Case | None:
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get("case") if callspec else None
    return value if isinstance(value, Case) else None


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Runs a case's check and turns its status into the test's outcome."""

    def run(case: Case) -> None:
        config = request.config
        result = run_check(config.stash[SESSION], case)
        request.node.stash[RESULT] = result
        _raise_outcome(result, config.option)

    return run


def _raise_outcome(result: Result, options: argparse.Namespace) -> None:
    if result.stale and options.strict_declarations:
        pytest.fail(
            f"the declaration {result.declaration} is stale: this check passes\nreproduce: {command_for(result.case, options)}",
            pytrace=False,
        )
    if result.status in ("unsupported", "not_meaningful", "not_run"):
        pytest.skip(f"{result.status.replace('_', ' ')}: {result.message}")
    if result.status == "known_failure":
        pytest.xfail(result.message)
    if result.status != "passed":
        kind = "" if result.status == "failed" else f"{result.status.replace('_', ' ')}: "
        lines = [f"{kind}{result.message}"]
        wrong = [item["line"] for item in result.findings if item.get("outcome") == "failed"][:6]
        lines += [line for line in wrong if line != result.message]
        if result.traceback:
            # Its last line is the message again, unless that was cut.
            lines += [line for line in result.traceback.splitlines() if line != result.message]
        lines.append(f"reproduce: {command_for(result.case, options)}")
        pytest.fail("\n".join(dict.fromkeys(lines)), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the worker if a check hangs (a timer in C, for code that holds the interpreter lock)."""
    case = _case(item) if hasattr(item.config, "workerinput") else None
    if case is not None:
        seconds = seconds_for(case, item.config.option.check_timeout)
        faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[DUMP])
    try:
        return (yield)
    finally:
        if case is not None:
            faulthandler.cancel_dump_traceback_later()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start nothing once the time budget is spent."""
    case = _case(item)
    deadline = _deadline(item.config)
    if case is not None and deadline is not None and time.time() > deadline:
        item.stash[RESULT] = Result(case, "not_run", "the time budget was spent")
        pytest.skip("not run: the time budget was spent")


def _deadline(config: pytest.Config) -> float | None:
    if hasattr(config, "workerinput"):
        value: float | None = config.workerinput["tensorproof_deadline"]
        return value
    return config.stash[RUN].deadline if RUN in config.stash else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the result along with the report."""
    report = yield
    if RESULT in item.stash and report.when == ("setup" if item.stash[RESULT].status == "not_run" else "call"):
        # xdist carries attributes of plain data from worker to controller.
        report.tensorproof = result_to_record(item.stash[RESULT], item.config.option)  # type: ignore[attr-defined]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker when the time budget ends, and where it leaves the frames of a crash."""
    run = node.config.stash.get(RUN, None)
    node.workerinput["tensorproof_deadline"] = run.deadline if run else None
    node.workerinput["tensorproof_dump"] = str(_dump_of(node)) if run else None


def _dump_of(node: Any) -> Path:
    return Path(node.config.stash[FOLDER].name) / f"{node.gateway.id}.txt"


class _Started:
    """When each check was started, for telling a hang from a crash; on the controller."""

    times: dict[str, float] = {}


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note when a check starts."""
    _Started.times[nodeid] = time.monotonic()


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: Any) -> None:
    """Say what ended a worker: a hang, want of memory, or a crash."""
    config = report.node.config
    if PLAN not in config.stash:
        return
    name = crashitem.rpartition("[")[2].removesuffix("]")
    check = crashitem.rpartition("::")[2].partition("[")[0].removeprefix("test_")
    case = next((item for item in config.stash[PLAN].cases if item.check == check and item.name == name), None)
    if case is None:
        return
    elapsed = time.monotonic() - _Started.times.get(crashitem, time.monotonic())
    status, message = end_of_worker(report.node, elapsed, seconds_for(case, config.option.check_timeout))
    dump = _dump_of(report.node)
    where = frames_of_dump(dump.read_text(encoding="utf-8", errors="replace")) if dump.exists() else ""
    result = Result(case, status, message, traceback=where, duration_ns=int(elapsed * 1e9))
    report.tensorproof = result_to_record(result, config.option)
    report.location = (*report.location[:2], crashitem.rpartition("::")[2])  # the heading; xdist names the file only
    lines = [f"{status.replace('_', ' ')}: {message}", where, f"reproduce: {command_for(case, config.option)}"]
    report.longrepr = "\n".join(line for line in lines if line)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append the result to the record as it comes."""
    if _Current.run is not None and hasattr(report, "tensorproof"):
        _Current.run.add(report.tensorproof)


class _Current:
    """The run of this process, for hooks that are given no config."""

    run: Run | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let reports find the run."""
    _Current.run = session.config.stash.get(RUN, None)


@pytest.hookimpl(trylast=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a worker, leave the frames of a crash where the controller finds them: pytest itself has set up its own by now."""
    config = session.config
    place = getattr(config, "workerinput", {}).get("tensorproof_dump")
    if place:
        config.stash[DUMP] = file = Path(place).open("w", encoding="utf-8")  # noqa: SIM115 - open for as long as the process lives
        faulthandler.enable(file=file)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Close the record, compare with a baseline, write the page, and decide the exit code."""
    run = session.config.stash.get(RUN, None)
    if run is None or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
        return
    session.exitstatus = finish(run, int(exitstatus))
    if run.options.report:
        # Imported here, since most runs write no page.
        from tensorproof_reports.page import write_page

        write_page([run.record], Path(run.options.report))
        run.lines.append(f"report: {run.options.report}")
