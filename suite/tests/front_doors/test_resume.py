"""``check --resume`` goes on with the record of a run that was killed, and with no other."""

import json
from pathlib import Path

import pytest

CHOSEN = ("check", "numpy", "-n0", "--op=tanh", "--check=forward", "--record=run.ndjson")


@pytest.fixture
def killed(tensorproof, tmp_path: Path) -> tuple[list[str], list[str]]:
    """The lines of a whole run, and those that are left of it in the record: it was killed in the middle of the tenth."""
    assert tensorproof(*CHOSEN).code == 0
    record = tmp_path / "run.ndjson"
    lines = record.read_text().splitlines()
    record.write_text("\n".join([*lines[:9], lines[9][:40]]))
    return lines, lines[:9]


def keys(lines: list[str]) -> list[tuple[str, ...]]:
    checks = [line for line in map(json.loads, lines) if line["kind"] == "check"]
    return [tuple(str(line[name]) for name in ("check", "operation", "sample", "dtype", "mode")) for line in checks]


def test_a_killed_run_goes_on_with_what_is_left_and_ends_as_a_whole_one(tensorproof, killed, tmp_path):
    lines, left = killed
    outcome = tensorproof(*CHOSEN, "--resume")
    assert outcome.code == 0, outcome.text
    resumed = (tmp_path / "run.ndjson").read_text().splitlines()
    assert resumed[: len(left)] == left
    assert keys(resumed) == keys(lines)
    assert json.loads(resumed[-1])["counts"] == json.loads(lines[-1])["counts"]


def test_a_run_that_ended_and_one_with_other_options_are_not_gone_on_with(tensorproof, killed, tmp_path):
    outcome = tensorproof(*CHOSEN, "--seed=1", "--resume")
    assert outcome.code == 4
    assert "--resume: run.ndjson is of another run: " in outcome.text
    assert (tmp_path / "run.ndjson").read_text().splitlines()[:9] == killed[1]
    (tmp_path / "run.ndjson").write_text("\n".join(killed[0]) + "\n")
    outcome = tensorproof(*CHOSEN, "--resume")
    assert outcome.code == 4
    assert "has ended already" in outcome.text


def test_without_a_record_to_go_on_with_the_run_begins(tensorproof, tmp_path):
    outcome = tensorproof(*CHOSEN, "--resume")
    assert outcome.code == 0, outcome.text
    assert json.loads((tmp_path / "run.ndjson").read_text().splitlines()[-1])["kind"] == "end"
