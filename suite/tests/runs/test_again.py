"""A failure that depends on what ran before it in its process is told as one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from made_records import made_record

from tensorproof.runs import again
from tensorproof.runs.again import made_again
from tensorproof.runs.causes.cause import alone_lines, causes_of, causes_text
from tensorproof.runs.merge import merge_records
from tensorproof.runs.records import Record, read_record
from tensorproof.runs.run import INTERRUPTED, MADE_BEFORE, make_again
from tensorproof_reports.exports import markdown_text

BACKEND = """
    from pathlib import Path

    calls = []

    def relu(x):
        calls.append(x)
        {body}

    def tanh(x):
        return np.tanh(x)

    operations = OperationTable()
    for function in (relu, tanh):
        operations.native(function)

    class Odd(NumpyBackend):
        name = "odd"
        operations = operations

    @hookimpl
    def tensorproof_backend():
        return Odd()
"""
FORGETFUL = "return np.maximum(x, 0) + x.dtype.type(len(calls) > 12)"
SLOW_THE_SECOND_TIME = """
        if len(os.environ["TENSORPROOF_RUN"].split(",")) > 1:  # in a run that another one started
            Path("waiting").touch()
            time.sleep(60)
        return x
"""


def test_what_fails_only_after_calls_of_its_operation_is_told_with_the_command_that_shows_it(plugin, tensorproof, tmp_path):
    folder = plugin("odd", BACKEND.format(body=FORGETFUL))
    options = ("--op=relu", "--op=tanh", "--check=forward", "--record=run.ndjson", "-n0")
    text = tensorproof("check", "odd", *options, path=folder).text
    record = read_record(tmp_path / "run.ndjson")
    assert len(record.checks) >= MADE_BEFORE
    (line,) = record.again.values()
    assert (line["alone"], line["among"]) == ("passed", "failed")
    assert line["command"] == f"tensorproof check odd --op=relu --dtype={line['check'].split('-')[-1][:-1]} --mode=eager"
    told = [
        "passes in a process of its own: what ran before it matters, or it comes and goes",
        f"fails again in: {line['command']}",
    ]
    rows = [row.strip() for row in text.splitlines()]
    assert rows[rows.index(told[0]) + 1] == told[1]
    assert "; ".join(told) in markdown_text([record], [])


@pytest.fixture
def record() -> Record:
    return made_record(400, wrong=0.01)


def answers(monkeypatch: pytest.MonkeyPatch, alone: str, among: str) -> list[list[str]]:
    """Let runs in processes of their own end so; returns their commands as they come."""
    commands: list[list[str]] = []

    def status_of(key: str, command: Sequence[str], until: float) -> str:
        commands.append(list(command))
        return alone if any(word.startswith("--sample=") for word in command) else among

    monkeypatch.setattr(again, "_status_of", status_of)
    return commands


def made(record: Record) -> dict[str, dict[str, Any]]:
    """What comes of the causes of a record, by check."""
    return {line["check"]: line for line in made_again([cause for cause in causes_of(record) if not cause["known"]])}


def test_what_fails_after_calls_of_others_only_names_no_command(record, monkeypatch):
    answers(monkeypatch, "passed", "passed")
    record.again = made(record)
    causes = [cause for cause in causes_of(record) if not cause["known"]]
    assert causes
    for cause in causes:
        assert alone_lines(cause) == ["passes in a process of its own: what ran before it matters, or it comes and goes"]


@pytest.mark.parametrize("status", ["failed", "error", "crashed"])
def test_of_what_is_wrong_by_itself_nothing_is_said_and_nothing_more_is_tried(record, monkeypatch, status):
    commands = answers(monkeypatch, status, "")
    record.again = made(record)
    assert len(commands) == len(record.again) > 0
    assert "in a process of its own" not in "\n".join(causes_text(causes_of(record)))


def test_without_time_nothing_is_claimed(record):
    assert not list(made_again(causes_of(record), limit=0.0))


def said_by(record: Record, **others: Any) -> list[str]:
    """What a run with this record says when it makes its cases again."""
    said: list[str] = []
    run = {"record": record, "ended": "", "options": SimpleNamespace(time_budget=None), "making_again": 0.0, **others}
    make_again(SimpleNamespace(**run), said.append)
    return said


@pytest.mark.parametrize(
    ("count", "header", "others"),
    [
        (MADE_BEFORE - 1, {}, {}),
        (400, {"nodes": []}, {}),
        (400, {}, {"ended": "interrupted"}),
        (400, {}, {"options": SimpleNamespace(time_budget=60.0)}),
    ],
)
def test_short_limited_and_ended_runs_and_those_of_a_cluster_make_nothing_again(monkeypatch, count, header, others):
    commands = answers(monkeypatch, "passed", "passed")
    assert not said_by(made_record(count, wrong=0.1, **header), **others)
    assert not commands


def test_a_run_without_a_failure_says_nothing():
    assert not said_by(made_record(400))


def test_a_run_says_what_it_does_and_keeps_what_came_of_it(record, monkeypatch):
    answers(monkeypatch, "passed", "")
    assert said_by(record) == ["each smallest case again, in a process of its own; 60 s at most"]
    assert any(alone_lines(cause) for cause in causes_of(record))


def test_a_record_keeps_the_lines_and_a_merged_one_those_of_its_shards(monkeypatch):
    answers(monkeypatch, "passed", "failed")
    shards = [made_record(200, wrong=0.02, seed=seed, shard=f"{seed}/2") for seed in (1, 2)]
    shards[1].checks = [{**check, "sample": f"{check['sample']}_2"} for check in shards[1].checks]
    for shard in shards:
        shard.end = {"kind": "end", "finished": "2026-01-01T00:00:00+00:00"}
        shard.again = made(shard)
    assert merge_records(shards).again == {**shards[0].again, **shards[1].again}


def test_who_waits_no_longer_gets_what_was_made(plugin, tmp_path):
    folder = plugin("odd", BACKEND.format(body=SLOW_THE_SECOND_TIME))
    words = ["check", "odd", "--op=relu", "--op=tanh", "--record=run.ndjson", "-n0"]
    command = [sys.executable, "-c", "import sys; from tensorproof.cli import main; sys.exit(main())", *words]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    said = tmp_path / "said.txt"
    with said.open("w") as output, subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=output) as run:
        until = time.monotonic() + 60
        while not (tmp_path / "waiting").exists() and time.monotonic() < until:
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=60) == INTERRUPTED
    assert (tmp_path / "waiting").exists()
    assert read_record(tmp_path / "run.ndjson").complete
    assert "cause of what is wrong" in said.read_text()
