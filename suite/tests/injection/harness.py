"""Runs a small run, injects one fault, and looks at what the run left: code, words, processes, record, and how it goes on."""

import contextlib
import io
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from disturbed import kill_all, left_of, lines_of, output_of, processes_of, start, wait_for
from fake_backend import BACKEND

from injection.cells import Outcome
from tensorproof import cli
from tensorproof.runs.records import check_key, read_record

WITHIN = Path(__file__).with_name("within")
SOURCE = (
    """
import injected
injected.pause("described")
injected.start_child()
operations = OperationTable()
operations.native(reference_sigmoid.sigmoid)

@operations.native
def tanh(x):
    injected.pause("check")
    injected.hold("record")
    return reference_tanh.tanh(x)
"""
    + BACKEND
)
"""A backend whose ``tanh`` waits where a fault is to find it at work."""
RUN = ("check", "fake", "--op=sigmoid", "--op=tanh", "--check=forward", "--dtype=float32", "--record=run.ndjson")
KNOWN_BY = {
    "describing": "-m tensorproof.contract.",
    "worker": "exec(eval(",
    "reference": "tensorproof.conformance.reference_process",
    "child": "# a child of a worker",
}
"""What is in the command line of each process, by target."""


def process_of(folder: Path, target: str) -> int:
    """The process that is aimed at."""
    found = [number for number, command in processes_of(folder).items() if KNOWN_BY[target] in command]
    assert len(found) == 1, (target, processes_of(folder))
    return found[0]


def strike(process: int, action: str) -> None:
    """Send the signals of an action, and wait until they have come."""
    for name in action.split(", "):
        os.kill(process, getattr(signal, f"SIG{name}"))
        time.sleep(0.3)


def inject(folder: Path, plugins: Path, moment: str, target: str, action: str) -> tuple[int, list[str]]:
    """Run, wait for the moment, strike, and wait for the end: its exit code, and the checks that had a line before.

    Raises:
        AssertionError: the moment did not come, or something runs on after the end.
    """
    paths = os.pathsep.join([str(plugins), str(WITHIN)])
    environment = {"INJECTED_MOMENT": moment, "XDG_CACHE_HOME": str(folder / "cache")}
    before = "import injected\ninjected.plant_in_controller()"
    run = start(folder, *RUN, "--report=page.html", plugins=paths, before=before, environment=environment)
    try:
        assert wait_for(lambda: (folder / "reached").exists() and (folder / "reached").read_text()), output_of(folder)
        assert wait_for((folder / "held").exists), output_of(folder)
        had = keys_of(folder)
        strike(run.pid if target == "controller" else process_of(folder, target), action)
        (folder / "go").touch()
        code = run.wait(timeout=120)
        assert left_of(folder) == {}, output_of(folder)
    finally:
        kill_all(folder)
    return code, had


def keys_of(folder: Path) -> list[str]:
    """The checks that have a whole line."""
    record = folder / "run.ndjson"
    return [check_key(line) for line in lines_of(record, "check")] if record.exists() else []


def look(folder: Path, outcome: Outcome, code: int, had: list[str]) -> None:
    """Compare what is left with what the run must come to.

    Raises:
        AssertionError: they differ.
    """
    text = output_of(folder)
    assert code == outcome.code, text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert (folder / "run.ndjson").exists() is outcome.recorded
    if not outcome.recorded:
        return
    record = read_record(folder / "run.ndjson")
    keys = Counter(map(check_key, record.checks))
    assert set(keys.values()) == {1}
    assert set(had) <= keys.keys()
    statuses = Counter(check["status"] for check in record.checks) - Counter({"passed": len(keys)})
    assert statuses == Counter([outcome.lost] if outcome.lost else []), text
    assert (len(keys) < record.header["planned"]) is outcome.left
    assert (folder / "page.html").exists() is (code >= 0 and outcome.words != "the page; 2"), text
    for arguments in (["report", "run.ndjson", "-o", "again.html"], ["merge", "run.ndjson", "-o", "merged.ndjson"]):
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(arguments) in (0, 1), arguments


def go_on(folder: Path, plugins: Path) -> list[dict[str, Any]]:
    """Run the same command again with ``--resume``: the lines of the checks.

    Raises:
        AssertionError: it does not end well.
    """
    environment = {"INJECTED_MOMENT": "", "XDG_CACHE_HOME": str(folder / "cache")}
    paths = os.pathsep.join([str(plugins), str(WITHIN)])
    run = start(folder, *RUN, "--resume", plugins=paths, environment=environment)
    try:
        assert run.wait(timeout=120) == 0, output_of(folder)
    finally:
        kill_all(folder)
    return lines_of(folder / "run.ndjson", "check")
