"""Profiles are apart: each has its own checks, version and verdict, and what is of another is neither drawn nor declared."""

import argparse
import json
from dataclasses import replace

import pytest
from plain_options import options_of, plan_of
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.authoring.listing import add_arguments, lines_of
from tensorproof.conformance.selection import cases
from tensorproof.conformance.selection.options import command_for
from tensorproof.conformance.selection.plan import Plan, asked_for
from tensorproof.contract.description import describe
from tensorproof.errors import UsageError
from tensorproof_reference.catalogue import all_operations, specification_version
from tensorproof_reference.registry import extended_operations

DECLARED = """
[[unsupported]]
operation = "exp"
sample = "plain_values"
reason = "a test"

[[unsupported]]
operation = "relu"
sample = "plain_both_signs"
reason = "a test"
"""


def planned(tmp_path, **changes):
    path = tmp_path / "declared.toml"
    path.write_text(DECLARED, encoding="utf-8")
    description = replace(describe(SmallBackend(), None), declarations=str(path))
    return plan_of(description, KNOWN, **changes)


@pytest.mark.parametrize(
    ("profile", "expected", "declared"),
    [
        ("core", set(all_operations()), ["relu"]),
        ("extended", set(extended_operations()), ["exp"]),
        ("all", set(KNOWN), ["exp", "relu"]),
    ],
)
def test_a_plan_is_of_one_profile_or_of_all(tmp_path, profile, expected, declared):
    plan = planned(tmp_path, profile=profile)
    assert {case.operation for case in plan.cases} == {*expected, cases.ADAPTER}
    assert set(plan.left_out) <= {"scope"}
    assert [item.table["operation"] for item in plan.declarations] == declared
    assert plan.idle == []


def test_a_run_of_the_core_draws_no_sample_of_another_profile():
    def refuse(stream):
        raise AssertionError("a sample was drawn")

    known = {name: replace(item, samples=refuse) if item.profile == "extended" else item for name, item in KNOWN.items()}
    assert plan_of(describe(SmallBackend(), None), known).cases


@pytest.mark.parametrize("changes", [{}, {"quick": True}, {"profile": "all"}, {"shard": "1/2"}])
def test_a_worker_plans_the_same_cases_and_draws_samples_of_the_operations_asked_for_only(changes):
    options = options_of(op=["softmax", "lstm_gates"], **changes)
    whole = plan_of(describe(SmallBackend(), None), KNOWN, **vars(options))

    def refuse(stream):
        raise AssertionError("a sample was drawn")

    known = {name: item if name in options.op else replace(item, samples=refuse) for name, item in KNOWN.items()}
    worker = Plan(options, describe(SmallBackend(), None), known, asked_for(options, known))
    assert worker.cases == whole.cases
    assert {case.operation for case in worker.cases} == {*options.op, cases.ADAPTER}


def test_an_operation_of_another_profile_is_told_where_it_is(tmp_path):
    with pytest.raises(UsageError, match="--op: exp is of profile extended, not of core; give --profile=extended"):
        planned(tmp_path, op=["exp"])


def test_a_profile_that_is_none_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"nothing is called 'extend' \(did you mean extended\?\); there are: core, extended, all"
    ):
        planned(tmp_path, profile="extend")


def test_the_command_of_one_check_names_its_profile(tmp_path):
    plan = planned(tmp_path, profile="extended", op=["exp"])
    options = options_of(profile="extended", plugins=[], instructions=None, strict_declarations=False)
    assert all("--profile=extended" in command_for(case, options) for case in plan.cases)


@pytest.mark.parametrize(("arguments", "expected"), [([], all_operations()), (["--profile=extended"], extended_operations())])
def test_operations_are_listed_by_profile(arguments, expected):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert lines_of(parser.parse_args(["--names", *arguments])) == list(expected)


def test_a_run_has_the_version_and_the_verdict_of_its_profile(tensorproof, tmp_path):
    ran = tensorproof("check", "numpy", "--profile=extended", "--op=exp", "-n0", "--record=run.ndjson")
    assert ran.code == 0, ran.text
    assert ran.text.splitlines()[-1].startswith("profile extended: incomplete (")
    header = json.loads((tmp_path / "run.ndjson").read_text(encoding="utf-8").splitlines()[0])
    assert header["specification"] == specification_version("extended")
