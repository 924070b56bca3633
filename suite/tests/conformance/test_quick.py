"""``--quick``: its set is fresh and notices what it claims, and a quick run says what it is."""

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from faults import ALL, OF_PROFILE
from faulty import NOTICED, checks_of
from small_backend import SmallBackend
from small_operations import KNOWN, SPECIFICATION
from write_quick_set import NOTICES, PAGES

from tensorproof.conformance.checks import run_check
from tensorproof.conformance.selection.cases import all_cases
from tensorproof.conformance.selection.options import selection_of
from tensorproof.conformance.selection.quick import parsed, quick_cases, quick_set, share_text
from tensorproof.contract.description import describe
from tensorproof.errors import UsageError
from tensorproof.runs.baseline import compare
from tensorproof.runs.records import Record
from tensorproof_reference.catalogue import of_profile, specification_version

PROFILES = list(OF_PROFILE)
NOTICED_LINES = {
    profile: [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] for profile, path in NOTICES.items()
}
"""Fault, how many checks of the set notice it on compiling and on eager backends, and one of them."""
SAMPLE = random.Random(0).sample(
    [(profile, *line) for profile, lines in NOTICED_LINES.items() for line in lines if len(line) > 3], 50
)
DESCRIPTION = describe(SmallBackend(), None)
EVERYTHING = list(all_cases(DESCRIPTION, SPECIFICATION, 0))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_set_is_of_the_faults_and_the_specification_that_there_are(profile):
    chosen = quick_set(profile)
    faults = list(OF_PROFILE[profile])
    assert [line[0] for line in NOTICED_LINES[profile]] == faults, f"out of date: python suite/tests/write_quick_set.py {profile}"
    assert (chosen.faults, chosen.specification) == (len(faults), specification_version(profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_share_claimed_is_that_of_the_faults_listed(profile):
    chosen, lines = quick_set(profile), NOTICED_LINES[profile]
    assert chosen.noticed == sum(int(line[2]) > 0 for line in lines)
    assert chosen.noticed_compiled == sum(int(line[1]) > 0 for line in lines)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_set_for_eager_backends_notices_19_of_20_faults(profile):
    assert quick_set(profile).noticed >= 0.95 * len(OF_PROFILE[profile])


@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_is_a_check_of_the_specification(profile):
    operations = of_profile(KNOWN, profile)
    known = {(case.operation, case.sample, case.dtype, case.check) for case in all_cases(DESCRIPTION, operations, 0)}
    chosen = quick_set(profile)
    assert not (chosen.first | chosen.eager | chosen.compiled) - known
    assert chosen.operations == set(operations)


def test_the_set_of_all_profiles_is_that_of_each():
    both = quick_set("all")
    assert both.faults == sum(map(len, OF_PROFILE.values()))
    assert both.operations == set(KNOWN)


def test_no_share_is_claimed_of_a_profile_from_outside():
    assert share_text(quick_set("somebody_elses"), "eager").startswith("is the plain samples")


@pytest.mark.parametrize("line", SAMPLE, ids=lambda line: line[1])
def test_a_fault_is_noticed_by_the_check_that_is_said_to(line):
    profile, key, _, _, mode, *named = line
    fault = OF_PROFILE[profile][key]
    session, cases = checks_of(fault.backend(fault), fault.operation)
    asked = quick_cases(cases, DESCRIPTION, quick_set(profile))
    # All that the set asks for before it run too: a fault may show only after other checks.
    run = [case for case in cases if case in asked and case.check != "declared" and (case.mode == "eager") == (mode == "first")]
    statuses = {(case.sample, case.dtype, case.check): run_check(session, case).status for case in run}
    assert statuses[tuple(named)] in NOTICED


def test_an_operation_of_a_third_party_runs_its_plain_samples():
    others = [replace(case, operation="third_party") for case in EVERYTHING if case.operation == "relu"]
    found = quick_cases(others, DESCRIPTION, quick_set("core"))
    assert {(case.mode, case.dtype) for case in found} == {("eager", "float32"), ("none", "none")}
    assert {case.sample.split("_")[0] for case in found} == {"plain", "none"}


def test_rows_for_eager_backends_are_left_out_where_every_call_compiles():
    row = ("relu", "made_up", "float32", "forward")
    chosen = parsed("\n".join([PAGES["core"].read_text(encoding="utf-8").rstrip(), "\t".join(("eager", *row)), ""]))
    left_out = chosen.in_first_mode("eager") - chosen.in_first_mode("jit")
    assert left_out == chosen.eager
    assert row in left_out


def test_quick_and_thorough_exclude_each_other():
    options = SimpleNamespace(
        **{name: [] for name in ("op", "sample", "dtype", "mode", "check")},
        seed=0,
        time_budget=None,
        check_timeout=1.0,
        profile="core",
        shard=None,
        quick=True,
        thorough=True,
    )
    with pytest.raises(UsageError, match="--quick: not together with --thorough"):
        selection_of(options, DESCRIPTION, SPECIFICATION, [])


def test_quick_runs_and_its_verdict_is_incomplete(tensorproof):
    done = tensorproof("check", "numpy", "--quick", "--op=relu", "-n0")
    assert done.code == 0, done.text
    assert "outside the quick set" in done.text
    assert "profile core: incomplete" in done.text
    assert f"of {len(ALL)} planted faults" in done.text


def _record(quick: bool, checks: dict[str, str]) -> Record:
    lines = [
        {
            "check": "forward",
            "mode": "eager",
            "operation": "relu",
            "sample": name,
            "dtype": "float32",
            "status": status,
            "message": "",
        }
        for name, status in checks.items()
    ]
    header = {
        "backend": "numpy",
        "versions": {},
        "modes": {"eager": "all"},
        "options": {"quick": quick, "profile": "core"},
        "planned": len(lines),
    }
    return Record(header, lines)


def test_a_quick_run_is_compared_with_a_full_one_only_in_what_it_planned():
    row = next(row for row in sorted(quick_set("core").first) if row[0] == "relu" and row[2:] == ("float32", "forward"))
    full = _record(False, {row[1]: "passed", "left_out_by_quick": "passed"})
    comparison = compare(full, _record(True, {row[1]: "passed"}))
    assert (comparison.missing, comparison.exit_code) == ((), 0)
    assert "--quick: only its 1 checks are compared" in comparison.line
    assert len(compare(full, _record(True, {})).missing) == 1
    later = _record(False, {row[1]: "failed", "left_out_by_quick": "failed"})
    assert len(compare(_record(True, {row[1]: "passed"}), later).new_failures) == 1


def test_a_malformed_file_is_an_error():
    with pytest.raises(ValueError, match="unpack"):
        parsed(f"{PAGES['core'].read_text(encoding='utf-8')}first\trelu\n")
