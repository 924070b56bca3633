"""Runs a small run, injects one fault, and looks at what the run left: code, words, processes, record, and how it goes on."""

import contextlib
import io
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from disturbed import kill_all, left_of, lines_of, output_of, processes_of, start, wait_for

from injection.cells import Outcome
from injection.commands import COMMANDS, Command
from tensorproof import cli
from tensorproof.lines.reading import read_lines

WITHIN = Path(__file__).with_name("within")
LONGEST = 200
"""Seconds that a run may take, a night too, on a machine with other things to do."""


def process_of(folder: Path, words: str) -> int:
    """The process that is aimed at, of which its command line holds some words; of several the one at the moment of the fault."""
    found = [number for number, command in processes_of(folder).items() if words in command]
    at_moment = int((folder / "reached").read_text())
    chosen = [at_moment] if at_moment in found else found
    assert len(chosen) == 1, (words, processes_of(folder))
    return chosen[0]


def strike(process: int, action: str) -> None:
    """Send the signals of an action, and wait until they have come."""
    for name in action.split(", "):
        os.kill(process, getattr(signal, f"SIG{name}"))
        time.sleep(0.3)


def _start(folder: Path, plugins: Path, name: str, moment: str, *more: str) -> "subprocess.Popen[bytes]":
    command = COMMANDS[name]
    variables = {
        "INJECTED_MOMENT": moment,
        "INJECTED_BEFORE": str(command.before),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    paths = os.pathsep.join([str(plugins), str(WITHIN), str(WITHIN.parents[1])])
    before = f"import injected\ninjected.PLANTS[{name!r}]()"
    return start(folder, *command.arguments, *more, plugins=paths, before=before, environment=variables)


def inject(folder: Path, plugins: Path, name: str, moment: str, target: str, action: str) -> tuple[int, dict[str, list[object]]]:
    """Run, wait for the moment, strike, and wait for the end: its exit code, and what had a line before, by record.

    Raises:
        AssertionError: the moment did not come, or something runs on after the end.
    """
    command = COMMANDS[name]
    run = _start(folder, plugins, name, moment)
    try:
        reached = folder / "reached"
        assert wait_for(lambda: reached.exists() and reached.read_text(), LONGEST), output_of(folder)
        assert wait_for((folder / "held").exists), output_of(folder)
        had = keys_of(folder, command)
        strike(run.pid if target == "controller" else process_of(folder, command.known_by[target]), action)
        (folder / "go").touch()
        code = run.wait(timeout=LONGEST)
        assert left_of(folder) == {}, output_of(folder)
    finally:
        kill_all(folder)
    return code, had


def keys_of(folder: Path, command: Command) -> dict[str, list[object]]:
    """What has a whole line in each record that there is."""
    place = command.folder(folder)
    return {
        name: [kept.key(line) for line in lines_of(place / name, kept.kind)]
        for name, kept in command.records.items()
        if (place / name).exists()
    }


def look(folder: Path, name: str, outcome: Outcome, code: int, had: dict[str, list[object]]) -> None:
    """Compare what is left with what the run must come to.

    Raises:
        AssertionError: they differ.
    """
    command, text = COMMANDS[name], output_of(folder)
    place = command.folder(folder)
    assert code == outcome.code, text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert any((place / record).exists() for record in command.records) is outcome.recorded
    if not outcome.recorded:
        return
    if code == 2 and (outcome.left or outcome.unpublished):
        assert "--resume" in text or "goes on" in text
    left = False
    bad: Counter[str] = Counter()
    for record, kept in command.records.items():
        if not (place / record).exists():
            left = True
            continue
        lines = read_lines(place / record, kept.schema).values
        counted = [line for line in lines if line["kind"] == kept.kind]
        keys = Counter(map(kept.key, counted))
        assert set(keys.values()) <= {1}
        assert set(had.get(record, ())) <= keys.keys()
        bad += Counter(line["status"] for line in counted if line["status"] not in kept.good)
        left = left or len(keys) < lines[0]["planned"]
    assert left is outcome.left, text
    assert bad == Counter([outcome.lost] if outcome.lost else []), text
    assert (bool(command.page) and (place / command.page).exists()) is (outcome.paged and bool(command.page)), text
    for reader in command.read_by:
        output = "again.html" if reader == "report" else "merged.ndjson"
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
            assert cli.main([reader, "run.ndjson", "-o", output]) in (0, 1), reader


def go_on(folder: Path, plugins: Path, name: str, had: dict[str, list[object]]) -> None:
    """Run the same command again, which goes on: all is made, once, and its page is written.

    Raises:
        AssertionError: it does not end well, or something is missing.
    """
    command = COMMANDS[name]
    run = _start(folder, plugins, name, "", *command.resume)
    try:
        assert run.wait(timeout=LONGEST) == 0, output_of(folder)
    finally:
        kill_all(folder)
    place = command.folder(folder)
    for record, kept in command.records.items():
        lines: list[dict[str, Any]] = read_lines(place / record, kept.schema).values
        made = Counter(kept.key(line) for line in lines if line["kind"] == kept.kind)
        assert set(made.values()) == {1}
        assert set(had.get(record, ())) <= made.keys()
        assert len(made) == lines[0]["planned"]
        assert lines[-1]["kind"] == "end"
        assert "ended" not in lines[-1]
    assert not command.page or (place / command.page).exists()
