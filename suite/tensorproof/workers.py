"""The workers of a conformance run: until when each must answer, what ended it, and what it leaves behind.

The controller's side is a plugin. A thread for each worker waits for its end, ends it if it is late, and ends what it leaves. A
worker says in a small file until when its check may take: so one that is stopped, or that has lost its own timer, ends too.
"""

import contextlib
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tensorproof.conformance.checks import Result
from tensorproof.conformance.selection.cases import Case, seconds_for
from tensorproof.conformance.selection.options import command_for
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.description import IMPORT_SECONDS
from tensorproof.errors import UsageError, printable, sentence
from tensorproof.invocation import CONFORMANCE
from tensorproof.machines.cluster import NotDone
from tensorproof.machines.shards import Shards
from tensorproof.outcomes import report_of
from tensorproof.processes import PROC, end_group, end_orphans, watch
from tensorproof.runs.endings import end_of_worker, frames_of_dump
from tensorproof.runs.records import check_key
from tensorproof.runs.run import COULD_NOT_GO_ON, Run, result_to_record

GRACE = 15.0
"""Seconds after which the controller ends a worker whose own timer did not, or that is stopped, or does not leave."""
TICK = 0.5
WIDTH = 32
RESTARTS = 100
"""So many workers may end, of crashes and hangs, before a run does."""
STARTS = 3
"""So many workers in a row may end before they have started; then a run ends."""
FRAMES = 1000
"""The depth of calls that a worker has for its last words, whatever a plugin has set."""


class Deadline:
    """A number in a file, which one process writes and another reads: the moment on the monotonic clock until which to wait."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def write(self, moment: float) -> None:
        """Set it; infinity is for nothing to do."""
        os.pwrite(self._file, f"{moment:.3f}".ljust(WIDTH).encode(), 0)

    def read(self) -> float:
        """The moment."""
        text = os.pread(self._file, WIDTH, 0).strip()
        return float(text) if text else math.inf

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def loaded_or_ended(place: str, load: Callable[[], Plan]) -> Plan:
    """What ``load`` gives; if it raises, this worker ends and leaves the reason where the controller finds it."""
    try:
        return load()
    except BaseException as error:
        leave(place, str(error) if isinstance(error, UsageError) else sentence(error))


def leave(place: str, reason: str) -> NoReturn:
    """End this worker, and leave the reason where the controller finds it."""
    sys.setrecursionlimit(FRAMES)
    try:
        Path(f"{place}.reason").write_text(reason, encoding="utf-8", errors="replace")
    finally:
        os._exit(1)


class LeavingPlugin:
    """The hook of a worker in which pytest itself cannot go on: this ends the worker, where pytest would end the run.

    What a plugin does to its process (a limit on files, a closed output) may be noticed before the first check, or between two.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
        """Leave."""
        leave(self.place, sentence(excinfo.value))


def choose_workers(option: Any) -> None:
    """One worker process unless pytest-xdist's options say otherwise; none with ``--ray``, which has a worker for each task.

    Raises:
        pytest.UsageError: both are asked for.
    """
    if option.ray is not None:
        if getattr(option, "numprocesses", None):
            raise pytest.UsageError("-n: not together with --ray, which starts a worker for each task")
        option.numprocesses = 0
    elif hasattr(option, "numprocesses"):
        if option.numprocesses is None and not option.tx:
            option.numprocesses = 1
        if option.numprocesses and option.dist == "no":
            option.dist = "worksteal"
        if option.maxworkerrestart is None:
            option.maxworkerrestart = str(RESTARTS)
        _share_cores(option.numprocesses or 1)


def _share_cores(workers: int | str) -> None:
    """Give each worker its share of the cores, before any framework starts its threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = workers if isinstance(workers, int) else cores
    threads = str(max(1, cores // max(1, count)))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC"):
        os.environ.setdefault(name, threads)


class WorkersPlugin:
    """The hooks of a controller that look after its workers."""

    def __init__(self, config: pytest.Config, run: Run, plan: Plan, folder: Path) -> None:
        self.config = config
        self.run = run
        self.plan = plan
        self.folder = folder
        self.started: dict[str, float] = {}
        """When each check was started, by its test."""
        self.ready: set[str] = set()
        self.failures = 0
        """How many workers in a row ended before they had started."""
        self.ends = 0
        self.late: dict[str, str] = {}
        """The workers that were ended for being late, and why."""

    def place(self, worker: str) -> Path:
        """Where a worker leaves the frames of a crash; files beside it have the same name and an ending."""
        return self.folder / f"{worker}.txt"

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """Look after the process of a new worker."""
        process = getattr(gateway._io, "popen", None)  # execnet has no public way to ask
        if process is None:
            return  # on another machine
        deadline = Deadline(Path(f"{self.place(gateway.id)}.until"))
        deadline.write(time.monotonic() + IMPORT_SECONDS)
        watch(process.pid)
        threading.Thread(target=self._look_after, args=(gateway, process, deadline), daemon=True).start()

    def _look_after(self, gateway: Any, process: "subprocess.Popen[bytes]", deadline: Deadline) -> None:
        stopped = leaving = 0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=TICK)
                break
            moment = deadline.read()
            stopped = stopped + 1 if _is_stopped(process.pid) else 0
            node = getattr(gateway, "node", None)
            leaving = leaving + 1 if moment == math.inf and node is not None and node.shutting_down else 0
            why = ""
            if time.monotonic() > moment + (GRACE if gateway.id in self.ready else 0.0):
                why = "took too long"
            elif moment == math.inf and max(stopped, leaving) * TICK > GRACE:
                why = "did not go on" if stopped else "did not leave"
            if why:
                self.late[gateway.id] = why
                process.kill()
        end_group(process.pid)
        # A child of the worker holds its pipe, and with it the news of its end.
        end_orphans()
        deadline.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker when the time budget ends, and where it leaves the frames of a crash."""
        node.workerinput["tensorproof_deadline"] = self.run.deadline
        node.workerinput["tensorproof_done"] = sorted(self.run.before)
        node.workerinput["tensorproof_dump"] = str(self.place(node.gateway.id))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Note that a worker has started."""
        self.ready.add(node.gateway.id)
        self.failures = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """End the run if workers do not start: another one would not either."""
        worker = node.gateway.id
        if error is None:
            return
        self.ends += 1
        if self.ends > int(self.config.option.maxworkerrestart):
            self.run.end_early(f"{self.ends} workers have ended")
        if worker in self.ready:
            return
        self.failures += 1
        if self.ready and self.failures < STARTS:
            return
        late = f"it took longer than {IMPORT_SECONDS} s" if worker in self.late else ""
        text = self._reason(worker) or late or end_of_worker(node, 0.0, math.inf, "")[1]
        self.run.end_early(f"a worker does not start: {text}")
        pytest.exit(self.run.ended, returncode=COULD_NOT_GO_ON)

    def _reason(self, worker: str) -> str:
        """What a worker said before it left by itself; empty if it did not."""
        file = Path(f"{self.place(worker)}.reason")
        return printable(file.read_text(encoding="utf-8")) if file.exists() else ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note when a check starts."""
        self.started[nodeid] = time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any, sched: Any) -> None:
        """Say what ended a worker: a hang, want of memory, or a crash; not of a check that had ended, or had not begun."""
        case = self._case(crashitem)
        if case is None:
            return
        if crashitem not in self.started or case.key in self.run.done:
            report.outcome, report.when, report.longrepr = "passed", "teardown", None
            if case.key not in self.run.done:
                sched.mark_test_pending(crashitem)
            return
        timeout = seconds_for(case, self.config.option.check_timeout)
        elapsed = time.monotonic() - self.started[crashitem]
        file = self.place(report.node.gateway.id)
        dump = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        if report.node.gateway.id in self.late:
            status, message = "timed_out", f"still running after {timeout:g} s"
        elif reason := self._reason(report.node.gateway.id):
            status, message = "crashed", f"the process could not report the check any more: {reason}"
        else:
            status, message = end_of_worker(report.node, elapsed, timeout, dump)
        where = frames_of_dump(dump)
        result = Result(case, status, message, traceback=where, duration_ns=int(elapsed * 1e9))
        report.tensorproof = result_to_record(result, self.config.option)
        report.location = (*report.location[:2], crashitem.rpartition("::")[2])  # the heading; xdist names the file only
        lines = [f"{status.replace('_', ' ')}: {message}", where, f"reproduce: {command_for(case, self.config.option)}"]
        report.longrepr = "\n".join(line for line in lines if line)

    def _case(self, test: str) -> Case | None:
        name = test.rpartition("[")[2].removesuffix("]")
        check = test.rpartition("::")[2].partition("[")[0].removeprefix("test_")
        return next((item for item in self.plan.cases if item.check == check and item.name == name), None)


class ShardsPlugin:
    """The hooks of a controller whose checks run on the nodes of a cluster."""

    def __init__(self, config: pytest.Config, run: Run, plan: Plan, shards: Shards) -> None:
        self.config = config
        self.run = run
        self.plan = plan
        self.shards = shards

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect nothing: the nodes do."""
        session.testscollected = len(self.run.planned - self.run.before)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Report each check as it comes from a node.

        Raises:
            pytest.Session.Failed: the run stops at its first failures.
        """
        names = {case.key: case.name for case in self.plan.cases}
        try:
            with contextlib.closing(self.shards.lines(self.plan.cases, self.run.done)) as lines:
                for line in lines:
                    name = f"{CONFORMANCE.name}::test_{line['check']}[{names[check_key(line)]}]"
                    self.config.hook.pytest_runtest_logreport(report=report_of(line, name, self.config.option))
                    if session.shouldfail:
                        raise session.Failed(session.shouldfail)
        except NotDone as error:
            self.run.end_early(str(error))
            pytest.exit(self.run.ended, returncode=COULD_NOT_GO_ON)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Say what was lost."""
        self.run.lines += self.shards.cluster.notes


def _is_stopped(process: int) -> bool:
    """Whether a process is stopped by a signal."""
    try:
        return (PROC / str(process) / "stat").read_bytes().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False
