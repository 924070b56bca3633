"""What a run starts ends with it: children and their children, also when the run is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disturbed import HEARD, kill_all, left_of, processes_of, wait_for

from tensorproof import processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="marks are read in /proc")

RUN = """
import os, subprocess, sys, time
from tensorproof.processes import guarded

CHILD = '''
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()  # leaves group and session
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(600)
'''
try:
    with guarded():
        subprocess.Popen([sys.executable, "-c", CHILD])
        {action}
except KeyboardInterrupt:
    sys.exit(2)
"""


def begin(folder: Path, action: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", HEARD + RUN.format(action=action)], env={**os.environ, "RELIABILITY_TEST": str(folder)}
    )


def ended(run: "subprocess.Popen[bytes]", folder: Path, code: int) -> None:
    try:
        assert run.wait(timeout=60) == code
        assert left_of(folder) == {}
    finally:
        kill_all(folder)


@pytest.mark.parametrize(("number", "code"), [(9, -9), (signal.SIGTERM, 2), (signal.SIGHUP, 2), (signal.SIGINT, 2)])
def test_children_and_their_children_end_with_a_run_that_is_killed(tmp_path, number, code):
    run = begin(tmp_path, "time.sleep(600)")
    # The run, its guard, the child, its orphaned grandchild.
    assert wait_for(lambda: len(processes_of(tmp_path)) == 4), processes_of(tmp_path)
    run.send_signal(number)
    ended(run, tmp_path, code)


def test_children_and_their_children_end_with_a_run_that_ends_by_itself(tmp_path):
    ended(begin(tmp_path, "time.sleep(0.5)"), tmp_path, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death")
def test_a_run_under_tox_ends_with_tox(tmp_path):
    """tox that is killed tells nobody."""
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {RUN.format(action='time.sleep(600)')!r}])\n"
    tox = subprocess.Popen(
        [sys.executable, "-c", code + "time.sleep(600)"],
        env={**os.environ, "RELIABILITY_TEST": str(tmp_path), "TOX_ENV_NAME": "numpy"},
    )
    assert wait_for(lambda: len(processes_of(tmp_path)) == 5), processes_of(tmp_path)
    tox.kill()
    ended(tox, tmp_path, -9)


def test_what_a_dead_child_leaves_is_ended_while_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("RELIABILITY_TEST", str(tmp_path))
    with processes.guarded():
        lives = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        code = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nos._exit(1)"
        dies = subprocess.Popen([sys.executable, "-c", code])
        assert dies.wait(timeout=60) == 1
        mark = os.environ[processes.MARK]
        assert wait_for(lambda: processes.tops(mark, {os.getpid()}))
        processes.end_orphans()
        assert list(processes.marked(mark)) == [lives.pid]
        assert lives.poll() is None
    assert lives.wait(timeout=60) == -9


def test_the_signal_is_known_and_another_interruption_is_not_one():
    with processes.guarded():
        assert processes.interruption() == ""
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert processes.interruption() == "SIGTERM"
        signal.raise_signal(signal.SIGTERM)  # the second is passed over: the run is ending
    assert processes.interruption() == ""


def test_a_signal_waits_for_the_end_of_what_must_be_whole():
    done = []
    with processes.guarded():
        with pytest.raises(KeyboardInterrupt), processes.undisturbed():  # noqa: PT012 - the signal comes within
            with processes.undisturbed():
                signal.raise_signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        with processes.undisturbed():
            signal.raise_signal(signal.SIGTERM)  # the run is ending already
    assert done == ["inner", "outer"]


def test_handlers_and_environment_are_as_before():
    before = signal.getsignal(signal.SIGTERM), dict(os.environ)
    with processes.guarded(), processes.guarded():
        time.sleep(0)
    assert (signal.getsignal(signal.SIGTERM), dict(os.environ)) == before
