"""A full disk, a read-only folder and a clock that jumps: what there is is kept, and the end is told in a sentence."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from disturbed import SLOW, kill_all, left_of, lines_of, output_of, start, wait_for
from fake_backend import BACKEND
from injection.surroundings import JUMPING, LIMIT

from tensorproof.runs.records import read_record

RELU = ("check", "numpy", "--op=relu", "--check=forward", "--record=run.ndjson", "--report=page.html")


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.skipif(os.name != "posix", reason="processes are looked for")
def test_a_disk_that_is_full_in_the_middle_ends_the_run_in_a_sentence_with_what_there_is(tmp_path, closed):
    """With and without room for the closing line."""
    run = start(tmp_path, *RELU, before=LIMIT.format(lines=6, closed=closed))
    try:
        assert run.wait(timeout=300) == 3, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    text = output_of(tmp_path)
    assert "ended early: the record cannot be written: No space left on device; 5 of " in text
    assert "profile core: incomplete" in text
    assert ("the record has no closing line" in text) is not closed
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert (tmp_path / "page.html").exists()
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "run.ndjson").read_text().splitlines()]
    assert kinds == ["run", *["check"] * 5, *(["end"] if closed else [])]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is made of /dev/full")
def test_a_report_of_pytest_on_a_full_disk_ends_the_run_in_a_sentence(tensorproof):
    outcome = tensorproof("check", "numpy", "--op=relu", "--sample=width_1", "-n0", "--junit-xml=/dev/full")
    assert outcome.code == 3, outcome.text
    assert "ERROR: --junit-xml: it cannot be written: No space left on device" in outcome.text
    assert "Traceback" not in outcome.text
    assert "profile core:" in outcome.text


def test_a_clock_that_jumps_costs_no_check(tmp_path):
    """A time budget is a time, and not a date."""
    run = start(tmp_path, *RELU, "-n0", "--time-budget=600", before=JUMPING)
    try:
        assert run.wait(timeout=300) == 0, output_of(tmp_path)
    finally:
        kill_all(tmp_path)
    assert "not run  " not in output_of(tmp_path)


STARVED = """
import resource
if "xdist" in sys.modules:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28,) * 2)

@operations.native
def sigmoid(x):
    return np.ones((2**28, *x.shape)).sum(axis=0) * x
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory in use is read in /proc")
def test_a_worker_with_little_memory_loses_only_the_checks_that_need_more(tensorproof, plugin, tmp_path):
    chosen = ("--op=sigmoid", "--op=tanh", "--check=forward", "--sample=width_1", "--sample=width_2", "--record=run.ndjson")
    outcome = tensorproof("check", "fake", *chosen, path=plugin("fake", STARVED + BACKEND))
    assert outcome.code == 1, outcome.text
    assert "INTERNALERROR" not in outcome.text
    found = {(line["operation"], line["status"]) for line in lines_of(tmp_path / "run.ndjson", "check")}
    assert found == {("sigmoid", "out_of_memory"), ("tanh", "passed")}, outcome.text


def raising(place: str) -> str:
    """Code that makes memory run out where a function of the controller is called."""
    module, _, name = place.rpartition(".")
    module, holder = module.split(":")
    return f"""
import {module} as module
def full(*given, **named): raise MemoryError
setattr(module{"." + holder if holder else ""}, "{name}", full)
"""


@pytest.mark.parametrize(
    ("place", "arguments", "expected"),
    [
        ("tensorproof.pytest_plugin:.Plan", RELU, "memory ran out before the first check"),
        ("tensorproof.runs.run:Run.add", RELU, "ended early: the record cannot be written: memory ran out; 0 of "),
        ("tensorproof.cli:.read_record", ("merge", "run.ndjson", "-o", "merged.ndjson"), "ERROR: memory ran out"),
    ],
)
def test_a_command_with_little_memory_ends_in_a_sentence(tmp_path, place, arguments, expected):
    (tmp_path / "page.html").touch()
    if arguments[0] == "merge":
        (tmp_path / "run.ndjson").touch()
    run = start(tmp_path, *arguments, before=raising(place))
    try:
        assert run.wait(timeout=300) == 3, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    assert expected in output_of(tmp_path)
    assert "Traceback" not in output_of(tmp_path)
    assert "INTERNALERROR" not in output_of(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="processes are looked for")
def test_of_two_runs_at_once_one_has_the_record_and_both_may_have_the_cache(tensorproof, plugin, tmp_path):
    shared = f"--reference-cache={tmp_path / 'cache'}"
    folder = plugin("fake", SLOW + BACKEND)
    first = start(tmp_path, "check", "fake", "--op=sigmoid", "--op=tanh", "--record=run.ndjson", shared, plugins=folder)
    try:
        assert wait_for((tmp_path / "slow").exists), output_of(tmp_path)
        second = tensorproof("check", "fake", "--op=sigmoid", "--record=run.ndjson", shared, path=folder)
        other = tensorproof("check", "numpy", "-n0", "--op=sigmoid", "--record=other.ndjson", shared)
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=60) == 2
    finally:
        kill_all(tmp_path)
    assert (second.code, other.code) == (4, 0), second.text + other.text
    assert "another process is writing to run.ndjson" in second.text
    assert len(lines_of(tmp_path / "run.ndjson", "end")) == 1
    assert read_record(tmp_path / "run.ndjson").checks
    assert read_record(tmp_path / "other.ndjson").complete


@pytest.mark.parametrize("gone", ["full", "reader", "closed"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_run_whose_output_nobody_takes_goes_on(tmp_path, gone):
    """Its disk is full, its reader (head) has gone, or there is no output at all. A full disk has an exit code."""
    code = "import sys; from tensorproof.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "check", "numpy", "-n0", "--op=relu", "--sample=width_1", "--record=run.ndjson"]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        output = full if gone == "full" else writer
        before = partial(os.close, 1) if gone == "closed" else None
        done = subprocess.run(
            command, cwd=tmp_path, stdout=output, stderr=subprocess.PIPE, preexec_fn=before, timeout=120, check=False
        )
    os.close(writer)
    assert done.returncode == (3 if gone == "full" else 0), done.stderr
    said = b"ERROR: what was to be printed cannot be written: No space left on device\n"
    assert done.stderr == (said if gone == "full" else b"")
    assert json.loads((tmp_path / "run.ndjson").read_text().splitlines()[-1])["kind"] == "end"


def test_a_file_that_may_not_grow_ends_the_run_in_a_sentence(tmp_path):
    """The system's own limit of a file's size stands for a disk that is full, in a run without a worker."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (24000, 24000))"
    run = start(tmp_path, *RELU[:-1], "-n0", "--no-reference-cache", before=limit)
    try:
        assert run.wait(timeout=300) == 3, output_of(tmp_path)
    finally:
        kill_all(tmp_path)
    assert "the record cannot be written: File too large" in output_of(tmp_path)
    assert "Traceback" not in output_of(tmp_path)
