"""The suite is tested by faults: what is planted in a backend is noticed, and an unbroken backend passes everything."""

import pytest
from faults import ALL, BEYOND, EXTENDED
from faulty import NOTICED, Fault, checks_of, first_notice, right_vjp
from small_backend import SmallBackend
from small_operations import SPECIFICATION
from write_fault_table import PAGES, named_in

from tensorproof.conformance.checks import STATUSES, run_check
from tensorproof.conformance.selection.cases import EXPENSIVE, samples_of
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.networks.evaluation import is_large
from tensorproof_reference.registry import basic_operations, extended_operations

SMALL = [name for name, operation in SPECIFICATION.items() if not (operation.model and is_large(operation.model))]
"""All operations but the large models, whose checks would take minutes."""


@pytest.mark.parametrize("key", ALL)
def test_a_fault_is_noticed(key):
    found = first_notice(ALL[key])
    assert found is not None
    # The faults in models are planted by hand, step by step: an exception would be a slip of the hand.
    assert found.status == "failed" or not SPECIFICATION[ALL[key].operation].model


@pytest.mark.parametrize("key", EXTENDED)
def test_a_fault_in_a_primitive_is_noticed(key):
    found = first_notice(EXTENDED[key])
    assert found is not None
    assert found.status == "failed", found.message


def _repeats(case):
    """Whether a check does again what another does: the compiler replays the same functions in each dtype, and the largest
    samples take minutes in more than one dtype and mode."""
    if _is_expensive(case):
        return case.dtype != "float32" or case.mode == "compiled"
    return case.dtype != "float32" and case.mode == "compiled"


def _is_expensive(case):
    return case.sample.startswith(EXPENSIVE)


def _wrong(results):
    return [f"{result.case.key}: {result.message}" for result in results if result.status not in ("passed", "not_meaningful")]


@pytest.mark.parametrize("dtypes", ["float32", pytest.param("all", marks=pytest.mark.long)])
@pytest.mark.parametrize("operation", [*SMALL, *extended_operations()])
def test_an_unbroken_backend_passes(operation, dtypes):
    session, cases = checks_of(SmallBackend(), operation)
    chosen = [case for case in cases if dtypes == "all" or case.dtype in ("none", dtypes)]
    results = [run_check(session, case) for case in chosen if not (_repeats(case) or _is_expensive(case))]
    assert {result.case.mode for result in results} == {"none", "eager", "compiled"}
    assert not _wrong(results)
    assert sum(result.status == "not_meaningful" for result in results) <= len(results) / 25


WITH_EXPENSIVE = [
    name
    for name in [*SMALL, *extended_operations()]
    if any(sample.startswith(EXPENSIVE) for sample in samples_of(known_operations()[name], 0))
]


@pytest.mark.long
@pytest.mark.parametrize("operation", WITH_EXPENSIVE)
def test_an_unbroken_backend_passes_the_expensive_samples(operation):
    session, cases = checks_of(SmallBackend(), operation)
    results = [run_check(session, case) for case in cases if _is_expensive(case) and not _repeats(case)]
    assert results
    assert not _wrong(results)


@pytest.mark.parametrize("key", BEYOND)
def test_a_fault_beyond_the_suite_is_not_noticed(key):
    found = first_notice(BEYOND[key])
    assert found is None, f"noticed now: move it to the faults that have to be ({found.case.key}: {found.message})"


def test_every_operation_has_faults_in_value_and_gradient():
    for name in basic_operations():
        operation = SPECIFICATION[name]
        faults = [fault for fault in ALL.values() if fault.operation == name]
        assert any(fault.function for fault in faults), name
        assert not operation.vjp or any(fault.vjp or fault.backend is not SmallBackend for fault in faults), name


def test_every_primitive_has_two_faults_and_one_in_the_gradient_if_it_has_one():
    for name, operation in extended_operations().items():
        faults = [fault for fault in EXTENDED.values() if fault.operation == name]
        assert len(faults) >= 2, name
        assert any(fault.function for fault in faults), name
        assert not operation.vjp or any(fault.vjp for fault in faults), name


@pytest.mark.parametrize("family", ["model", "training", "fitting"])
def test_models_have_faults_in_output_training_and_fitting(family):
    operations = [name for name, operation in SPECIFICATION.items() if operation.family == family]
    planted = [fault for fault in ALL.values() if fault.operation in operations]
    assert len(planted) >= 10
    assert len({fault.operation for fault in planted}) >= 5


def test_models_have_no_implementation_of_their_own_in_the_small_framework():
    table = SmallBackend().operations.implementations
    assert not [name for name in table if known_operations()[name].model]


@pytest.mark.parametrize("operation", ["feedforward", "feedforward_training", "feedforward_fitting"])
def test_a_fault_in_an_operation_is_noticed_in_models_that_have_it_as_a_layer(operation):
    def half_the_gradient(dy, x):
        return {"x": 0.5 * right_vjp("sigmoid", dy, x)["x"]}

    fault = Fault(name="half_the_gradient", operation="sigmoid", group="plain", vjp=half_the_gradient)
    session, cases = checks_of(SmallBackend(fault), operation)
    assert any(run_check(session, case).status == "failed" for case in cases if case.dtype == "float64")


def test_every_status_that_notices_is_one_of_the_suite():
    assert set(NOTICED) <= set(STATUSES)


def test_the_page_names_the_faults_that_there_are():
    for profile, keys in (("core", [*ALL, *BEYOND]), ("extended", [*EXTENDED])):
        named = named_in(PAGES[profile].read_text(encoding="utf-8"))
        assert named == keys, f"out of date: python suite/tests/write_fault_table.py {profile}"
