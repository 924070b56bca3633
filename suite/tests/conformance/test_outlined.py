"""A process that only lists cases knows samples without their numbers, and lists the same."""

from dataclasses import replace

import pytest
from plain_options import options_of

from tensorproof.conformance.selection.cases import samples_of
from tensorproof.conformance.selection.outlined import with_outlined_samples
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.backends import load
from tensorproof.contract.description import describe
from tensorproof.contract.outlines import sample_from_plain, sample_to_plain
from tensorproof_reference.catalogue import known_operations, of_profile
from tensorproof_reference.operation import Sample


@pytest.mark.parametrize("profile", ["core", "extended"])
def test_a_plan_is_the_same_of_samples_and_of_their_outlines(profile, tmp_path):
    options = options_of(profile=profile)
    description = describe(load("numpy"), None)
    drawn = of_profile(known_operations(), profile)
    planned = Plan(options, description, known_operations(), drawn)
    first, again = (with_outlined_samples(drawn, 0, tmp_path) for _ in range(2))
    for listed in (first, again):
        plan = Plan(options, description, {**known_operations(), **listed}, listed)
        assert plan.cases == planned.cases
        assert plan.left_out == planned.left_out
        assert plan.idle == planned.idle
        for case in {(case.operation, case.sample): case for case in planned.cases if case.operation in drawn}.values():
            assert plan.declared.situation(case) == planned.declared.situation(case)
    drawn_still = [name for name in drawn if again[name] is drawn[name]]
    assert drawn_still == (["pad"] if profile == "extended" else [])  # an infinite keyword has no literal


def test_what_is_kept_is_of_one_seed_and_of_no_operation_from_outside(tmp_path):
    def not_drawn(stream):
        raise AssertionError("drawn")

    softmax = known_operations()["softmax"]
    with_outlined_samples({"softmax": softmax}, 0, tmp_path)
    kept = {"softmax": replace(softmax, samples=not_drawn)}
    listed = with_outlined_samples(kept, 0, tmp_path)
    assert list(samples_of(listed["softmax"], 0)) == list(samples_of(softmax, 0))
    with pytest.raises(AssertionError, match="drawn"):
        with_outlined_samples(kept, 1, tmp_path)
    assert with_outlined_samples(kept, 0, None) == kept
    from_outside = {"doubled": replace(softmax, function=lambda x: x)}
    assert with_outlined_samples(from_outside, 0, tmp_path) == from_outside


def test_an_outline_has_all_that_lists_cases():
    for name in ("dense", "lstm", "adam", "reduce_sum", "cast"):
        for sample in samples_of(known_operations()[name], 0).values():
            outline = sample_from_plain(sample_to_plain(sample))
            assert isinstance(outline, Sample)
            for field in ("name", "keywords", "required", "dtypes", "own_dtypes", "gradient", "memory", "raises", "version"):
                assert getattr(outline, field) == getattr(sample, field)
            assert [leaf is None for leaf in outline.inputs.values()] == [leaf is None for leaf in sample.inputs.values()]
