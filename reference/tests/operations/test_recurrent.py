import mpmath
import numpy as np
import pytest

from tensorproof_reference.errorbars.array import with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.operations import _recurrent, gru, gru_gates, lstm, lstm_gates, simple_rnn
from tensorproof_reference.operations._cell_activations import sigmoid
from tensorproof_reference.operations.gru import gru as gru_function
from tensorproof_reference.operations.gru_gates import gru_gates as gru_gates_function
from tensorproof_reference.operations.lstm import lstm as lstm_function
from tensorproof_reference.operations.lstm_gates import lstm_gates as lstm_gates_function
from tensorproof_reference.operations.simple_rnn import simple_rnn as simple_rnn_function
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import leaves, replace_leaves

GATES = {"simple_rnn": (), "lstm": (4,), "gru": (3,)}
FUNCTIONS = {"simple_rnn": simple_rnn_function, "lstm": lstm_function, "gru": gru_function}
MODULES = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}


def drawn(name, **choices):
    states = ("hidden", "cell") if name == "lstm" else ("hidden",)
    return _recurrent.draw_inputs(Stream(7)(name), GATES[name], **({"states": states} | choices))


# Against the formulas in 30 digits, one number at a time.


def logistic(a):
    return 1 / (1 + mpmath.exp(-a))


class Unit:
    """Unit j of a leaf: the sums before its gates' activations."""

    def __init__(self, leaf, j):
        self.leaf, self.j = leaf, j

    def part(self, weights, bias, vector, gate):
        matrix, offset = self.leaf[weights], self.leaf.get(bias)
        at = (slice(None), self.j) if gate is None else (slice(None), gate, self.j)
        total = mpmath.fsum(mpmath.mpf(float(w)) * v for w, v in zip(matrix[at], vector, strict=True))
        return total if offset is None else total + mpmath.mpf(float(offset[at[1:]]))

    def inputs(self, x, gate=None):
        return self.part("input_weights", "bias", x, gate)

    def recurrent(self, h, gate=None):
        return self.part("recurrent_weights", "recurrent_bias", h, gate)

    def both(self, x, h, gate=None):
        return self.inputs(x, gate) + self.recurrent(h, gate)


def rnn_step(leaf, x, h, c, keywords):
    f = mpmath.tanh if keywords.get("activation", "tanh") == "tanh" else lambda a: max(a, mpmath.mpf(0))
    return [f(Unit(leaf, j).both(x, h)) for j in range(len(h))], c


def lstm_step(leaf, x, h, c, keywords):
    hidden, cell = [], []
    for j in range(len(h)):
        i, f, g, o = (Unit(leaf, j).both(x, h, gate) for gate in range(4))
        cell.append(logistic(f) * c[j] + logistic(i) * mpmath.tanh(g))
        hidden.append(logistic(o) * mpmath.tanh(cell[-1]))
    return hidden, cell


def gru_step(leaf, x, h, c, keywords):
    units = [Unit(leaf, j) for j in range(len(h))]
    z = [logistic(unit.both(x, h, 0)) for unit in units]
    r = [logistic(unit.both(x, h, 1)) for unit in units]
    if keywords.get("reset", "before") == "before":
        reset = [r[j] * h[j] for j in range(len(h))]
        n = [mpmath.tanh(unit.both(x, reset, 2)) for unit in units]
    else:
        n = [mpmath.tanh(unit.inputs(x, 2) + r[j] * unit.recurrent(h, 2)) for j, unit in enumerate(units)]
    return [(1 - z[j]) * n[j] + z[j] * h[j] for j in range(len(h))], c


STEPS = {"simple_rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}


def by_hand(name, x, parameters, hidden=None, cell=None, **keywords):
    """The hidden states of the last layer (N, T, D·H), and the final hidden states, for each lane on its own."""
    batch, steps, _ = x.shape
    layers, directions, units = len(parameters), len(parameters[0]), parameters[0][0]["recurrent_weights"].shape[-1]
    final = np.zeros((layers, directions, batch, units))
    y = np.zeros((batch, steps, directions * units))
    for lane in range(batch):
        sequence = [[mpmath.mpf(float(v)) for v in step] for step in x[lane]]
        for k, layer in enumerate(parameters):
            outputs = [[] for _ in range(steps)]
            for d, leaf in enumerate(layer):
                h = [mpmath.mpf(0 if hidden is None else float(hidden[k, d, lane, j])) for j in range(units)]
                c = [mpmath.mpf(0 if cell is None else float(cell[k, d, lane, j])) for j in range(units)]
                for t in range(steps) if d == 0 else reversed(range(steps)):
                    h, c = STEPS[name](leaf, sequence[t], h, c, keywords)
                    outputs[t] = outputs[t] + h
                final[k, d, lane] = [float(v) for v in h]
            sequence = outputs
        y[lane] = [[float(v) for v in step] for step in sequence]
    return y, final


@pytest.mark.parametrize(
    ("name", "biases", "keywords"),
    [
        ("simple_rnn", 1, {}),
        ("simple_rnn", 2, {"activation": "relu"}),
        ("lstm", 1, {}),
        ("lstm", 2, {}),
        ("lstm", 0, {}),
        ("gru", 1, {}),
        ("gru", 2, {}),
        ("gru", 2, {"reset": "after"}),
        ("gru", 0, {"reset": "after"}),
    ],
)
def test_formulas_in_thirty_digits(name, biases, keywords):
    inputs = drawn(name, biases=biases, sizes=(2, 3, 2, 3))
    with mpmath.workdps(30):
        expected_y, expected_h = by_hand(name, **inputs, **keywords)
    y, h = FUNCTIONS[name](**inputs, **keywords)[:2]
    np.testing.assert_allclose(y, expected_y, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(h, expected_h, rtol=1e-13, atol=1e-15)


def test_output_projection():
    inputs = drawn("simple_rnn")
    weights, bias = Stream(7)("weights").normal((8, 3)), Stream(7)("bias").normal((3,))
    y, h = simple_rnn_function(**inputs)
    projected, same = simple_rnn_function(**inputs, output_weights=weights, output_bias=bias)
    np.testing.assert_allclose(projected, np.einsum("nth,ho->nto", y, weights) + bias, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(same, h)


# Relations between arguments and results.


@pytest.mark.parametrize("name", GATES)
def test_ends_of_the_sequence_are_the_final_states(name):
    inputs = drawn(name)
    y, h = FUNCTIONS[name](**inputs)[:2]
    last, same = FUNCTIONS[name](**inputs, return_sequences=False)[:2]
    np.testing.assert_array_equal(last, np.concatenate([y[:, -1, :4], y[:, 0, 4:]], axis=-1))
    np.testing.assert_array_equal(last, np.concatenate([h[-1, 0], h[-1, 1]], axis=-1))
    np.testing.assert_array_equal(same, h)


@pytest.mark.parametrize("name", GATES)
def test_absent_states_are_zero_and_have_no_gradient(name):
    inputs = drawn(name)
    zero = {key: value * 0.0 if key in ("hidden", "cell") else value for key, value in inputs.items()}
    absent = {key: inputs[key] for key in ("x", "parameters")}
    results = FUNCTIONS[name](**absent)
    for given, left_out in zip(FUNCTIONS[name](**zero), results, strict=True):
        np.testing.assert_array_equal(given, left_out)
    assert MODULES[name].vjp(results, **absent)["hidden"] is None


@pytest.mark.parametrize("name", ["simple_rnn", "lstm"])
def test_two_biases_are_added(name):
    inputs = drawn(name, biases=2)
    first = FUNCTIONS[name](**inputs)
    merged = [
        [
            {
                "bias" if key == "bias" else key: leaf["bias"] + leaf["recurrent_bias"] if key == "bias" else value
                for key, value in leaf.items()
                if key != "recurrent_bias"
            }
            for leaf in layer
        ]
        for layer in inputs["parameters"]
    ]
    for left, right in zip(first, FUNCTIONS[name](**{**inputs, "parameters": merged}), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-13, atol=1e-15)
    gradients = MODULES[name].vjp(first, **inputs)["parameters"]
    np.testing.assert_array_equal(gradients[1][1]["bias"], gradients[1][1]["recurrent_bias"])


def test_reset_before_and_after_agree_without_recurrent_product():
    inputs = drawn("gru")
    for layer in inputs["parameters"]:
        for leaf in layer:
            leaf["recurrent_weights"][:, 2] = 0.0
    for left, right in zip(gru_function(**inputs), gru_function(**inputs, reset="after"), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-14)


def test_gates_are_those_of_one_step():
    inputs = drawn("lstm", layers=1, directions=1, sizes=(3, 1, 2, 4))
    i, f, g, o = lstm_gates_function(inputs["x"][:, 0], inputs["hidden"][0, 0], inputs["cell"][0, 0], inputs["parameters"][0][0])
    _, h, c = lstm_function(**inputs)
    np.testing.assert_allclose(c[0, 0], f * inputs["cell"][0, 0] + i * g, rtol=1e-14)
    np.testing.assert_allclose(h[0, 0], o * np.tanh(c[0, 0]), rtol=1e-14)
    for reset in ("before", "after"):
        inputs = drawn("gru", layers=1, directions=1, biases=2, sizes=(3, 1, 2, 4))
        h0 = inputs["hidden"][0, 0]
        z, _, n = gru_gates_function(inputs["x"][:, 0], h0, inputs["parameters"][0][0], reset=reset)
        np.testing.assert_allclose(gru_function(**inputs, reset=reset)[1][0, 0], (1 - z) * n + z * h0, rtol=1e-14)


# Special values.


@pytest.mark.parametrize("name", GATES)
def test_nan_spreads_onward_in_its_lane_only(name):
    inputs = drawn(name, layers=1)
    inputs["x"][1, 2, 0] = np.nan
    y = FUNCTIONS[name](**inputs)[0]
    forward, backward = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    forward[1, 2:], backward[1, :3] = True, True
    expected = np.concatenate([np.repeat(mask[..., None], 4, axis=-1) for mask in (forward, backward)], axis=-1)
    np.testing.assert_array_equal(np.isnan(y), expected)


def test_sigmoid_at_both_ends():
    ends = sigmoid(np.asarray([-1e4, -1000.0, 1000.0, 1e4, -np.inf, np.inf, np.nan]))
    np.testing.assert_array_equal(ends, [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, np.nan])


def test_saturated_gates_keep_and_replace_the_state():
    inputs = drawn("lstm", layers=1, directions=1)
    leaf = inputs["parameters"][0][0]
    leaf["input_weights"][:] = 0.0
    leaf["recurrent_weights"][:] = 0.0
    leaf["bias"][:] = np.asarray([-1e3, 1e3, 1e3, 1e3])[:, None]
    _, h, c = lstm_function(**inputs)
    np.testing.assert_array_equal(c, inputs["cell"])
    np.testing.assert_array_equal(h, np.tanh(inputs["cell"]))


@pytest.mark.parametrize("seed", range(5))
def test_relu_samples_keep_away_from_the_kink(seed):
    precision = precision_of("bfloat16")
    found = [
        sample
        for sample in simple_rnn.samples(Stream(seed))
        if sample.keywords.get("activation") == "relu" and not sample.name.startswith("kink")
    ]
    assert len(found) == 3
    for sample in found:
        inputs = replace_leaves(sample.inputs, lambda path, leaf: with_bars(round_to(leaf, "bfloat16"), precision))
        with closest_branch() as closest:
            simple_rnn_function(**inputs, **sample.keywords)
        assert closest.selection >= 20
        hidden = simple_rnn_function(**sample.inputs, **sample.keywords)[1]
        assert 0.25 <= np.mean(hidden > 0) <= 0.75


@pytest.mark.parametrize("name", GATES)
def test_gradients_keep_the_structure_and_leave_arguments_alone(name):
    inputs = drawn(name, biases=2)
    before = [(path, leaf.copy()) for path, leaf in leaves(inputs)]
    results = FUNCTIONS[name](**inputs)
    gradients = MODULES[name].vjp(tuple(np.zeros_like(result) for result in results), **inputs)
    for key, value in inputs.items():
        assert [path for path, _ in leaves(value)] == [path for path, _ in leaves(gradients[key])]
        assert all(not leaf.any() for _, leaf in leaves(gradients[key]))
    for (path, old), (_, new) in zip(before, leaves(inputs), strict=True):
        np.testing.assert_array_equal(old, new, err_msg=path)


# Invalid arguments.


def wrong(inputs, key, value):
    return {
        **inputs,
        "parameters": [[{**inputs["parameters"][0][0], key: value}, inputs["parameters"][0][1]], inputs["parameters"][1]],
    }


@pytest.mark.parametrize("name", GATES)
def test_errors_name_the_argument(name):
    inputs, gates = drawn(name), GATES[name]
    layers = inputs["parameters"]
    narrow = _recurrent.draw_leaf(Stream(0), 8, 3, gates)
    cases = [
        ("x: ", {**inputs, "x": inputs["x"][0]}),
        ("x: ", {**inputs, "x": inputs["x"][:, :0]}),
        ("parameters: ", {**inputs, "parameters": []}),
        ("parameters: ", {**inputs, "parameters": layers[0][0]}),
        ("parameters[0]: ", {**inputs, "parameters": layers[0]}),
        ("parameters[0]: ", {**inputs, "parameters": [[], []]}),
        ("parameters[1]: ", {**inputs, "parameters": [layers[0], layers[1][:1]]}),
        ("parameters[1]: ", {**inputs, "parameters": [layers[0], layers[1][0]]}),
        ("parameters[0][0]: ", {**inputs, "parameters": [[None, layers[0][1]], layers[1]]}),
        ("parameters[0][0]: ", wrong(inputs, "kernel", inputs["x"])),
        ("parameters[0][0]: ", wrong(inputs, "input_weights", None)),
        ("parameters[0][0].input_weights: ", {**inputs, "x": inputs["x"][..., :1]}),
        ("parameters[0][0].recurrent_weights: ", wrong(inputs, "recurrent_weights", inputs["x"][0, 0])),
        ("parameters[0][0].bias: ", wrong(inputs, "bias", inputs["x"])),
        ("parameters[0][0].recurrent_bias: ", wrong(inputs, "recurrent_bias", inputs["x"])),
        ("parameters[1][0].recurrent_weights: ", {**inputs, "parameters": [layers[0], [narrow, narrow]]}),
        ("hidden: ", {**inputs, "hidden": inputs["hidden"][0]}),
    ]
    if name == "lstm":
        cases.append(("cell: ", {**inputs, "cell": inputs["cell"][:, :, :2]}))
    if name == "gru":
        cases.append(("reset: ", {**inputs, "reset": "never"}))
    if name == "simple_rnn":
        cases.append(("activation: ", {**inputs, "activation": "sigmoid"}))
        cases.append(("output_weights: ", {**inputs, "output_weights": inputs["x"]}))
        cases.append(("output_weights: ", {**inputs, "output_weights": np.zeros((4, 3))}))
        cases.append(("output_bias: ", {**inputs, "output_bias": np.zeros(3)}))
        cases.append(("output_bias: ", {**inputs, "output_weights": np.zeros((8, 3)), "output_bias": np.zeros(2)}))
    for start, arguments in cases:
        with pytest.raises(ValueError, match="expected") as caught:
            FUNCTIONS[name](**arguments)
        assert str(caught.value).startswith(start), (start, str(caught.value))


def test_errors_of_gates_name_the_argument():
    x, state = np.zeros((3, 2)), np.zeros((3, 4))
    four, three = (_recurrent.draw_leaf(Stream(0), 2, 4, gates) for gates in ((4,), (3,)))
    cases = [
        ("x: ", lambda: lstm_gates_function(x[0], state, state, four)),
        ("hidden: ", lambda: lstm_gates_function(x, x, state, four)),
        ("cell: ", lambda: lstm_gates_function(x, state, x, four)),
        ("parameters.recurrent_weights: ", lambda: lstm_gates_function(x, state, state, {**four, "recurrent_weights": x})),
        ("parameters.input_weights: ", lambda: lstm_gates_function(x, state, state, three)),
        ("x: ", lambda: gru_gates_function(x[0], state, three)),
        ("hidden: ", lambda: gru_gates_function(x, x, three)),
        ("parameters: ", lambda: gru_gates_function(x, state, {"bias": three["bias"]})),
        ("reset: ", lambda: gru_gates_function(x, state, three, reset="never")),
    ]
    for start, call in cases:
        with pytest.raises(ValueError, match="expected") as caught:
            call()
        assert str(caught.value).startswith(start), (start, str(caught.value))


@pytest.mark.parametrize("module", [lstm_gates, gru_gates, lstm, gru, simple_rnn])
def test_first_sample_is_plain(module):
    first = next(module.OPERATION.samples(Stream(0)))
    assert first.name.startswith("plain")
    assert not first.keywords
