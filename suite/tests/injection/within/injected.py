"""Within the processes of a run: the one that reaches the moment of a fault says so, and waits until it may go on."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

MOMENT = os.environ.get("INJECTED_MOMENT", "")
FOLDER = Path(os.environ.get("RELIABILITY_TEST", ""))
BEFORE = 5
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
    hold(moment, "" if moment == "record" else "held")


def hold(moment: str, mark: str = "held") -> None:
    """Wait as long as a process is at the moment, and say so."""
    if moment == MOMENT and mark:
        (FOLDER / mark).touch()
    while moment == MOMENT and not (FOLDER / "go").exists():
        time.sleep(0.02)


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
