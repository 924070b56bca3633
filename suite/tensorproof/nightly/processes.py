"""Running the commands of a night: each in a process group of its own, its output in a log, its progress from its record."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tensorproof.errors import UsageError

if sys.platform != "win32":
    import fcntl

TIMED_OUT = 124
"""The exit code of a command that was ended because its time was over, as of ``timeout``."""
PLAIN_SECONDS = 60.0
"""How often a line of progress is printed where there is no terminal."""

Watch = Callable[[], tuple[int, int]]
"""How many parts of a stage are done, and of how many (0: nobody knows yet)."""


class Runner(Protocol):
    """What runs a command to its end and returns its exit code."""

    def __call__(self, command: Sequence[str], log: Path, title: str, watch: Watch) -> int:
        """Run a command; ``log`` takes what it prints, ``watch`` tells how far it is."""
        ...


def lines_done(record: Path, kind: str) -> Watch:
    """Progress by the lines of a record; the header's ``planned`` says how many there will be. Reads only what was appended."""
    position, done, planned = 0, 0, 0

    def watch() -> tuple[int, int]:
        nonlocal position, done, planned
        try:
            with record.open("rb") as file:
                file.seek(position)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    done += line.startswith(f'{{"kind":"{kind}"'.encode())
                    planned = planned or _planned(line)
        except OSError:
            return 0, 0
        return done, planned

    return watch


def _planned(line: bytes) -> int:
    _, found, rest = line.partition(b'"planned":')
    digits = rest.split(b",")[0].split(b"}")[0].strip()
    return int(digits) if found and digits.isdigit() else 0


@contextmanager
def locked(history: Path) -> Iterator[tuple[int, ...]]:
    """Hold a history for this process and the commands that inherit these file descriptors.

    A night that was killed (signal 9) cannot end its commands. As long as one still writes, the next night must not.

    Raises:
        UsageError: another night holds it, or a command that one left behind.
    """
    if sys.platform == "win32":
        yield ()
        return
    try:
        history.mkdir(parents=True, exist_ok=True)
        file = (history / "lock").open("a")
    except OSError as error:
        raise UsageError(f"--history: {history.name} cannot be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"--history: another night, or a command that a killed one left behind, still writes to {history.name}; "
                f"wait for it, or end it (lsof {history.name}/lock tells which)"
            ) from None
        yield (file.fileno(),)


def process_runner(stage_timeout: float, inherited: Sequence[int] = (), console: Console | None = None) -> Runner:
    """A runner of real processes that ends one after ``stage_timeout`` seconds; they inherit some file descriptors."""
    out = console or Console(file=sys.stderr)

    def run(command: Sequence[str], log: Path, title: str, watch: Watch) -> int:
        log.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + stage_timeout
        with log.open("a", encoding="utf-8") as output:
            output.write(f"$ {' '.join(command)}\n")
            output.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=os.name == "posix",
                pass_fds=inherited,
            )
            try:
                with _shown(title, watch, out) as update:
                    while True:
                        try:
                            return process.wait(timeout=0.5)
                        except subprocess.TimeoutExpired:
                            update()
                        if time.monotonic() > deadline:
                            return TIMED_OUT
            finally:
                _end(process)

    return run


@contextmanager
def _shown(title: str, watch: Watch, console: Console) -> Iterator[Callable[[], None]]:
    if not console.is_terminal:
        yield _plain_lines(title, watch, console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=None)

        def update() -> None:
            done, planned = watch()
            progress.update(task, completed=done, total=planned or None)

        yield update
        update()


def _plain_lines(title: str, watch: Watch, console: Console) -> Callable[[], None]:
    start = time.monotonic()
    last = start

    def update() -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last < PLAIN_SECONDS:
            return
        last = moment
        done, planned = watch()
        left = f", about {(moment - start) / done * (planned - done):.0f} s left" if done and planned else ""
        console.print(f"{title}: {done} of {planned or '?'} after {moment - start:.0f} s{left}", markup=False, highlight=False)

    return update


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, and all that it started."""
    if process.poll() is not None:
        return
    for number, patience in ((signal.SIGTERM, 10.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 10.0)):
        try:
            if os.name == "posix":
                os.killpg(process.pid, number)
            else:
                process.terminate()
            process.wait(timeout=patience)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
