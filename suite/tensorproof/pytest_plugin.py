"""The front door: ``pytest --backend=NAME``, one process for one backend, in workers that may die.

Loaded with ``-p tensorproof.pytest_plugin``, not as a ``pytest11`` plugin, so that other projects keep their ``--backend``.
The controller writes the record; a worker imports the framework, runs checks and sends each result back with its report.
"""

import contextlib
import faulthandler
import gc
import math
import os
import tempfile
import time
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import TextIO

import pytest

import tensorproof
from tensorproof.conformance.checks import Judge, Result, left_out, run_check
from tensorproof.conformance.dump.files import require_folder, write_dump
from tensorproof.conformance.findings import Session
from tensorproof.conformance.reference_process.client import cache_folder, reference_process, require_cache
from tensorproof.conformance.selection.cases import Case, seconds_for
from tensorproof.conformance.selection.options import add_selection_options, modules_of
from tensorproof.conformance.selection.outlined import with_outlined_samples
from tensorproof.conformance.selection.plan import Plan, asked_for
from tensorproof.contract.backends import load, specification
from tensorproof.contract.compile_cache import programs_folder
from tensorproof.contract.description import describe, describe_apart, switches_for
from tensorproof.contract.outlines import outlined_specification
from tensorproof.errors import UsageError, frames, printable, sentence, shown
from tensorproof.instructions import require_taken
from tensorproof.invocation import (
    CONFORMANCE,
    is_conformance,
    is_timing,
    leave_logs,
    named_in,
    require_own_checks,
    require_own_report,
)
from tensorproof.machines.cluster import add_ray_options, connected
from tensorproof.machines.shards import Shards
from tensorproof.outcomes import raise_outcome
from tensorproof.processes import end_all, guarded, interruption, settle_worker, undisturbed
from tensorproof.runs.run import COULD_NOT_GO_ON, INTERRUPTED, Run, finish, make_again, result_to_record, start_run
from tensorproof.terminal import TerminalPlugin, code_with_output, line_writer, make_outputs_last
from tensorproof.timing.front_door import BENCHMARKS, TimingPlugin, options_for
from tensorproof.timing.options import add_series_options
from tensorproof.workers import Deadline, LeavingPlugin, ShardsPlugin, WorkersPlugin, choose_workers, leave, loaded_or_ended
from tensorproof_reference.catalogue import of_profile

DEFAULT_BACKEND = "numpy"
RUN = pytest.StashKey[Run]()
PLAN = pytest.StashKey[Plan]()
SESSION = pytest.StashKey[Session]()
RESULT = pytest.StashKey[Result]()
DUMP = pytest.StashKey[TextIO]()
"""Where a worker's frames go if it crashes or hangs."""
UNTIL = pytest.StashKey[Deadline]()
"""Until when a worker's check may take."""
FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a conformance run."""
    group = parser.getgroup("tensorproof", "conformance of deep-learning backends")
    group.addoption("--backend", default=None, metavar="NAME", help=f"backend to check (default: {DEFAULT_BACKEND})")
    add_selection_options(group.addoption)
    add_ray_options(group.addoption)
    add_series_options(group.addoption, launches=1)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Run conformance in one worker process unless told otherwise, so that a crash costs its own check only."""
    option = config.option
    alone = option.usepdb or option.collectonly or is_timing(config)
    if hasattr(config, "workerinput"):
        settle_worker()
        return (yield)
    if not is_conformance(config) and not is_timing(config):
        return (yield)
    if is_conformance(config) and (option.ray is not None or not alone):
        choose_workers(option)
    make_outputs_last()
    with guarded():
        try:
            code = yield
            return code_with_output(code) if isinstance(code, int) else code
        except KeyboardInterrupt:  # the session is over, and what it has to say is said
            return INTERRUPTED


def pytest_configure(config: pytest.Config) -> None:
    """Describe the backend, list its cases and, in the process that runs them, load it."""
    config.addinivalue_line("markers", "case(op, sample, dtype, mode, device, check, workload, direction): what a test is about")
    try:
        if is_timing(config):
            options = options_for(config.option, config.option.backend or DEFAULT_BACKEND)
            config.pluginmanager.register(TimingPlugin(options), "tensorproof timings")
            conformance = named_in(config, CONFORMANCE)
            config.args[:] = [str(BENCHMARKS) if name in conformance else name for name in config.args]
        elif is_conformance(config):
            _configure(config)
    except UsageError as error:
        raise pytest.UsageError(shown(str(error))) from None
    except MemoryError:
        pytest.exit("memory ran out before the first check; give this process more", returncode=COULD_NOT_GO_ON)


def _configure(config: pytest.Config) -> None:
    option = config.option
    require_own_checks(config)
    option.backend = option.backend or DEFAULT_BACKEND
    modules = modules_of(option)
    if option.dump is not None:
        option.dump = require_folder(option.dump)
    is_worker = hasattr(config, "workerinput")
    count = getattr(option, "numprocesses", None)
    if isinstance(count, int) and count < 0:
        raise UsageError(f"-n: expected a count of worker processes, got {count}")
    shards = _shards(config) if option.ray is not None and not is_worker else None
    if option.instructions and not is_worker and shards is None:
        os.environ.update(switches_for(option.backend, option.instructions, modules))
    apart = bool(count) and not is_worker
    if not is_worker:
        require_cache(option)
    if apart or shards is not None:
        described = shards.description if shards is not None else describe_apart(option.backend, option.device, modules)
        known = outlined_specification(max(option.seed, 0))
        listed = with_outlined_samples(of_profile(known, option.profile), max(option.seed, 0), cache_folder(option))
        plan = Plan(option, described, known | listed, listed)
    elif is_worker:
        place = getattr(config, "workerinput")["tensorproof_dump"]  # noqa: B009 - xdist's
        config.pluginmanager.register(LeavingPlugin(place), "tensorproof leaving")
        plan = loaded_or_ended(place, lambda: _loaded(config))
    else:
        plan = _loaded(config)
    if option.instructions:
        require_taken(option.backend, option.instructions, plan.description.kernels)
    config.stash[PLAN] = plan
    plan.done = frozenset(getattr(config, "workerinput", {}).get("tensorproof_done", ()))
    if not hasattr(config, "workerinput") and not option.collectonly:
        require_own_report(option)
        config.stash[RUN] = start_run(option, plan, shards.nodes if shards is not None else ())
        plan.done = config.stash[RUN].before
        config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="tensorproof_", ignore_cleanup_errors=True)
        config.add_cleanup(config.stash[FOLDER].cleanup)
        config.pluginmanager.register(TerminalPlugin(config, config.stash[RUN]), "tensorproof terminal")
        if shards is not None:
            config.pluginmanager.register(ShardsPlugin(config, config.stash[RUN], plan, shards), "tensorproof shards")
        elif apart:
            workers = WorkersPlugin(config, config.stash[RUN], plan, Path(config.stash[FOLDER].name))
            config.pluginmanager.register(workers, "tensorproof workers")


def _shards(config: pytest.Config) -> Shards:
    """The cluster that makes the checks of this run."""
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    return Shards(stack.enter_context(connected(config.option)), config.option)


def _loaded(config: pytest.Config) -> Plan:
    """Load the backend in this process, and plan its checks."""
    option = config.option
    with warnings.catch_warnings():
        # Other people's frameworks may warn as they please; that is no failure of conformance.
        warnings.simplefilter("ignore")
        # A worker counts nothing that is left out, so it draws no samples of other operations.
        known = specification()
        listed = asked_for(option, known) if hasattr(config, "workerinput") else of_profile(known, option.profile)
        source = reference_process(option, listed)
        config.add_cleanup(source.close)
        backend = load(option.backend)
        plan = Plan(option, describe(backend, option.device), known, listed)
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
    return plan


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Backend, device, versions and arithmetic."""
    if PLAN not in config.stash:
        return []
    description = config.stash[PLAN].description
    words = {**description.versions, **description.arithmetic}
    return [
        printable(
            f"tensorproof {tensorproof.__version__}: {description.backend} on {description.device} ({description.instructions}), "
            f"seed {config.option.seed}, {len(config.stash[PLAN].cases)} checks"
        ),
        printable("  ".join(f"{name} {value}" for name, value in words.items())),
    ]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave conformance alone in runs that are about something else, such as doctests of this package."""
    if collection_path.parent == CONFORMANCE and collection_path.name.startswith("test_"):
        return None if PLAN in config.stash else True
    return True if collection_path == BENCHMARKS and not is_timing(config) else None


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
        if case.check == check and case.key not in metafunc.config.stash[PLAN].done
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
    # Framework, specification and cases stay until the process ends: the collector need not look at them each time.
    gc.freeze()


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
        script = write_dump(config.option, config.stash[SESSION], config.stash[PLAN].description, result)
        raise_outcome(result, config.option, script)

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the worker if a check hangs (a timer in C, for code that holds the interpreter lock), or cannot be reported.

    What a plugin does to its process (a recursion limit, a clock of its own) may keep pytest from making or sending a report.
    """
    case = _case(item) if hasattr(item.config, "workerinput") else None
    if case is not None:
        seconds = seconds_for(case, item.config.option.check_timeout)
        item.config.stash[UNTIL].write(time.monotonic() + seconds)
        faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[DUMP])
    try:
        return (yield)
    except Exception as error:
        if case is None:
            raise
        leave(item.config.workerinput["tensorproof_dump"], sentence(error))  # type: ignore[attr-defined]
    finally:
        if case is not None:
            faulthandler.cancel_dump_traceback_later()
            item.config.stash[UNTIL].write(math.inf)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start nothing once the time budget is spent. What is declared unsupported takes no time, and stays that."""
    case = _case(item)
    deadline = _deadline(item.config)
    if case is None or deadline is None or time.monotonic() <= deadline or case.check == "declared":
        return
    if left_out(item.config.stash[SESSION], case) is None:
        item.stash[RESULT] = Result(case, "not_run", "the time budget was spent")
        pytest.skip("not run: the time budget was spent")


def _deadline(config: pytest.Config) -> float | None:
    if hasattr(config, "workerinput"):
        value: float | None = config.workerinput.get("tensorproof_deadline")
        return value
    return config.stash[RUN].deadline if RUN in config.stash else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the result along with the report; a check that ended before it had one has an error."""
    report = yield
    case = _case(item)
    if case is not None and RESULT not in item.stash and call.excinfo is not None:
        error = call.excinfo.value
        item.stash[RESULT] = Result(case, "error", sentence(error)[:500], traceback=frames(error))
        when = call.when
    else:
        when = "setup" if RESULT in item.stash and item.stash[RESULT].status == "not_run" else "call"
    if RESULT in item.stash and report.when == when:
        # xdist carries attributes of plain data from worker to controller.
        report.tensorproof = result_to_record(item.stash[RESULT], item.config.option)  # type: ignore[attr-defined]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append the result to the record as it comes."""
    run = _Current.run
    if run is not None and hasattr(report, "tensorproof"):
        try:
            run.add(report.tensorproof)
        except (OSError, MemoryError) as error:
            lacking = error.strerror if isinstance(error, OSError) else "memory ran out"
            run.end_early(f"the record cannot be written: {lacking}")
            pytest.exit(run.ended, returncode=COULD_NOT_GO_ON)


class _Current:
    """The run of this process, for hooks that are given no config."""

    run: Run | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let reports find the run, and logs pass."""
    _Current.run = session.config.stash.get(RUN, None)
    if PLAN in session.config.stash:
        leave_logs(session.config)


@pytest.hookimpl(trylast=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a worker, leave the frames of a crash where the controller finds them: pytest itself has set up its own by now."""
    config = session.config
    place = getattr(config, "workerinput", {}).get("tensorproof_dump")
    if place:
        config.stash[DUMP] = file = Path(place).open("w", encoding="utf-8")  # noqa: SIM115 - open for as long as the process lives
        faulthandler.enable(file=file)
        config.stash[UNTIL] = Deadline(Path(f"{place}.until"))
        config.stash[UNTIL].write(math.inf)


def pytest_keyboard_interrupt(excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
    """Note that the run was interrupted; what its workers do is waited for no longer."""
    if _Current.run is not None:
        if not isinstance(excinfo.value, pytest.exit.Exception):
            _Current.run.end_early(f"interrupted ({interruption()})" if interruption() else str(excinfo.value) or "interrupted")
        end_all()


def pytest_internalerror() -> None:
    """Note that the run ended by a mistake of the suite."""
    if _Current.run is not None:
        _Current.run.end_early("internal error")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Close the record, compare with a baseline, write the page, and decide the exit code."""
    run = session.config.stash.get(RUN, None)
    if run is not None and run.before and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        exitstatus = pytest.ExitCode.OK  # all that was left of a killed run was its closing line
    if run is None:
        return
    try:
        try:
            make_again(run, line_writer(session.config))
        except KeyboardInterrupt:  # what was made is told all the same
            exitstatus = INTERRUPTED
        with undisturbed():
            session.exitstatus = finish(run, int(exitstatus))
        if run.options.report:
            _write_page(run, Path(run.options.report))
    except UsageError as error:  # the disk filled up meanwhile; the record tells the rest
        run.lines.append(str(error))
        session.exitstatus = COULD_NOT_GO_ON
    except KeyboardInterrupt:
        end_all()
        session.exitstatus = INTERRUPTED
        if run.options.report:
            run.lines.append(f"no page: interrupted; tensorproof report {run.path} -o {run.options.report} writes it")


def _write_page(run: Run, path: Path) -> None:
    # Imported here, since most runs write no page.
    from tensorproof_reports.page import write_page

    write_page([run.record], path, earlier=lambda record: run.baseline, force=run.options.force)
    run.lines.append(f"report: {path}")
