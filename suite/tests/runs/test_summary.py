"""The verdict for the profile, from raw outcomes."""

import pytest

from tensorproof.conformance.selection.cases import samples_of
from tensorproof.contract.backends import specification
from tensorproof.runs.records import Record
from tensorproof.runs.summary import table_text, verdict

HEADER = {"seed": 0, "declarations": [], "left_out": {}, "planned": 0, "options": {"profile": "core"}}


def record(*checks: tuple[str, str, str], **header: object) -> Record:
    lines = [
        {"check": "forward", "operation": operation, "sample": sample, "status": status, "required": True, "mode": "eager"}
        for operation, sample, status in checks
    ]
    return Record({**HEADER, "planned": len(lines), **header}, lines, end={})


def samples(count_padding: bool) -> list[str]:

    operation = specification()["average_pool2d"]
    return [
        name for name, sample in samples_of(operation, 0).items() if sample.keywords.get("count_padding", False) is count_padding
    ]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("passed", "conforms"),
        ("not_meaningful", "conforms"),
        ("failed", "does not conform"),
        ("known_failure", "does not conform"),
        ("error", "does not conform"),
        ("crashed", "does not conform"),
        ("fell_back", "does not conform"),
        ("unsupported", "does not conform"),
        ("not_run", "incomplete"),
    ],
)
def test_one_required_check_decides(status, word):
    assert verdict(record(("tanh", "plain_both_signs", "passed"), ("tanh", "size_large", status)))["word"] == word


def test_optional_checks_do_not_count():
    run = record(("tanh", "size_large", "failed"), ("tanh", "plain_both_signs", "passed"))
    run.checks[0]["required"] = False
    assert verdict(run)["word"] == "conforms"


@pytest.mark.parametrize("header", [{"planned": 9}, {"left_out": {"shard": 3}}, {"left_out": {"selection": 3}}])
def test_what_was_not_run_makes_it_incomplete(header):
    assert verdict(record(("tanh", "plain_both_signs", "passed"), **header))["word"] == "incomplete"


def test_a_convention_that_is_lacking_is_excused_by_another_that_is_offered():
    without, counted = samples(False), samples(True)
    run = record(("average_pool2d", without[0], "passed"), ("average_pool2d", counted[0], "unsupported"))
    assert verdict(run)["word"] == "conforms"
    assert verdict(run)["excused"] == 1


def test_no_convention_offered_excuses_nothing():
    without, counted = samples(False), samples(True)
    run = record(("average_pool2d", without[0], "unsupported"), ("average_pool2d", counted[0], "unsupported"))
    assert verdict(run)["word"] == "does not conform"


def test_a_wrong_convention_excuses_nothing():
    without, counted = samples(False), samples(True)
    run = record(("average_pool2d", without[0], "failed"), ("average_pool2d", counted[0], "unsupported"))
    assert verdict(run)["unsupported"] == 1


def test_a_limit_within_a_convention_that_is_offered_counts():
    without, counted = samples(False), samples(True)
    run = record(
        ("average_pool2d", without[0], "passed"),
        ("average_pool2d", without[1], "unsupported"),
        ("average_pool2d", counted[0], "passed"),
    )
    assert verdict(run)["word"] == "does not conform"
    assert verdict(run)["excused"] == 0


def test_the_suites_own_time_is_that_of_checks_that_ran_to_their_end():
    times = {
        "passed": 5,
        "failed": 7,
        "unsupported": 90,
        "not_run": 90,
        "timed_out": 90_000,
        "crashed": 90_000,
        "out_of_memory": 90_000,
    }
    run = record(*(("tanh", "size_large", status) for status in times))
    for check, milliseconds in zip(run.checks, times.values(), strict=True):
        check.update(
            duration_ns=milliseconds * 1_000_000,
            framework_ns=1_000_000,
            dtype="float32",
            message="",
            findings=[],
            command="",
            declaration="",
            traceback="",
        )
    run.header.update(backend="made_up", device="cpu")
    assert "time: framework and compilers 0.0 s, reference and verdict 0.0 s (5.00 ms a check)" in table_text(run, [])
