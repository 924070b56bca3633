"""What is shown while checks run: one line in a terminal, a line for each tenth elsewhere, and each failure when it happens."""

import time
from collections import Counter
from types import SimpleNamespace

import pytest
from made_records import made_record

from tensorproof.runs.endings import frames_of_dump
from tensorproof.runs.progress import SECONDS_BETWEEN, Durations, Progress, failure_text
from tensorproof.runs.run import quick_text

CHECK = {
    "operation": "relu",
    "sample": "nan_each_lane",
    "dtype": "float32",
    "mode": "eager",
    "check": "forward",
    "message": "",
    "duration_ns": 10**9,
}
FAILED = {**CHECK, "status": "failed", "message": "relu nan_each_lane float32 y: \x1b[31mwrong"}
PASSED = {**CHECK, "status": "passed"}


def shown(live: bool, checks, planned=20, width=60) -> str:
    texts: list[str] = []
    progress = Progress(texts.append, Counter(eager=planned), lambda mode, operation: mode, width, live)
    for check in checks:
        progress._shown -= SECONDS_BETWEEN
        progress.add(check)
    progress.clear()
    return "".join(texts)


def test_a_pipe_gets_a_line_for_each_tenth_and_no_control_characters():
    text = shown(False, [PASSED] * 19 + [FAILED])
    assert text.count("\n") == 11
    assert "10 of 20 checks (50 %), 0 failed, 0:00 left\n" in text
    assert "\r" not in text
    assert "\x1b" not in text


def test_checks_of_another_kind_are_not_taken_for_as_short():
    durations = Durations()
    for _ in range(90):
        durations.add("eager", 0.1)
    assert durations.left({"eager": 10, "compile": 10}, 9.0) == (1.0, False)
    durations.add("compile", 1.0)
    seconds, whole = durations.left({"eager": 10, "compile": 9}, 10.0)
    assert whole
    assert round(seconds) == 10


def test_kinds_to_come_are_told():
    texts: list[str] = []
    progress = Progress(texts.append, Counter(eager=10, compile=1), lambda mode, operation: mode, 60, False)
    for _ in range(10):
        progress.add(PASSED)
    assert all(", more than 0:00 left\n" in text for text in texts)
    progress.add({**PASSED, "mode": "compile"})
    assert texts[-1] == "11 of 11 checks (100 %), 0 failed\n"


def test_a_terminal_gets_one_line_that_is_written_over():
    text = shown(True, [PASSED] * 20)
    assert "\n" not in text
    assert max(len(part) for part in text.split("\r")) < 60


def test_a_failure_is_named_when_it_happens_cut_to_the_width():
    first, *_ = [line for line in shown(True, [PASSED, FAILED]).split("\n") if "FAILED" in line]
    assert first.rpartition("\r")[2] == "FAILED relu nan_each_lane float32 eager forward: y: ?[31mwrong"[:59]


def test_a_log_holds_the_whole_message():
    long = {**FAILED, "message": "relu nan_each_lane float32 y: " + "wrong " * 40 + "end"}
    assert "wrong end\n" in shown(False, [long])


def test_the_line_stands_below_a_failure_whatever_the_time():
    texts: list[str] = []
    progress = Progress(texts.append, Counter(eager=20), lambda mode, operation: mode, 60, True)
    progress.add(PASSED)
    progress.add(FAILED)
    assert texts[-1].startswith("\r2 of 20 checks (10 %), 1 failed")


def test_the_line_waits_after_a_check_that_ended_its_worker():
    crashed = {**CHECK, "status": "crashed", "message": "the process ended (signal 11)"}
    assert shown(True, [PASSED, crashed]).endswith("\n"), "what xdist says of its workers follows"


def test_a_check_that_ended_its_process_is_named_by_its_kind():
    assert failure_text({**CHECK, "status": "timed_out", "message": "still running after 2 s"}).startswith("TIMED OUT relu")


DUMP = """Fatal Python error: Segmentation fault

Thread 0x0000000000000001 (most recent call first):
  File "/a/site-packages/execnet/gateway_base.py", line 5 in read

Current thread 0x0000000000000002 (most recent call first):
  File "/a/site-packages/framework/math.py", line 7 in boom
  File "/b/plugin_mine/__init__.py", line 3 in relu
  File "/c/suite/tensorproof/conformance/execution.py", line 9 in __call__
  File "/a/site-packages/_pytest/python.py", line 1 in runtest

Extension modules: numpy._core._multiarray_umath (total: 93)
"""


def test_of_a_dump_the_frames_of_framework_and_plugin_are_kept():
    assert frames_of_dump(DUMP) == "  framework/math.py:7 in boom\n  plugin_mine/__init__.py:3 in relu"


def test_a_dump_of_a_hang_names_the_thread_that_was_at_the_check():
    assert frames_of_dump(DUMP.replace("Current thread", "Thread")).startswith("  framework/math.py:7 in boom")


def test_no_dump_has_no_frames():
    assert frames_of_dump("") == ""


@pytest.mark.parametrize(("waiting", "words"), [("eager", "about"), ("compile", "more than")])
def test_a_quick_run_says_at_least_how_long_a_full_one_takes_where_a_mode_never_ran(waiting, words):
    run = SimpleNamespace(
        record=made_record(10),
        kind=lambda mode, operation: mode,
        began=time.monotonic() - 100.0,
        making_again=0.0,
        quick_left=Counter({waiting: 10}),
        options=SimpleNamespace(profile="core"),
    )
    for check in run.record.checks:
        check["mode"] = "eager"
    assert f"a full run has 10 more and takes {words} " in quick_text(run)
