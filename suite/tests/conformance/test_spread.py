"""The spread, which compilers that are paid dearly get, and the samples that only ``--thorough`` runs."""

import pytest
from small_backend import SmallBackend
from small_operations import SPECIFICATION

from tensorproof.conformance.selection.cases import EXPENSIVE, SPREAD_CLASSES, all_cases, samples_of, spread
from tensorproof.contract.description import describe
from tensorproof_reference.sample_classes import class_of


@pytest.mark.parametrize("operation", SPECIFICATION.values(), ids=lambda operation: operation.name)
def test_the_spread_has_one_sample_of_each_class_and_none_that_is_expensive(operation):
    samples = samples_of(operation, 0)
    classes = [class_of(samples[name]) for name in spread(samples)]
    assert sorted(classes) == sorted({class_of(sample) for sample in samples.values()} & set(SPREAD_CLASSES))
    assert EXPENSIVE not in classes


def test_expensive_samples_are_run_by_thorough_runs_only():
    operation = SPECIFICATION["softmax"]
    cases = list(all_cases(describe(SmallBackend(), None), {"softmax": operation}, 0))
    expensive = [case for case in cases if case.sample.startswith(EXPENSIVE)]
    assert expensive
    assert not any(case.by_default for case in expensive)
