"""The suite is tested by faults: what is planted in a backend is noticed, and an unbroken backend passes everything."""

import pytest
from faults import ALL, BEYOND
from faulty import NOTICED, SPECIFICATION, SmallBackend, checks_of, first_notice
from write_fault_table import PAGE, named_in

from tensorproof.checks import STATUSES, run_check


@pytest.mark.parametrize("key", ALL)
def test_a_fault_is_noticed(key):
    assert first_notice(ALL[key]) is not None


@pytest.mark.parametrize("operation", SPECIFICATION)
def test_an_unbroken_backend_passes(operation):
    session, cases = checks_of(SmallBackend(), operation)
    results = [run_check(session, case) for case in cases]
    assert {result.case.mode for result in results} == {"none", "eager", "compiled"}
    wrong = [f"{result.case.key}: {result.message}" for result in results if result.status not in ("passed", "not_meaningful")]
    assert not wrong
    assert sum(result.status == "not_meaningful" for result in results) <= len(results) / 25


@pytest.mark.parametrize("key", BEYOND)
def test_a_fault_beyond_the_suite_is_not_noticed(key):
    found = first_notice(BEYOND[key])
    assert found is None, f"noticed now: move it to the faults that have to be ({found.case.key}: {found.message})"


def test_every_operation_has_faults_in_value_and_gradient():
    for name, operation in SPECIFICATION.items():
        faults = [fault for fault in ALL.values() if fault.operation == name]
        assert any(fault.function for fault in faults), name
        assert not operation.vjp or any(fault.vjp or fault.backend is not SmallBackend for fault in faults), name


def test_every_status_that_notices_is_one_of_the_suite():
    assert set(NOTICED) <= set(STATUSES)


def test_the_page_names_the_faults_that_there_are():
    assert named_in(PAGE.read_text(encoding="utf-8")) == [*ALL, *BEYOND], "out of date: python suite/tests/write_fault_table.py"
