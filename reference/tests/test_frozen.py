"""A frozen version of the specification never changes: what changes raises a version of its own."""

import copy
from dataclasses import replace

import pytest

from tensorproof_reference.catalogue import all_operations, known_operations
from tensorproof_reference.frozen.freezing import (
    digest_of,
    freeze,
    frozen_operation,
    frozen_versions,
    is_same,
    silent_changes,
    text_of,
)
from tensorproof_reference.stream import Stream

RELU = all_operations()["relu"]
OTHER = next(RELU.samples(Stream(1))).inputs
FROZEN = freeze("core 1.0", "2026-12", [RELU])


@pytest.mark.parametrize("name", frozen_versions())
def test_the_specification_has_not_changed_since_it_was_frozen(name):
    assert silent_changes(frozen_versions()[name], known_operations()) == []


def test_an_unchanged_operation_is_the_frozen_one():
    assert silent_changes(FROZEN, {"relu": RELU}) == []
    assert is_same(FROZEN, {"relu": RELU})


def changed(**changes):
    """ReLU with something else about its first sample."""

    def samples(stream):
        first, *others = RELU.samples(stream)
        yield replace(first, **changes)
        yield from others

    return {"relu": replace(RELU, samples=samples)}


@pytest.mark.parametrize("changes", [{"inputs": OTHER}, {"required": False}, {"memory": "sliced"}])
def test_a_sample_that_changes_silently_is_noticed(changes):
    assert "has other inputs or keywords" in silent_changes(FROZEN, changed(**changes))[0]


def test_a_sample_that_raises_its_version_may_change_and_is_not_the_frozen_one():
    now = changed(required=False, version=2)
    assert silent_changes(FROZEN, now) == []
    assert not is_same(FROZEN, now)


def test_a_sample_or_an_operation_that_is_gone_is_noticed():
    fewer = {"relu": replace(RELU, samples=lambda stream: list(RELU.samples(stream))[1:])}
    assert silent_changes(FROZEN, fewer)[0].endswith("is gone")
    assert silent_changes(FROZEN, {}) == ["relu is gone"]


def test_a_new_operation_changes_no_frozen_version_and_is_not_in_it():
    both = {"relu": RELU, "tanh": all_operations()["tanh"]}
    assert silent_changes(FROZEN, both) == []
    assert not is_same(FROZEN, both)


def test_the_file_holds_what_was_frozen():
    import json

    assert json.loads(text_of(FROZEN)) == FROZEN


def test_digests_differ_between_samples():
    digests = [sample["digest"] for sample in frozen_operation(RELU)["samples"].values()]
    assert len(set(digests)) == len(digests)
    sample = next(RELU.samples(Stream(0)(RELU.name)))
    assert digest_of(sample) == digest_of(copy.deepcopy(sample))
