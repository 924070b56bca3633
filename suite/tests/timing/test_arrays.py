"""Arguments on their way to a worker: they come back as they were, and the sets that a block rotates through differ."""

import numpy as np
import pytest

from tensorproof.timing.arrays import load_arguments, rotated, save_arguments
from tensorproof_reference.operation import Sample
from tensorproof_reference.rounding import round_to


def test_arguments_come_back_as_they_were(tmp_path):
    draw = np.random.default_rng(0)
    inputs = {
        "x": draw.normal(size=(2, 3)),
        "parameters": [{"weight": draw.normal(size=4), "bias": None}, {"weight": np.zeros((0, 3))}],
        "labels": np.arange(5),
        "mask": np.array([True, False]),
        "state": None,
        "number": np.float64(3.5),
    }
    keywords = {"axis": -1, "padding": ((0, 1), (2, 3)), "mode": "tanh", "conventions": {"gelu": {"epsilon": 1e-7}}, "p": None}
    cotangents = {"y": draw.normal(size=(2, 3))}
    path = tmp_path / "arguments.npz"
    own_dtypes = {"parameters.0": "bfloat16", "labels": "int8"}
    save_arguments(path, Sample(name="S", inputs=inputs, keywords=keywords, own_dtypes=own_dtypes), cotangents)
    found, found_cotangents = load_arguments(path)
    assert (found.keywords, found.own_dtypes) == (keywords, own_dtypes)
    np.testing.assert_equal(found.inputs, inputs)
    assert found.inputs["labels"].dtype == np.int64
    assert found.inputs["mask"].dtype == bool
    np.testing.assert_equal(found_cotangents, cotangents)


def test_a_keyword_that_is_no_literal_is_refused(tmp_path):
    with pytest.raises((ValueError, SyntaxError)):
        save_arguments(tmp_path / "x.npz", Sample(name="S", inputs={"x": np.ones(2)}, keywords={"function": np.tanh}), {})


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_rotated_sets_differ_and_stay_of_the_same_kind(dtype):
    draw = np.random.default_rng(1)
    leaves = {
        "x": round_to(draw.normal(size=(4, 64)), dtype),
        "w": round_to(-draw.random(64), dtype),
        "i": draw.integers(0, 9, 40),
    }
    sets = [rotated(leaves, number, lambda path: dtype) for number in range(9)]
    for place, one in enumerate(sets):
        for other in sets[:place]:
            assert all(not np.array_equal(one[name], other[name]) for name in leaves)
        for name, leaf in leaves.items():
            assert one[name].shape == leaf.shape
            assert one[name].dtype == leaf.dtype
        assert sorted(one["i"]) == sorted(leaves["i"])
        assert np.all(one["w"] <= 0)
        assert np.max(np.abs(one["x"])) <= np.max(np.abs(leaves["x"]))
        np.testing.assert_array_equal(one["x"], round_to(one["x"], dtype))


def test_set_0_is_the_arguments_themselves():
    leaves = {"x": np.ones(3)}
    assert rotated(leaves, 0, lambda path: "float32")["x"] is leaves["x"]
