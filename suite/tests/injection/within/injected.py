"""Within the processes of a run: the one that reaches the moment of a fault says so, and waits until it may go on."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

MOMENT = os.environ.get("INJECTED_MOMENT", "")
FOLDER = Path(os.environ.get("RELIABILITY_TEST", ""))
BEFORE = int(os.environ.get("INJECTED_BEFORE", "5"))
"""So many lines are written, or questions answered, before the moment comes."""


def pause(moment: str) -> None:
    """Say which process has reached the moment, and wait; once in a run."""
    if moment != MOMENT:
        return
    try:
        with (FOLDER / "reached").open("x") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return
    hold(moment, "" if moment == "record" and is_conformance() else "held")


def is_conformance() -> bool:
    """Whether this is a run of conformance: its workers are at work while the record is written, and are to be held there."""
    return "check" in sys.orig_argv


def hold(moment: str, mark: str = "held") -> None:
    """Wait as long as a process is at the moment, and say so."""
    if moment == MOMENT and mark:
        (FOLDER / mark).touch()
    while moment == MOMENT and not (FOLDER / "go").exists():
        time.sleep(0.02)


def hold_worker(moment: str) -> None:
    """Hold a worker of conformance at the moment of another process."""
    if "xdist" in sys.modules:
        hold(moment)


def start_child() -> None:
    """Start what a framework starts in its workers: a process that stays."""
    if "xdist" in sys.modules:
        code = "import signal, time; signal.signal(2, signal.SIG_DFL); time.sleep(600)  # a child of a worker"
        subprocess.Popen([sys.executable, "-c", code])


def plant_in_reference() -> None:
    """Wait while a part of an expectation is computed."""
    from tensorproof.conformance.reference_process import encoding

    as_arrays, count = encoding.as_arrays, itertools.count()

    def paused(part, value):
        if next(count) == BEFORE:
            pause("reference")
        return as_arrays(part, value)

    encoding.as_arrays = paused


def plant_in_controller() -> None:
    """Wait in the middle of a line, and before a page takes its place."""
    from tensorproof.lines.writing import LineFile

    append, fsync, count = LineFile.append, os.fsync, itertools.count()

    class Halved:
        """A file that takes half of what it is given first."""

        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            written = self.file.write(data[: max(1, len(data) // 2)])
            pause("record")
            return written

    def halved(self, line):
        whole = self._file
        if next(count) == BEFORE:
            self._file = Halved(whole)
        try:
            append(self, line)
        finally:
            self._file = whole

    def paused(descriptor):
        pause("page")
        fsync(descriptor)

    LineFile.append, os.fsync = halved, paused


def plant_in_timings() -> None:
    """Measure no limits of the machine, which would take most of the time; wait before the first series."""
    import made_lines

    from tensorproof.timing import session

    def limits(_):
        pause("timings")
        return made_lines.limits()

    session.machine_limits = limits


def plant_in_night() -> None:
    """Wait before the verdict takes its place."""
    from tensorproof.nightly import night

    write = night.write_verdict

    def paused(folder, lines):
        pause("verdict")
        write(folder, lines)

    night.write_verdict = paused


def plant_in_timing_command() -> None:
    """What is planted in the command that times."""
    plant_in_controller()
    plant_in_timings()


PLANTS = {
    "check": plant_in_controller,
    "time": plant_in_timing_command,
    "fuzz": plant_in_controller,
    "nightly": plant_in_night,
}
"""What is planted in the process of each command."""
