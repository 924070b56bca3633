"""``time``, ``fuzz`` and ``nightly`` on a full and a read-only disk, with a clock that jumps, and two of them at once."""

import json
import signal
import sys
from pathlib import Path

import pytest
from disturbed import SLOW, kill_all, left_of, lines_of, output_of, start, wait_for
from fake_backend import BACKEND
from injection.surroundings import JUMPING, LIMIT

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")

QUICK = ("--workload=S", "--dtype=float32", "--launches=1", "--rounds=6", "--series-seconds=0.1")
COMMANDS = {
    "timing": ("time", "numpy", "--op=relu", "--op=tanh", *QUICK, "--record=run.ndjson", "--report=page.html"),
    "program": ("fuzz", "numpy", "--source=random", "--programs=6", "--record=run.ndjson"),
}
"""By the kind of the lines that they write."""


def ended(folder: Path, *arguments: str, before: str = "") -> tuple[int, str]:
    """Exit code and output of a command after which nothing runs on."""
    run = start(folder, *arguments, before=before)
    try:
        code = run.wait(timeout=300)
        assert left_of(folder) == {}
    finally:
        kill_all(folder)
    text = output_of(folder)
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    return code, text


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_disk_that_is_full_in_the_middle_ends_the_command_in_a_sentence_with_what_there_is(tmp_path, kind, closed):
    code, text = ended(tmp_path, *COMMANDS[kind], before=LIMIT.format(lines=3, closed=closed))
    assert code == 3, text
    assert "the record cannot be written: No space left on device" in text
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "run.ndjson").read_text().splitlines()]
    assert "()" not in text
    assert kinds[2:] == [kind, *(["end"] if closed else [])], text


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_record_that_cannot_be_written_is_told_before_anything_begins(tmp_path, kind):
    """The kernel's own folder takes no file, not even from root."""
    arguments = [argument.replace("run.ndjson", "/proc/run.ndjson") for argument in COMMANDS[kind]]
    code, text = ended(tmp_path, *arguments)
    assert code == 4, text
    assert len([line for line in text.splitlines() if line.strip()]) == 1
    assert "run.ndjson" in text


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_clock_that_jumps_costs_nothing(tmp_path, kind):
    code, text = ended(tmp_path, *COMMANDS[kind], before=JUMPING)
    assert code == 0, text
    planned = json.loads((tmp_path / "run.ndjson").read_text().splitlines()[0])["planned"]
    assert len(lines_of(tmp_path / "run.ndjson", kind)) == planned


@pytest.mark.parametrize("command", ["time", "fuzz"])
def test_of_two_at_once_one_has_the_record(tensorproof, plugin, tmp_path, command):
    folder = plugin("fake", SLOW + BACKEND)
    chosen = ("--op=tanh", *QUICK) if command == "time" else ("--source=random", "--programs=400")
    arguments = (command, "fake", *chosen, "--record=run.ndjson")
    first = start(tmp_path, *arguments, plugins=folder)
    try:
        assert wait_for((tmp_path / "slow").exists, 200), output_of(tmp_path)
        second = tensorproof(*arguments, "--resume", path=folder)
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=60) == 2, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    assert second.code == 4, second.text
    assert "another process is writing to run.ndjson" in second.text
    assert len(lines_of(tmp_path / "run.ndjson", "end")) == 1


def test_of_two_nights_at_once_one_has_the_history(tensorproof, plugin, tmp_path):
    folder = plugin("fake", SLOW + BACKEND)
    arguments = ("nightly", f"--env=fake={sys.executable}", "--history=history", "-n1", "--op=tanh", *QUICK)
    first = start(tmp_path, *arguments, plugins=folder)
    try:
        assert wait_for((tmp_path / "slow").exists, 200), output_of(tmp_path)
        second = tensorproof(*arguments, path=folder)
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=60) == 2, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    assert second.code == 4, second.text
    assert "Traceback" not in second.text
