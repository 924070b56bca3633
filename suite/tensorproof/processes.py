"""No process outlives its run: what a run starts is marked, and ended with it, however the run ends.

A run marks what it starts with a word in the environment, which children and their children inherit. A guard, a process of its
own, waits on a pipe that only the run holds. When the run is gone, killed by signal 9 too, the pipe closes, and the guard ends
whatever still has the mark. Systems without ``/proc`` have process groups instead of marks: there a child that leaves its group
is missed. Windows has neither: a worker ends when its pipe closes.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

MARK = "TENSORPROOF_RUN"
"""The environment variable with the marks of the runs that a process belongs to, the outermost first."""
PATIENCE = 2.0
"""Seconds that a process has to end by itself once it is asked to."""
SWEEPS = 100
PROC = Path("/proc")
PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``prctl(2)``."""
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
ANSWER = "tensorproof-answer:"
"""How the line begins in which a process answers that was asked one thing."""


@dataclass
class Guarded:
    """A run in progress."""

    mark: str
    guard: "subprocess.Popen[bytes] | None"
    terminals: tuple[int, ...] = ()
    """Which of standard output and error are a terminal."""
    received: str = ""
    """The name of the signal that ends the run."""
    undisturbed: bool = False
    """Whether a signal waits, since a line is being written."""
    waiting: bool = False
    """Whether one does."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Current:
    run: Guarded | None = None


def interruption() -> str:
    """The name of the signal that ends this run; empty if none came: then a ``KeyboardInterrupt`` is somebody else's."""
    return _Current.run.received if _Current.run else ""


def _interrupt(number: int, frame: FrameType | None) -> None:
    run = _Current.run
    if run is not None and run.received:
        return  # it is ending already, and every wait has a limit
    if run is not None:
        run.received = signal.Signals(number).name
        if run.received == "SIGHUP":
            for place in run.terminals:  # it is closed: what is printed from now on would be an error
                os.dup2(os.open(os.devnull, os.O_WRONLY), place)
        if run.undisturbed:
            run.waiting = True
            return
    raise KeyboardInterrupt


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let a signal that ends the run wait for the end of this block: what is written there is whole, and known to be written.

    Raises:
        KeyboardInterrupt: one came meanwhile.
    """
    run = _Current.run
    if run is None or run.undisturbed:
        yield
        return
    run.undisturbed = True
    try:
        yield
    finally:
        run.undisturbed = False
    if run.waiting:
        run.waiting = False
        raise KeyboardInterrupt


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """End with this block all that is started within, also if this process is killed.

    SIGTERM and SIGHUP interrupt as Ctrl-C does. Within another such block this one does nothing.
    """
    if _Current.run is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    mark = secrets.token_hex(8)
    outer = os.environ.get(MARK)
    _Current.run = Guarded(mark, _start_guard(mark), tuple(place for place in (1, 2) if os.isatty(place)))
    # One that is ignored (nohup) stays so.
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, _interrupt)
        os.environ[MARK] = f"{outer},{mark}" if outer else mark
        if "TOX_ENV_NAME" in os.environ:
            _end_with_parent()
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if outer is None:
            os.environ.pop(MARK, None)
        else:
            os.environ[MARK] = outer
        end_all()
        _end_guard(_Current.run.guard)
        _Current.run = None


def guard_for_life() -> None:
    """End with this process, however it ends, all that it starts from now on; its signals stay as they are.

    For a process that somebody else started, such as those in which a cluster runs tasks.
    """
    if _Current.run is None:
        mark = secrets.token_hex(8)
        _Current.run = Guarded(mark, _start_guard(mark))
        os.environ[MARK] = ",".join(filter(None, [os.environ.get(MARK), mark]))


def _end_with_parent() -> None:
    """Have Linux send SIGTERM when the parent is gone: tox, when it is killed, does not tell its commands.

    A shell may well end before what it started, and so nobody else's end is taken for a wish to end this.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _start_guard(mark: str) -> "subprocess.Popen[bytes] | None":
    if os.name != "posix":
        return None
    command = [sys.executable, "-I", "-S", __file__, mark]
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
    )


def _end_guard(guard: "subprocess.Popen[bytes] | None") -> None:
    if guard is None or guard.stdin is None:
        return
    with contextlib.suppress(OSError):
        guard.stdin.close()
    try:
        guard.wait(timeout=2 * PATIENCE)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait(timeout=PATIENCE)


def watch(process: int) -> None:
    """Have the group of a process ended with the run, where marks cannot be read."""
    _tell_guard(f"+{process}\n")


def end_group(process: int) -> None:
    """End what is left of the group of a process that has ended itself."""
    with contextlib.suppress(OSError, AttributeError):
        os.killpg(process, signal.SIGKILL)
    _tell_guard(f"-{process}\n")


def _tell_guard(line: str) -> None:
    run = _Current.run
    if run is None or run.guard is None or run.guard.stdin is None or PROC.is_dir():
        return
    with run.lock, contextlib.suppress(OSError, ValueError):
        run.guard.stdin.write(line.encode())
        run.guard.stdin.flush()


@dataclass(frozen=True)
class Ended:
    """A process that was asked one thing."""

    code: int | None
    """Its exit code, negative for a signal; ``None`` if it took too long and was ended."""
    output: str
    errors: str

    @property
    def ending(self) -> str:
        """How it ended: ``exit code 3`` or ``signal 11``."""
        return f"signal {-self.code}" if self.code is not None and self.code < 0 else f"exit code {self.code}"

    @property
    def last_line(self) -> str:
        """The last line of what it complained of."""
        return (self.errors.strip().splitlines() or ["no output"])[-1]

    @property
    def answer(self) -> Any:
        """What it answered; ``None`` if it did not come to that."""
        line = next((line for line in self.output.split("\n") if line.startswith(ANSWER)), f"{ANSWER}null")
        try:
            return json.loads(line.removeprefix(ANSWER))
        except ValueError:
            return None


def run_apart(module: str, request: str, seconds: float) -> Ended:
    """Run a module in a process of its own, with the search path of this one, and wait for its answer to a request.

    Files take what it prints: a pipe would stay open in a child that it leaves behind.
    """
    with guarded(), contextlib.ExitStack() as stack:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        given, output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(request.encode())
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=given,
            stdout=output,
            stderr=errors,
            env=environment,
            process_group=own_group(),
        )
        watch(process.pid)
        code: int | None = None
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            end_group(process.pid)
            end_orphans()
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Ended(code, *texts)


def answer_apart(answer: Callable[[dict[str, Any]], Any]) -> NoReturn:
    """Answer the request of ``run_apart``, and leave.

    The answer is a line of its own, whatever a plugin has printed or closed. Neither a thread of a plugin's nor what it wants
    done at the end is waited for.
    """
    from tensorproof.errors import sentence  # not above: the guard runs this file alone, without the package

    place = os.dup(1)
    code = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = json.dumps(answer(json.loads(sys.stdin.read())))
        with os.fdopen(place, "w", encoding="utf-8") as file:
            file.write(f"\n{ANSWER}{text}\n")
        code = 0
    except BaseException as error:
        os.write(2, f"\n{sentence(error)}\n".encode(errors="backslashreplace"))
    finally:
        os._exit(code)


def own_group() -> int | None:
    """What ``subprocess.Popen`` takes as ``process_group`` for a group of its own: Ctrl-C in a terminal is for the run alone."""
    return 0 if os.name == "posix" else None


def settle_worker() -> None:
    """Make this process, a worker, deaf to what a terminal sends to all of its processes: who started it ends it.

    The signals are heard and nothing is done. Ignored they would be ignored in whatever the worker starts, too.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: None)
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)


def end_all() -> None:
    """End all that this run started and that is still there."""
    if _Current.run is not None:
        _sweep(_Current.run.mark)


def end_orphans() -> None:
    """End what a process of this run left behind when it ended: what is marked, and has no parent in the run.

    A child that holds the pipe of a worker that crashed keeps the end of the worker from being seen.
    """
    if _Current.run is None:
        return
    for _ in range(SWEEPS):
        found = tops(_Current.run.mark, {os.getpid()})
        if not found:
            return
        _kill(found, signal.SIGKILL)
        time.sleep(0.01)


def marked(mark: str) -> dict[int, int]:
    """The processes with a mark that still run, each with its parent."""
    numbers = [int(folder.name) for folder in PROC.glob("[0-9]*")]
    return {number: parent for number in numbers if (parent := _parent_of(number, mark)) is not None}


def _parent_of(process: int, mark: str) -> int | None:
    """The parent of a process, if it has a mark and still runs."""
    folder = PROC / str(process)
    try:
        if mark.encode() not in (folder / "environ").read_bytes():
            return None
        state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return None  # it has ended, or is another user's
    return None if state in b"ZX" else int(parent)


def tops(mark: str, parents: set[int]) -> list[int]:
    """The marked processes whose parent is neither marked nor one of ``parents``."""
    found = marked(mark).items()
    return [process for process, parent in found if parent not in parents and _parent_of(parent, mark) is None]


def _kill(processes: list[int], number: int) -> None:
    for process in processes:
        with contextlib.suppress(OSError):
            os.kill(process, number)


def _sweep(mark: str) -> None:
    """Kill what is marked until nothing is: what is about to fork may do so once more."""
    for _ in range(SWEEPS):
        found = [process for process in marked(mark) if process != os.getpid()]
        if not found:
            return
        _kill(found, signal.SIGKILL)
        time.sleep(0.01)


def _guard(mark: str) -> None:
    """Wait for the run to be gone, then ask what it left to end, and end it."""
    for name in SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    # A command of a night ends its own workers, and writes how it ended.
    _kill(tops(mark, set()), signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    _sweep(mark)
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _guard(sys.argv[1])
