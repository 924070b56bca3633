"""The spread, which compilers that are paid dearly get, and the samples that only ``--thorough`` runs."""

import pytest
from small_backend import SPECIFICATION, SmallBackend

from tensorproof.conformance.selection.cases import EXPENSIVE, SPREAD_CLASSES, all_cases, samples_of, spread
from tensorproof.contract.description import describe
from tensorproof_reference.sample_classes import class_of


@pytest.mark.parametrize("operation", SPECIFICATION.values(), ids=lambda operation: operation.name)
def test_the_spread_meets_every_class_keyword_and_optional_array(operation):
    samples = samples_of(operation, 0)
    chosen = [samples[name] for name in spread(samples)]
    usual = [sample for sample in samples.values() if class_of(sample) != EXPENSIVE]
    assert next(iter(samples.values())) in chosen
    assert {key for sample in chosen for key in sample.keywords} == {key for sample in usual for key in sample.keywords}
    for name in {name for sample in usual for name in sample.inputs}:
        assert {sample.inputs.get(name) is None for sample in chosen} == {sample.inputs.get(name) is None for sample in usual}
    classes = {class_of(sample) for sample in usual} & set(SPREAD_CLASSES)
    assert classes <= {class_of(sample) for sample in chosen}


def test_expensive_samples_are_run_by_thorough_runs_only():
    operation = SPECIFICATION["softmax"]
    cases = list(all_cases(describe(SmallBackend(), None), {"softmax": operation}, 0))
    expensive = [case for case in cases if case.sample.startswith(EXPENSIVE)]
    assert expensive
    assert not any(case.by_default for case in expensive)
