"""Timings and campaigns on a full disk, without a place for their record, and with a clock that jumps; two commands at once."""

import json
import signal
import sys
from pathlib import Path

import pytest
from disturbed import SLOW, kill_all, left_of, lines_of, output_of, start, wait_for
from fake_backend import BACKEND
from injection.commands import QUICK
from injection.surroundings import JUMPING, LIMIT

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")

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
    assert ("the record has no closing line" in text) is not closed
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


HELD = "another process is writing to run.ndjson"
TWICE = {
    "time": (HELD, "fake", "--op=tanh", *QUICK, "--record=run.ndjson", "--resume"),
    "fuzz": (HELD, "fake", "--source=random", "--programs=400", "--record=run.ndjson", "--resume"),
    "nightly": ("--history: another night", f"--env=fake={sys.executable}", "--history=history", "-n1", "--op=tanh", *QUICK),
}
"""What the second of two commands says, and their arguments."""


@pytest.mark.parametrize("command", TWICE)
def test_of_two_at_once_one_has_the_record_or_the_history(tensorproof, plugin, tmp_path, command):
    folder, (refusal, *arguments) = plugin("fake", SLOW + BACKEND), TWICE[command]
    first = start(tmp_path, command, *arguments, plugins=folder)
    try:
        assert wait_for((tmp_path / "slow").exists, 200), output_of(tmp_path)
        second = tensorproof(command, *arguments, path=folder)
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=60) == 2, output_of(tmp_path)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    assert second.code == 4, second.text
    assert refusal in second.text
    assert "Traceback" not in second.text
    assert command == "nightly" or len(lines_of(tmp_path / "run.ndjson", "end")) == 1
