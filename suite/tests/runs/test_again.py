"""A failure that depends on what ran before it in its process is told as one."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from made_records import made_record

from tensorproof.runs import again
from tensorproof.runs.again import ENOUGH, made_again
from tensorproof.runs.causes.cause import alone_text, causes_of, causes_text
from tensorproof.runs.merge import merge_records
from tensorproof.runs.records import Record, read_record
from tensorproof.runs.run import make_again
from tensorproof_reports.exports import markdown_text

FORGETFUL = """
    calls = []

    def relu(x):
        calls.append(x)
        return np.maximum(x, 0) + x.dtype.type(len(calls) > 12)

    def tanh(x):
        return np.tanh(x)

    operations = OperationTable()
    for function in (relu, tanh):
        operations.native(function)

    class Forgetful(NumpyBackend):
        name = "forgetful"
        operations = operations

    @hookimpl
    def tensorproof_backend():
        return Forgetful()
"""


def test_what_fails_only_after_calls_of_its_operation_is_told_with_the_command_that_shows_it(plugin, tensorproof, tmp_path):
    folder = plugin("forgetful", FORGETFUL)
    options = ("--op=relu", "--op=tanh", "--check=forward", "--record=run.ndjson", "-n0")
    text = tensorproof("check", "forgetful", *options, path=folder).text
    record = read_record(tmp_path / "run.ndjson")
    assert len(record.checks) >= ENOUGH
    (line,) = record.again.values()
    assert (line["alone"], line["among"]) == ("passed", "failed")
    assert line["command"] == f"tensorproof check forgetful --op=relu --dtype={line['check'].split('-')[-1][:-1]} --mode=eager"
    told = next(row for row in text.splitlines() if "passes in a process of its own" in row)
    assert told.endswith(f"fails again in: {line['command']}")
    assert told.strip() in markdown_text([record], [])


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


def test_what_fails_after_calls_of_others_only_names_no_command(record, monkeypatch):
    answers(monkeypatch, "passed", "passed")
    record.again = {line["check"]: line for line in made_again(record)}
    causes = [cause for cause in causes_of(record) if not cause["known"]]
    assert causes
    for cause in causes:
        assert alone_text(cause) == "passes in a process of its own: what ran before it matters, or it comes and goes"


@pytest.mark.parametrize("status", ["failed", "error", "crashed"])
def test_of_what_is_wrong_by_itself_nothing_is_said_and_nothing_more_is_tried(record, monkeypatch, status):
    commands = answers(monkeypatch, status, "")
    record.again = {line["check"]: line for line in made_again(record)}
    assert len(commands) == len(record.again) > 0
    assert "in a process of its own" not in "\n".join(causes_text(causes_of(record)))


def test_without_time_nothing_is_claimed(record):
    assert not list(made_again(record, limit=0.0))


@pytest.mark.parametrize(("count", "header", "ended"), [(ENOUGH - 1, {}, ""), (400, {"nodes": []}, ""), (400, {}, "interrupted")])
def test_short_runs_those_of_a_cluster_and_those_that_ended_early_make_nothing_again(monkeypatch, count, header, ended):
    commands = answers(monkeypatch, "passed", "passed")
    make_again(SimpleNamespace(ended=ended, record=made_record(count, wrong=0.1, **header)))
    assert not commands


def test_a_record_keeps_the_lines_and_a_merged_one_those_of_its_shards(monkeypatch):
    answers(monkeypatch, "passed", "failed")
    shards = [made_record(200, wrong=0.02, seed=seed, shard=f"{seed}/2") for seed in (1, 2)]
    shards[1].checks = [{**check, "sample": f"{check['sample']}_2"} for check in shards[1].checks]
    for shard in shards:
        shard.end = {"kind": "end", "finished": "2026-01-01T00:00:00+00:00"}
        shard.again = {line["check"]: line for line in made_again(shard)}
    assert merge_records(shards).again == {**shards[0].again, **shards[1].again}
