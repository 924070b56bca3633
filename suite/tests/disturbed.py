"""Running commands that are to be disturbed: started in the background, watched through ``/proc``, and looked for afterwards."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PATIENT = 60.0
"""Seconds to wait for what happens soon on an idle machine."""
AFTERWARDS = 30.0
"""Seconds after which nothing of a run may be left: five on an idle machine."""
SLOW = """
operations = OperationTable()
operations.native(reference_sigmoid.sigmoid)

@operations.native
def tanh(x):
    open(os.environ["RELIABILITY_TEST"] + "/slow", "w").close()
    time.sleep(600)
"""
"""Operations of a made-up backend: ``tanh`` says by the file ``slow`` that it has begun, and goes on for long."""
HEARD = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
"""Code by which a process hears signals also where the tests run in the background of a shell, or under ``nohup``, which ignore
them."""


def lines_of(record: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of a kind that a record holds; what is after the last end of a line is not read."""
    return [line for line in map(json.loads, record.read_text().split("\n")[:-1]) if line["kind"] == kind]


def wait_for(condition: Callable[[], object], seconds: float = PATIENT) -> bool:
    """Wait until a condition holds; whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def start(
    folder: Path,
    *arguments: str,
    plugins: Path | str | None = None,
    before: str = "",
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start the command ``tensorproof`` in a folder and in a session of its own, its output in the file ``output``.

    What it starts can be found by the folder's name, which is in the environment of all of it. ``before`` is code that runs
    first, in the process of the command, which hears signals (``HEARD``).
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if plugins:
        variables["PYTHONPATH"] = os.pathsep.join([str(plugins), *filter(None, [variables.get("PYTHONPATH")])])
    command = [
        sys.executable,
        "-c",
        f"{HEARD}\n{before}\nimport sys; from tensorproof.cli import main; sys.exit(main())",
        *arguments,
    ]
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**variables, **(environment or {}), "RELIABILITY_TEST": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def output_of(folder: Path) -> str:
    """What a command has printed so far."""
    return (folder / "output").read_text(encoding="utf-8", errors="replace")


def processes_of(folder: Path) -> dict[int, str]:
    """The processes that a command started in a folder, itself included, with their command lines; guards too."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"RELIABILITY_TEST={folder}\0".encode() not in (place / "environ").read_bytes():
                continue
            state = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            text = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state not in "ZX":
            found[int(place.name)] = text
    return found


def left_of(folder: Path, seconds: float = AFTERWARDS) -> dict[int, str]:
    """What is left of a command's processes after some seconds; nothing, as soon as there is nothing."""
    wait_for(lambda: not processes_of(folder), seconds)
    return processes_of(folder)


def kill_all(folder: Path) -> None:
    """End what a test that failed has left."""
    for process in processes_of(folder):
        try:
            os.kill(process, 9)
        except OSError:
            continue
