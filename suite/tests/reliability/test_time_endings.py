"""A run of timings: no worker outlives it, what a worker leaves does not hold it up, and what it has is kept and shown."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from disturbed import SLOW, kill_all, left_of, lines_of, output_of, start, wait_for
from fake_backend import BACKEND

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")

Plugin = Callable[..., Path]
QUICK = ("--workload=S", "--direction=forward", "--dtype=float32", "--launches=1", "--rounds=6", "--series-seconds=0.1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_timings_that_are_ended_keep_what_they_have_and_leave_nothing_running(plugin: Plugin, tmp_path, number):
    chosen = ("--op=tanh", "--op=sigmoid", *QUICK, "--record=times.ndjson", "--report=page.html")
    run = start(tmp_path, "time", "fake", *chosen, plugins=plugin("fake", SLOW + BACKEND))
    try:
        assert wait_for((tmp_path / "slow").exists, 200), output_of(tmp_path)
        os.kill(run.pid, number)
        code = run.wait(timeout=60)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    text = output_of(tmp_path)
    ends = lines_of(tmp_path / "times.ndjson", "end")
    if number == signal.SIGKILL:
        assert (code, ends) == (-9, [])
        return
    assert code == 2, text
    assert ends[0]["ended"] == f"interrupted ({signal.Signals(number).name})"
    assert "--resume goes on" in text
    assert "Timings" in text
    assert "Traceback" not in text
    assert (tmp_path / "page.html").exists()


def test_a_worker_that_crashes_and_leaves_a_child_costs_its_series_and_the_run_goes_on(plugin: Plugin, tmp_path):
    source = """
@operations.native
def sigmoid(x):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    os.kill(os.getpid(), signal.SIGSEGV)

@operations.native
def relu(x):
    sys.exit(0)
"""
    chosen = ("--op=sigmoid", "--op=relu", "--op=tanh", *QUICK, "--record=times.ndjson")
    run = start(tmp_path, "time", "fake", *chosen, plugins=plugin("fake", source + BACKEND))
    try:
        assert run.wait(timeout=400) == 1, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    statuses = {line["operation"]: line["status"] for line in lines_of(tmp_path / "times.ndjson", "timing")}
    assert statuses == {"relu": "error", "sigmoid": "crashed", "tanh": "measured"}
