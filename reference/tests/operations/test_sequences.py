"""Recurrent layers over padded sequences, and bags of rows: against one sequence, one bag, after the other."""

from typing import Any

import numpy as np
import pytest

from tensorproof_reference.operations import _recurrent
from tensorproof_reference.registry import basic_operations, extended_operations
from tensorproof_reference.stream import Stream

OPERATIONS, BASIC = extended_operations(), basic_operations()
GATES: dict[str, tuple[int, ...]] = {"simple_rnn": (), "lstm": (4,), "gru": (3,)}
LENGTHS = np.asarray([2, 4, 3])


def drawn(name: str, **choices: Any) -> dict[str, Any]:
    states = ("hidden", "cell") if name == "lstm" else ("hidden",)
    return _recurrent.draw_inputs(Stream(9)(name), GATES[name], **({"states": states} | choices))


@pytest.mark.parametrize("name", GATES)
def test_each_sequence_is_as_if_it_stood_alone(name):
    inputs = drawn(name)
    y, *finals = OPERATIONS[f"padded_{name}"].function(**inputs, lengths=LENGTHS)
    for lane, length in enumerate(LENGTHS):
        own = {key: value if key == "parameters" else value[:, :, lane : lane + 1] for key, value in inputs.items() if key != "x"}
        alone, *states = BASIC[name].function(x=inputs["x"][lane : lane + 1, :length], **own)
        np.testing.assert_array_equal(y[lane, :length], alone[0])
        assert not y[lane, length:].any()
        for final, state in zip(finals, states, strict=True):
            np.testing.assert_array_equal(final[:, :, lane], state[:, :, 0])


@pytest.mark.parametrize("name", GATES)
def test_without_lengths_it_is_the_core_operation(name):
    inputs = drawn(name)
    expected = BASIC[name].function(**inputs)
    found = OPERATIONS[f"padded_{name}"].function(**inputs)
    all_steps = OPERATIONS[f"padded_{name}"].function(**inputs, lengths=np.full(3, 4))
    for core, absent, given in zip(expected, found, all_steps, strict=True):
        # Products of one row and of several add in another order.
        np.testing.assert_allclose(absent, core, rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(given, absent)


@pytest.mark.parametrize("name", GATES)
def test_backward_alone_is_the_second_of_two_directions(name):
    both = drawn(name, layers=1)
    alone = {key: value if key in ("x", "parameters") else value[:, 1:] for key, value in both.items()}
    alone["parameters"] = [both["parameters"][0][1:]]
    y, *finals = OPERATIONS[f"padded_{name}"].function(**both, lengths=LENGTHS)
    backward, *ends = OPERATIONS[f"padded_{name}"].function(**alone, lengths=LENGTHS, reverse=True)
    np.testing.assert_array_equal(backward, y[..., 4:])
    for final, end in zip(finals, ends, strict=True):
        np.testing.assert_array_equal(end, final[:, 1:])
    last, *_ = OPERATIONS[f"padded_{name}"].function(**alone, lengths=LENGTHS, reverse=True, return_sequences=False)
    np.testing.assert_array_equal(last, backward[:, 0])


@pytest.mark.parametrize("name", GATES)
def test_padding_has_no_effect_and_no_gradient(name):
    inputs = drawn(name)
    hidden = {**inputs, "x": inputs["x"].copy()}
    hidden["x"][0, 2:] = np.nan
    hidden["x"][2, 3:] = np.inf
    operation = OPERATIONS[f"padded_{name}"]
    results = operation.function(**inputs, lengths=LENGTHS)
    for one, other in zip(results, operation.function(**hidden, lengths=LENGTHS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert operation.vjp is not None
    gradients = operation.vjp(results, **hidden, lengths=LENGTHS)
    assert np.isfinite(gradients["x"]).all()
    assert not gradients["x"][0, 2:].any()


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"lengths": np.asarray([2, 4, 0])}, "lengths: "),
        ({"lengths": np.asarray([2, 4, 5])}, "lengths: "),
        ({"lengths": np.asarray([2, 4])}, "lengths: "),
        ({"lengths": np.asarray([2.0, 4.0, 3.0])}, "lengths: "),
        ({"reverse": True}, "reverse: "),
    ],
)
def test_wrong_lengths_are_named(change, start):
    with pytest.raises(ValueError, match=f"^{start}expected"):
        OPERATIONS["padded_lstm"].function(**drawn("lstm"), **change)


BAGS = {"indices": np.asarray([1, 3, 1, 0, 3, 3, 2, 1]), "offsets": np.asarray([0, 3, 3, 7])}
TABLE = Stream(9)("table").normal((4, 3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_are_reduced_one_after_the_other(mode):
    y = OPERATIONS["embedding_bag"].function(**BAGS, weight=TABLE, mode=mode)
    reduced = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    for row, bag in zip(y, ([1, 3, 1], [], [0, 3, 3, 2], [1]), strict=True):
        np.testing.assert_array_equal(row, reduced(TABLE[bag], axis=0) if bag else np.zeros(3))


def test_bags_of_one_size_are_those_with_offsets():
    rows = Stream(9)("rows").integers((3, 5), 0, 4)
    function = OPERATIONS["embedding_bag"].function
    np.testing.assert_array_equal(function(rows, TABLE), function(rows.reshape(-1), TABLE, np.asarray([0, 5, 10])))


def test_scales_multiply_the_rows_of_a_sum():
    scales = Stream(9)("scales").normal((8,))
    y = OPERATIONS["embedding_bag"].function(**BAGS, weight=TABLE, scales=scales, mode="sum")
    np.testing.assert_allclose(y[0], scales[0] * TABLE[1] + scales[1] * TABLE[3] + scales[2] * TABLE[1], rtol=1e-14)
    np.testing.assert_array_equal(y[3], scales[7] * TABLE[1])


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"indices": np.asarray([0.0])}, "indices: "),
        ({"indices": np.asarray([4] * 8)}, "indices: "),
        ({"offsets": None}, "indices: "),
        ({"offsets": np.asarray([1, 3])}, "offsets: "),
        ({"offsets": np.asarray([0, 3, 2])}, "offsets: "),
        ({"offsets": np.asarray([0, 9])}, "offsets: "),
        ({"scales": np.ones(8)}, "scales: "),
        ({"scales": np.ones(3), "mode": "sum"}, "scales: "),
        ({"mode": "median"}, "mode: "),
        ({"weight": np.ones(3)}, "weight: "),
    ],
)
def test_wrong_bags_are_named(change, start):
    with pytest.raises(ValueError, match=f"^{start}expected"):
        OPERATIONS["embedding_bag"].function(**{**BAGS, "weight": TABLE, **change})
