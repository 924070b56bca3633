"""``tensorproof verify`` notices what is altered in a statement, and agrees with one that is not."""

import copy
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import made_lines
import pytest

from tensorproof.cli import main
from tensorproof.conformance.selection.cases import adapter_cases, all_cases
from tensorproof.contract.backends import specification
from tensorproof.contract.description import Description
from tensorproof.statements import verification
from tensorproof.statements.known_faults import known_faults
from tensorproof.statements.verification import (
    contradictions,
    differences,
    differences_from_here,
    differences_from_plan,
    drawn,
    verify,
)
from tensorproof_reference.catalogue import of_profile

OPERATION = {
    "required": {"passed": 2, "failed": 1},
    "optional": {"passed": 1},
    "conforms": [],
    "checks": "a" * 16,
    "inputs": "b" * 16,
}
KNOWN = len(known_faults("core"))
STATEMENT = {
    "precision": [],
    "tensorproof": "0.1.0",
    "specification": {"version": "1.1", "frozen": ""},
    "seed": 1,
    "backend": "mine",
    "device": "cpu",
    "instructions": "avx2",
    "dtypes": ["float32"],
    "modes": ["eager"],
    "versions": {"mine": "1.0"},
    "thorough": False,
    "verdict": "does not conform",
    "required": {"passed": 4, "failed": 2},
    "optional": {"passed": 2},
    "profile": "core",
    "operations": {"relu": OPERATION, "tanh": OPERATION},
    "causes": [{}],
    "faults": {"known": KNOWN, "noticed": 0},
}
DESCRIPTION = Description(
    *("mine", "cpu", ("float32",), {"eager": "all"}, {}, {}, {"mine": "1.0"}, {}, {}, None), kernels={"kernels": "avx2"}
)


def altered(**changes):
    return {**copy.deepcopy(STATEMENT), **changes}


@pytest.fixture
def here(monkeypatch) -> None:
    """The statement is about what is installed, and its numbers of checks are the specification's."""
    monkeypatch.setattr(verification, "specification_version", lambda profile: "1.1")
    monkeypatch.setattr(verification.tensorproof, "__version__", "0.1.0")
    monkeypatch.setattr(verification, "describe_apart", lambda name, device, modules: DESCRIPTION)
    monkeypatch.setattr(verification, "differences_from_plan", lambda statement, description, declarations: [])
    monkeypatch.setattr(verification, "run_again", lambda statement, operations, arguments: dict.fromkeys(operations, OPERATION))


def test_an_honest_statement_agrees(here):
    assert verify(STATEMENT, 1, random.Random(0))[0] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"required": {"passed": 6}}, "required: the total is"),
        ({"optional": {"passed": 3}}, "optional: the total is"),
        ({"verdict": "conforms"}, "its counts give 'does not conform'"),
        ({"causes": []}, "no cause is named"),
        ({"faults": {"known": KNOWN, "noticed": KNOWN}}, "can be noticed in these dtypes"),
        ({"faults": {"known": 1, "noticed": 0}}, "faults: it says"),
    ],
)
def test_a_contradiction_is_noticed_without_a_run(change, expected):
    assert expected in contradictions(altered(**change))[0]


def test_a_statement_that_adds_up_contradicts_nothing():
    assert contradictions(STATEMENT) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"versions": {"mine": "2.0"}}, "versions: the statement says {'mine': '2.0'}"),
        ({"tensorproof": "9.9"}, "tensorproof: the statement says 9.9"),
        ({"specification": {"version": "2.2", "frozen": ""}}, "specification: the statement says"),
        ({"specification": {"version": "1.1", "frozen": "core 1.0 (2026-12)"}}, "specification: the statement says"),
        ({"instructions": "avx512"}, "instructions: the statement says avx512, here it is avx2"),
        ({"dtypes": ["float64", "float32"]}, "dtypes: the statement says"),
    ],
)
def test_another_version_is_noticed(here, change, expected):
    assert differences_from_here(altered(**change), DESCRIPTION)[0].startswith(expected)


def test_a_thorough_statement_is_about_variants_of_modes_too(here):
    description, modes = replace(DESCRIPTION, variants={"eager:other": "all"}), ["eager", "eager:other"]
    assert differences_from_here(STATEMENT, description) == []
    assert differences_from_here(altered(thorough=True, modes=modes), description) == []
    assert differences_from_here(altered(thorough=True), description) == [
        f"modes: the statement says ['eager'], here it is {modes}"
    ]


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("required", {"passed": 3}, "relu: required: the statement says 3 passed; it is 1 failed, 2 passed"),
        ("optional", {"passed": 0}, "relu: optional: the statement says 0 passed; it is 1 passed"),
        ("inputs", "c" * 16, "relu: the inputs are others"),
        ("checks", "c" * 16, "relu: other checks pass than the statement says"),
    ],
)
def test_an_altered_count_or_hash_is_noticed_when_the_operation_is_run_again(part, value, expected):
    statement = altered()
    statement["operations"]["relu"] = {**OPERATION, part: value}
    found = differences(statement, {"relu": OPERATION, "tanh": OPERATION})
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_draw_is_random_repeats_from_a_word_and_never_takes_what_was_not_tried():
    untried = {**OPERATION, "required": {"unsupported": 3}, "optional": {}}
    operations = {**{f"operation_{number}": OPERATION for number in range(50)}, "missing": untried}
    operations["adapter"] = OPERATION
    statement = altered(operations=operations)
    assert drawn(statement, 5, random.Random("word")) == drawn(statement, 5, random.Random("word"))
    assert drawn(statement, 5, random.Random("word")) != drawn(statement, 5, random.Random("another"))
    assert {"missing", "adapter"}.isdisjoint(drawn(statement, 52, random.Random(0)))


def test_another_number_of_checks_than_the_specification_has_is_noticed():
    description = Description("any", "cpu", ("float32",), {"eager": "spread"}, {}, {}, {}, {}, {}, None)
    known = specification()
    everything = [*adapter_cases(description, ()), *all_cases(description, of_profile(known, "core"), 0)]
    cases = Counter(case.operation for case in everything if case.by_default)
    operations = {name: {"required": {"passed": count}, "optional": {}} for name, count in cases.items()}
    statement = altered(seed=0, operations=operations)
    assert differences_from_plan(statement, description, []) == []
    operations["relu"] = {"required": {"passed": 999}, "optional": {}}
    del operations["tanh"]
    assert [line.partition(":")[0] for line in differences_from_plan(statement, description, [])] == ["relu", "tanh"]


def test_a_statement_of_a_record_agrees_when_it_is_run_again_and_an_altered_one_does_not(
    tensorproof, tmp_path: Path, monkeypatch, capsys
):
    made = tensorproof("check", "numpy", "--op=tanh", "--check=forward", "-n0", "--record=part.ndjson")
    assert made.code == 0, made.text
    header, *checks, end = map(json.loads, (tmp_path / "part.ndjson").read_text(encoding="utf-8").splitlines())
    del end["sha256"]
    # A record of one operation's values stands for a whole run, which takes minutes.
    made_lines.write(tmp_path / "whole.ndjson", [{**header, "left_out": {}}, *checks, end])
    stated = tensorproof("statement", "whole.ndjson", "-o", "statement.json", "--page=page.html", "--badge=badge.svg")
    assert stated.code == 0, stated.text
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "badge.svg").exists()
    monkeypatch.setattr(verification, "differences_from_plan", lambda statement, description, declarations: [])
    again = verification.run_again
    monkeypatch.setattr(
        verification, "run_again", lambda statement, operations, arguments: again(statement, operations, ["--check=forward"])
    )
    statement = json.loads((tmp_path / "statement.json").read_text(encoding="utf-8"))
    assert main(["verify", str(tmp_path / "statement.json")]) == 0
    assert capsys.readouterr().out.startswith("agrees; ")
    statement["operations"]["tanh"]["checks"] = "0" * 16
    (tmp_path / "altered.json").write_text(json.dumps(statement), encoding="utf-8")
    assert main(["verify", str(tmp_path / "altered.json")]) == 1
    assert "tanh: other checks pass than the statement says" in capsys.readouterr().out
