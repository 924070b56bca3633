"""Running commands: their output is kept, one that hangs is ended with all that it started, and progress is read from records."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from tensorproof.errors import UsageError
from tensorproof.nightly import processes
from tensorproof.nightly.processes import TIMED_OUT, lines_done, locked, process_runner
from tensorproof.processes import guarded


def run(code: str, tmp_path: Path, timeout: float = 60.0, console: Console | None = None) -> int:
    runner = process_runner(timeout, (), console or Console(file=io.StringIO()))
    return runner([sys.executable, "-c", code], tmp_path / "logs" / "x.log", "title", lambda: (1, 2))


def test_exit_code_and_output_are_kept(tmp_path):
    assert run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(5)", tmp_path) == 5
    text = (tmp_path / "logs" / "x.log").read_text()
    assert "out" in text
    assert "err" in text


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_what_hangs_is_ended_with_what_it_started(tmp_path):
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    assert run(code, tmp_path, timeout=1.5) == TIMED_OUT
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(child: int) -> bool:
    try:
        return Path(f"/proc/{child}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_signal_ends_a_night_as_an_interruption_does(tmp_path):
    main = threading.main_thread().ident
    assert main is not None
    with guarded():
        timer = threading.Timer(
            0.8, signal.raise_signal if os.name != "posix" else lambda number: os.kill(os.getpid(), number), [15]
        )
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run("import time; time.sleep(600)", tmp_path)
        timer.join()


@pytest.mark.skipif(os.name != "posix", reason="locks")
def test_a_history_is_held_as_long_as_a_command_of_a_killed_night_runs(tmp_path):
    """The night ends without ending its command, as after signal 9; the command goes on, and the history stays held."""
    code = f"""
import os, pathlib, sys
from tensorproof.nightly import processes
processes.PLAIN_SECONDS = 0
folder = pathlib.Path({str(tmp_path)!r})
with processes.locked(folder) as inherited:
    run = processes.process_runner(60, inherited)
    run([sys.executable, "-c", "import time; time.sleep(3)"], folder / "log", "x", lambda: os.kill(os.getpid(), 9))
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    with pytest.raises(UsageError, match="still writes"), locked(tmp_path):
        pass
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with locked(tmp_path):
                return
        except UsageError:
            time.sleep(0.1)
    pytest.fail("the history stays held after the command has ended")


def test_progress_counts_whole_lines(tmp_path):
    record = tmp_path / "r.ndjson"
    watch = lines_done(record, "timing")
    assert watch() == (0, 0)
    record.write_text('{"kind":"timing_run","planned":7,"x":1}\n{"kind":"timing","a":1}\n{"kind":"tim')
    assert watch() == (1, 7)
    with record.open("a") as file:
        file.write('ing","a":2}\n{"kind":"duel"}\n')
    assert watch() == (2, 7)


def test_without_a_terminal_progress_is_plain_lines_with_the_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PLAIN_SECONDS", 0.1)
    out = io.StringIO()
    run("import time; time.sleep(1.2)", tmp_path, console=Console(file=out))
    assert "title: 1 of 2 after" in out.getvalue()
    assert "s left" in out.getvalue()


def test_on_a_terminal_progress_is_a_bar(tmp_path):
    out = io.StringIO()
    run("import time; time.sleep(0.7)", tmp_path, console=Console(file=out, force_terminal=True, width=100))
    assert "1/2" in out.getvalue()
