"""Recurrent layers with a mask, with other activations and with peephole connections: against a loop over steps."""

from typing import Any

import numpy as np
import pytest

from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._cell_activations import PULLS, VALUES, WORK
from tensorproof_reference.registry import basic_operations, extended_operations
from tensorproof_reference.stream import Stream

OPERATIONS, BASIC = extended_operations(), basic_operations()
GATES: dict[str, tuple[int, ...]] = {"simple_rnn": (), "lstm": (4,), "gru": (3,)}
MASK = np.asarray([[1, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
SINGLE_LAYER: dict[str, Any] = {"layers": 1, "directions": 1}


def drawn(name: str, **choices: Any) -> dict[str, Any]:
    states = ("hidden", "cell") if name == "lstm" else ("hidden",)
    return _recurrent.draw_inputs(Stream(11)(name), GATES[name], **({"states": states} | choices))


def step_by_step(name: str, inputs: dict[str, Any], mask: Any, backward: bool) -> tuple[Any, ...]:
    """One layer in one direction, a step of the core operation at a time; a masked step changes nothing."""
    states = {key: value.copy() for key, value in inputs.items() if key not in ("x", "parameters")}
    y = np.zeros((*inputs["x"].shape[:2], states["hidden"].shape[-1]))
    for lane in range(len(y)):
        output = np.zeros(y.shape[-1])
        steps = range(y.shape[1])
        for step in reversed(steps) if backward else steps:
            if mask[lane, step]:
                own = {key: value[:, :, lane : lane + 1] for key, value in states.items()}
                x = inputs["x"][lane : lane + 1, step : step + 1]
                out, *finals = BASIC[name].function(x=x, parameters=inputs["parameters"], **own)
                output = out[0, 0]
                for key, final in zip(states, finals, strict=True):
                    states[key][:, :, lane] = final[:, :, 0]
            y[lane, step] = output
    return y, *states.values()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", GATES)
def test_a_masked_step_keeps_the_state_and_repeats_the_output(name, reverse):
    inputs = drawn(name, **SINGLE_LAYER)
    expected = step_by_step(name, inputs, MASK, reverse)
    found = OPERATIONS[f"masked_{name}"].function(**inputs, mask=MASK, reverse=reverse)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)
    last, *_ = OPERATIONS[f"masked_{name}"].function(**inputs, mask=MASK, reverse=reverse, return_sequences=False)
    np.testing.assert_array_equal(last, found[0][:, 0 if reverse else -1])


@pytest.mark.parametrize("name", GATES)
def test_two_directions_are_one_each_with_zeros_at_masked_steps(name):
    both = drawn(name, layers=1)
    y, *finals = OPERATIONS[f"masked_{name}"].function(**both, mask=MASK)
    assert not y[~MASK].any()
    for direction in (0, 1):
        alone = {key: value if key in ("x", "parameters") else value[:, direction : direction + 1] for key, value in both.items()}
        alone["parameters"] = [both["parameters"][0][direction : direction + 1]]
        one, *ends = OPERATIONS[f"masked_{name}"].function(**alone, mask=MASK, reverse=direction == 1)
        np.testing.assert_array_equal(y[..., 4 * direction : 4 * direction + 4][MASK], one[MASK])
        for final, end in zip(finals, ends, strict=True):
            np.testing.assert_array_equal(end, final[:, direction : direction + 1])


@pytest.mark.parametrize("name", GATES)
def test_masked_steps_have_no_effect_and_no_gradient(name):
    inputs = drawn(name)
    hidden = {**inputs, "x": np.where(MASK[..., None], inputs["x"], np.nan)}
    operation = OPERATIONS[f"masked_{name}"]
    results = operation.function(**inputs, mask=MASK)
    for one, other in zip(results, operation.function(**hidden, mask=MASK), strict=True):
        np.testing.assert_array_equal(one, other)
    assert operation.vjp is not None
    gradients = operation.vjp(results, **hidden, mask=MASK)
    assert np.isfinite(gradients["x"]).all()
    assert not gradients["x"][~MASK].any()
    # A sequence without steps hands its states on, and their cotangents back.
    np.testing.assert_array_equal(gradients["hidden"][:, :, 2], results[1][:, :, 2])


@pytest.mark.parametrize("name", GATES)
def test_a_mask_of_the_first_steps_is_a_length(name):
    inputs = drawn(name)
    lengths = np.asarray([2, 4, 3])
    masked = OPERATIONS[f"masked_{name}"].function(**inputs, mask=np.arange(4) < lengths[:, None])
    for one, other in zip(masked, OPERATIONS[f"padded_{name}"].function(**inputs, lengths=lengths), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"mask": MASK[:, :3]}, "mask: "),
        ({"mask": MASK.astype(np.int64)}, "mask: "),
        ({"reverse": True}, "reverse: "),
        ({"parameters": []}, "parameters: "),
    ],
)
def test_wrong_masks_are_named(change, start):
    with pytest.raises(ValueError, match=f"^{start}expected"):
        OPERATIONS["masked_lstm"].function(**{**drawn("lstm"), **change})


# Activations.


@pytest.mark.parametrize("name", VALUES)
def test_an_activation_of_a_cell_is_the_operation_of_its_name(name):
    operation = {**BASIC, **OPERATIONS}[name]
    assert operation.vjp is not None
    assert operation.work is not None
    x = np.asarray([-7.0, -2.5, -0.3, -1e-3, 1e-3, 0.4, 2.0, 6.0])
    dy = Stream(11)("dy").normal(x.shape)
    np.testing.assert_allclose(VALUES[name](x), operation.function(x), rtol=1e-14)
    np.testing.assert_allclose(PULLS[name](dy, VALUES[name](x)), operation.vjp(dy, x)["x"], rtol=1e-9)
    assert operation.work(np.zeros(1)) == WORK[name]


def sums(leaf: dict[str, Any], x: Any, hidden: Any, gate: int) -> Any:
    return x @ leaf["input_weights"][:, gate] + hidden @ leaf["recurrent_weights"][:, gate] + leaf["bias"][gate]


@pytest.mark.parametrize("gate", ["tanh", "hard_sigmoid", "softsign"])
@pytest.mark.parametrize("name", ["sigmoid", "relu", "elu"])
def test_activations_stand_in_their_places_in_an_lstm(name, gate):
    inputs = drawn("lstm", **SINGLE_LAYER)
    leaf, h, c = inputs["parameters"][0][0], inputs["hidden"][0, 0], inputs["cell"][0, 0]
    for step in range(4):
        i, f, o = (VALUES[gate](sums(leaf, inputs["x"][:, step], h, place)) for place in (0, 1, 3))
        c = f * c + i * VALUES[name](sums(leaf, inputs["x"][:, step], h, 2))
        h = o * VALUES[name](c)
    y, *_ = OPERATIONS["padded_lstm"].function(**inputs, activation=name, gate_activation=gate)
    np.testing.assert_allclose(y[:, -1], h, rtol=1e-12)


@pytest.mark.parametrize("gate", ["tanh", "hard_sigmoid", "softsign"])
@pytest.mark.parametrize("name", ["sigmoid", "relu", "elu"])
def test_activations_stand_in_their_places_in_a_gru(name, gate):
    inputs = drawn("gru", **SINGLE_LAYER)
    leaf, h = inputs["parameters"][0][0], inputs["hidden"][0, 0]
    for step in range(4):
        z, r = (VALUES[gate](sums(leaf, inputs["x"][:, step], h, place)) for place in (0, 1))
        h = (1 - z) * VALUES[name](sums(leaf, inputs["x"][:, step], r * h, 2)) + z * h
    y, *_ = OPERATIONS["padded_gru"].function(**inputs, activation=name, gate_activation=gate)
    np.testing.assert_allclose(y[:, -1], h, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [("simple_rnn", "activation"), ("lstm", "activation"), ("lstm", "gate_activation"), ("gru", "activation")],
)
def test_an_unknown_activation_is_named(name, keyword):
    with pytest.raises(ValueError, match=f"^{keyword}: expected"):
        OPERATIONS[f"padded_{name}"].function(**drawn(name), **{keyword: "cosine"})


# Peephole connections.


def with_peepholes(inputs: dict[str, Any], scale: float = 1.0) -> dict[str, Any]:
    peepholes = scale * Stream(11)("peepholes").normal((3, 4))
    return {**inputs, "parameters": [[{**leaf, "peephole_weights": peepholes} for leaf in row] for row in inputs["parameters"]]}


@pytest.mark.parametrize("clip", [None, 0.5])
def test_gates_see_the_cell_through_peepholes(clip):
    inputs = with_peepholes(drawn("lstm", **SINGLE_LAYER))
    leaf, h, c = inputs["parameters"][0][0], inputs["hidden"][0, 0], inputs["cell"][0, 0]
    on_i, on_f, on_o = leaf["peephole_weights"]
    for step in range(4):
        x = inputs["x"][:, step]
        i = VALUES["sigmoid"](sums(leaf, x, h, 0) + on_i * c)
        f = VALUES["sigmoid"](sums(leaf, x, h, 1) + on_f * c)
        c = f * c + i * np.tanh(sums(leaf, x, h, 2))
        c = c if clip is None else np.clip(c, -clip, clip)
        h = VALUES["sigmoid"](sums(leaf, x, h, 3) + on_o * c) * np.tanh(c)
    y, final, cell = OPERATIONS["peephole_lstm"].function(**inputs, cell_clip=clip)
    np.testing.assert_allclose(y[:, -1], h, rtol=1e-12)
    np.testing.assert_allclose(final[0, 0], h, rtol=1e-12)
    np.testing.assert_allclose(cell[0, 0], c, rtol=1e-12)


def test_without_weight_peepholes_change_nothing():
    inputs = drawn("lstm")
    expected = BASIC["lstm"].function(**inputs)
    for one, other in zip(OPERATIONS["peephole_lstm"].function(**with_peepholes(inputs, 0.0)), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("clip", [0.0, -1.0])
def test_a_clip_that_is_not_above_zero_is_named(clip):
    with pytest.raises(ValueError, match=r"^cell_clip: expected"):
        OPERATIONS["peephole_lstm"].function(**with_peepholes(drawn("lstm")), cell_clip=clip)


def test_missing_peephole_weights_are_named():
    with pytest.raises(ValueError, match="peephole_weights"):
        OPERATIONS["peephole_lstm"].function(**drawn("lstm"))
    wrong = with_peepholes(drawn("lstm"))
    wrong["parameters"][0][0]["peephole_weights"] = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"peephole_weights: expected"):
        OPERATIONS["peephole_lstm"].function(**wrong)
