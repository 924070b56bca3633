"""Faults in recurrent operations: gates, layers, directions, states, biases, gradients through time."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
from faulty import Faults, reference, right_vjp

from tensorproof_reference.operations import _cell_activations, _recurrent

FAULTS = Faults()
FAMILY = ("simple_rnn", "lstm", "gru")


def changed(parameters, change):
    """Parameters with each leaf replaced by ``change(layer, direction, leaf)``."""
    return [[change(layer, direction, dict(leaf)) for direction, leaf in enumerate(row)] for layer, row in enumerate(parameters)]


def reordered(parameters, order):
    return changed(parameters, lambda layer, direction, leaf: {key: value[..., order, :] for key, value in leaf.items()})


@contextmanager
def patched(**replaced):
    """The reference's recurrent code with some of its functions replaced."""
    with mock.patch.multiple(_recurrent, **replaced):
        yield


@contextmanager
def with_sigmoid(wrong):
    """The cells of the reference with something else for a sigmoid."""
    with mock.patch.dict(_cell_activations.VALUES, sigmoid=wrong):
        yield


def in_family(group, operations=FAMILY, gradient=False, **others):
    """Plant the same fault in several operations; the function is called with the operation's name first."""

    def add(function):
        for operation in operations:

            def planted(*arguments, _operation=operation, **keywords):
                return function(_operation, *arguments, **keywords)

            planted.__name__ = function.__name__
            (FAULTS.gradient if gradient else FAULTS.value)(operation, group, **others)(planted)
        return function

    return add


@in_family("recurrent")
def second_layer_uses_the_recurrent_weights_of_the_first(name, x, parameters, *states, **keywords):
    def change(layer, direction, leaf):
        return leaf | {"recurrent_weights": parameters[0][direction]["recurrent_weights"]}

    return reference(name, x, changed(parameters, change), *states, **keywords)


@in_family("recurrent")
def second_direction_uses_the_weights_of_the_first(name, x, parameters, *states, **keywords):
    return reference(name, x, changed(parameters, lambda layer, direction, leaf: parameters[layer][0]), *states, **keywords)


@in_family("recurrent")
def second_direction_runs_forward(name, x, parameters, *states, **keywords):
    with patched(_along=lambda sequence, direction: sequence):
        return reference(name, x, parameters, *states, **keywords)


@in_family("recurrent", ("lstm", "gru"))
def backward_outputs_left_in_reverse_order(name, x, parameters, *states, **keywords):
    y, *finals = reference(name, x, parameters, *states, **keywords)
    if y.ndim == 3 and len(parameters[0]) == 2:
        half = y.shape[-1] // 2
        y = np.concatenate([y[..., :half], y[:, ::-1, half:]], axis=-1)
    return y, *finals


@in_family("recurrent")
def last_output_of_the_backward_direction_at_the_last_step(name, x, parameters, *states, **keywords):
    y, *finals = reference(name, x, parameters, *states, **keywords)
    if keywords.get("return_sequences", True):
        return y, *finals
    sequences, *_ = reference(name, x, parameters, *states, **{**keywords, "return_sequences": True})
    return sequences[:, -1], *finals


@in_family("state")
def initial_hidden_state_ignored(name, x, parameters, hidden=None, *others, **keywords):
    return reference(name, x, parameters, None, *others, **keywords)


@in_family("recurrent")
def initial_state_of_the_first_layer_for_all(name, x, parameters, hidden=None, *others, **keywords):
    hidden = None if hidden is None else np.broadcast_to(hidden[:1], hidden.shape)
    return reference(name, x, parameters, hidden, *others, **keywords)


@in_family("recurrent")
def both_directions_start_from_the_forward_state(name, x, parameters, hidden=None, *others, **keywords):
    hidden = None if hidden is None else np.broadcast_to(hidden[:, :1], hidden.shape)
    return reference(name, x, parameters, hidden, *others, **keywords)


@in_family("recurrent")
def next_layer_sees_backward_before_forward(name, x, parameters, *states, **keywords):
    def change(layer, direction, leaf):
        weights = leaf["input_weights"]
        half = weights.shape[0] // 2
        rolled = layer > 0 and len(parameters[0]) == 2
        return leaf | {"input_weights": np.roll(weights, half, axis=0) if rolled else weights}

    return reference(name, x, changed(parameters, change), *states, **keywords)


@in_family("recurrent", ("lstm", "gru"))
def final_states_in_order_of_directions(name, x, parameters, *states, **keywords):
    y, *finals = reference(name, x, parameters, *states, **keywords)
    return y, *(np.swapaxes(state, 0, 1).reshape(state.shape) for state in finals)


@in_family("recurrent", ("lstm", "simple_rnn"))
def only_the_first_layer_has_a_bias(name, x, parameters, *states, **keywords):
    def change(layer, direction, leaf):
        return {key: np.zeros_like(value) if layer and "bias" in key else value for key, value in leaf.items()}

    return reference(name, x, changed(parameters, change), *states, **keywords)


@in_family("optional", ("lstm", "gru"))
def missing_bias_raises(name, x, parameters, *states, **keywords):
    changed(parameters, lambda layer, direction, leaf: leaf["bias"])
    return reference(name, x, parameters, *states, **keywords)


@in_family("unit", ("lstm", "gru"))
def batch_of_one_transposes_the_sequence(name, x, parameters, *states, **keywords):
    return reference(name, x[:, ::-1] if x.shape[0] == 1 else x, parameters, *states, **keywords)


@in_family("unit", ("lstm",))
def only_the_first_example_keeps_its_state(name, x, parameters, hidden=None, *others, **keywords):
    hidden = None if hidden is None else np.concatenate([hidden[:, :, :1], 0.0 * hidden[:, :, 1:]], axis=2)
    return reference(name, x, parameters, hidden, *others, **keywords)


@in_family("nan", ("lstm", "gru"))
def nan_in_one_example_reaches_the_batch(name, x, parameters, *states, **keywords):
    y, *finals = reference(name, x, parameters, *states, **keywords)
    return y + 0.0 * np.sum(y, axis=0, keepdims=True), *finals


@in_family("magnitude", ("lstm", "gru"))
def piecewise_linear_gates(name, x, parameters, *states, **keywords):
    with with_sigmoid(lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0)):
        return reference(name, x, parameters, *states, **keywords)


@in_family("magnitude", ("lstm",))
def sigmoid_overflows(name, x, parameters, *states, **keywords):
    with with_sigmoid(lambda x: np.exp(x) / (1.0 + np.exp(x))):
        return reference(name, x, parameters, *states, **keywords)


@in_family("strided", ("lstm",))
def strides_of_the_sequence_ignored(name, x, parameters, *states, **keywords):
    x = x if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape)
    return reference(name, x, parameters, *states, **keywords)


@in_family("plain", gradient=True)
def bias_gradient_dropped(name, cotangents, x, parameters, *states, **keywords):
    right = right_vjp(name, cotangents, x, parameters, *states, **keywords)

    def change(layer, direction, leaf):
        return {key: 0.0 * value if key == "bias" else value for key, value in leaf.items()}

    return {**right, "parameters": changed(right["parameters"], change)}


@in_family("convention", gradient=True)
def recurrent_bias_gradient_dropped(name, cotangents, x, parameters, *states, **keywords):
    right = right_vjp(name, cotangents, x, parameters, *states, **keywords)

    def change(layer, direction, leaf):
        return {key: None if key == "recurrent_bias" else value for key, value in leaf.items()}

    return {**right, "parameters": changed(right["parameters"], change)}


@in_family("convention", ("gru",), gradient=True)
def recurrent_bias_has_the_gradient_of_the_bias(name, cotangents, x, parameters, *states, **keywords):
    right = right_vjp(name, cotangents, x, parameters, *states, **keywords)

    def change(layer, direction, leaf):
        return {**leaf, "recurrent_bias": leaf["bias"]} if leaf.get("recurrent_bias") is not None else leaf

    return {**right, "parameters": changed(right["parameters"], change)}


@in_family("plain", gradient=True)
def gradient_through_the_final_state_dropped(name, cotangents, *arguments, **keywords):
    dy, *finals = cotangents
    return right_vjp(name, (dy, *(np.zeros_like(final) for final in finals)), *arguments, **keywords)


@in_family("plain", ("lstm", "simple_rnn"), gradient=True)
def recurrent_weight_gradient_of_the_last_step_only(name, cotangents, x, parameters, *states, **keywords):
    right = right_vjp(name, cotangents, x, parameters, *states, **keywords)
    original = _recurrent.weight_gradient

    def short(inputs, d_gates):
        return original(inputs[-1:], d_gates[-1:])

    with patched(weight_gradient=short):
        truncated = right_vjp(name, cotangents, x, parameters, *states, **keywords)["parameters"]

    def change(layer, direction, leaf):
        return leaf | {"recurrent_weights": truncated[layer][direction]["recurrent_weights"]}

    return {**right, "parameters": changed(right["parameters"], change)}


@in_family("state", ("lstm", "gru"), gradient=True)
def hidden_state_gets_no_gradient(name, *arguments, **keywords):
    return {**right_vjp(name, *arguments, **keywords), "hidden": None}


@in_family("recurrent", ("lstm", "gru"), gradient=True)
def input_gradient_of_the_forward_direction_only(name, cotangents, x, parameters, *states, **keywords):
    right = right_vjp(name, cotangents, x, parameters, *states, **keywords)
    half = [cotangents[0].copy(), *cotangents[1:]]
    half[0][..., half[0].shape[-1] // len(parameters[0]) :] = 0.0
    return {**right, "x": right_vjp(name, tuple(half), x, parameters, *states, **keywords)["x"]}


@FAULTS.value("lstm", "plain")
def gates_in_the_order_ifog(x, parameters, hidden=None, cell=None, **keywords):
    return reference("lstm", x, reordered(parameters, [0, 1, 3, 2]), hidden, cell, **keywords)


@FAULTS.value("lstm", "plain")
def forget_gate_has_one_added(x, parameters, hidden=None, cell=None, **keywords):
    def change(layer, direction, leaf):
        one = np.zeros((4, 1), x.dtype)
        one[1] = 1.0
        return {key: value + one if key == "bias" else value for key, value in leaf.items()}

    return reference("lstm", x, changed(parameters, change), hidden, cell, **keywords)


@FAULTS.value("lstm", "plain")
def cell_state_returned_for_hidden(x, parameters, hidden=None, cell=None, **keywords):
    y, h, c = reference("lstm", x, parameters, hidden, cell, **keywords)
    return y, c, h


@FAULTS.value("lstm", "state")
def hidden_state_serves_as_cell_state(x, parameters, hidden=None, cell=None, **keywords):
    return reference("lstm", x, parameters, hidden, hidden, **keywords)


@FAULTS.value("lstm", "state")
def cell_state_ignored_without_a_hidden_state(x, parameters, hidden=None, cell=None, **keywords):
    return reference("lstm", x, parameters, hidden, None if hidden is None else cell, **keywords)


@FAULTS.value("lstm", "convention")
def second_bias_ignored(x, parameters, hidden=None, cell=None, **keywords):
    def change(layer, direction, leaf):
        return {key: value for key, value in leaf.items() if key != "recurrent_bias"}

    return reference("lstm", x, changed(parameters, change), hidden, cell, **keywords)


@FAULTS.gradient("lstm", "state")
def cell_state_gradient_without_the_forget_gate(cotangents, x, parameters, hidden=None, cell=None, **keywords):
    right = right_vjp("lstm", cotangents, x, parameters, hidden, cell, **keywords)
    return {**right, "cell": None if cell is None else np.zeros_like(cell) + cotangents[2]}


@FAULTS.gradient("lstm", "state")
def cell_states_of_upper_layers_get_no_gradient(cotangents, *arguments, **keywords):
    right = right_vjp("lstm", cotangents, *arguments, **keywords)
    if right.get("cell") is not None:
        right["cell"] = np.concatenate([right["cell"][:1], 0.0 * right["cell"][1:]])
    return right


@FAULTS.value("lstm", "compiled", mode="compiled")
def loop_unrolled_one_step_too_few(x, parameters, hidden=None, cell=None, **keywords):
    y, h, c = reference("lstm", x, parameters, hidden, cell, **keywords)
    return y, (reference("lstm", x[:, :-1], parameters, hidden, cell, **keywords)[1] if x.shape[1] > 1 else h), c


@FAULTS.value("gru", "plain")
def update_gate_the_other_way_round(x, parameters, hidden=None, **keywords):
    def change(layer, direction, leaf):
        sign = np.ones((3, 1), x.dtype)
        sign[0] = -1.0
        return {key: value * sign for key, value in leaf.items()}

    return reference("gru", x, changed(parameters, change), hidden, **keywords)


@FAULTS.value("gru", "plain")
def reset_gate_after_the_product(x, parameters, hidden=None, *, reset="before", **keywords):
    return reference("gru", x, parameters, hidden, reset="after" if reset == "before" else "before", **keywords)


@FAULTS.value("gru", "plain")
def gates_in_the_order_rzn(x, parameters, hidden=None, **keywords):
    return reference("gru", x, reordered(parameters, [1, 0, 2]), hidden, **keywords)


@FAULTS.value("gru", "convention")
def candidate_bias_outside_the_reset_gate(x, parameters, hidden=None, *, reset="before", **keywords):
    def change(layer, direction, leaf):
        if reset == "after" and "recurrent_bias" in leaf:
            leaf["bias"], leaf["recurrent_bias"] = leaf["bias"] + leaf["recurrent_bias"], 0.0 * leaf["recurrent_bias"]
        return leaf

    return reference("gru", x, changed(parameters, change), hidden, reset=reset, **keywords)


@FAULTS.value("gru_gates", "plain")
def reset_gate_ignored(x, hidden, parameters, *, reset="before"):
    z, r, _ = reference("gru_gates", x, hidden, parameters, reset=reset)
    with with_sigmoid(lambda x: np.ones_like(x)):
        return z, r, reference("gru_gates", x, hidden, parameters, reset=reset)[2]


@FAULTS.gradient("gru_gates", "plain")
def gradient_through_the_reset_gate_dropped(cotangents, x, hidden, parameters, *, reset="before"):
    dz, dr, dn = cotangents
    right = right_vjp("gru_gates", cotangents, x, hidden, parameters, reset=reset)
    without = right_vjp("gru_gates", (dz, dr, 0.0 * dn), x, hidden, parameters, reset=reset)
    return {**right, "hidden": without["hidden"]}


@FAULTS.value("lstm_gates", "plain")
def candidate_through_a_sigmoid(x, hidden, cell, parameters):
    i, f, g, o = reference("lstm_gates", x, hidden, cell, parameters)
    return i, f, (1.0 + np.tanh(np.arctanh(g) / 2.0)) / 2.0, o


@FAULTS.value("lstm_gates", "plain")
def input_and_forget_gate_exchanged(x, hidden, cell, parameters):
    i, f, g, o = reference("lstm_gates", x, hidden, cell, parameters)
    return f, i, g, o


@FAULTS.value("lstm_gates", "nan")
def peephole_to_the_cell(x, hidden, cell, parameters):
    i, f, g, o = reference("lstm_gates", x, hidden, cell, parameters)
    return i, f, g, o + 0.0 * cell


@FAULTS.value("simple_rnn", "recurrent")
def activation_ignored(x, parameters, *states, activation="tanh", **keywords):
    return reference("simple_rnn", x, parameters, *states, **keywords)


@FAULTS.value("simple_rnn", "optional")
def output_bias_ignored(x, parameters, hidden=None, output_weights=None, output_bias=None, **keywords):
    return reference("simple_rnn", x, parameters, hidden, output_weights, None, **keywords)


@FAULTS.gradient("simple_rnn", "optional")
def output_weight_gradient_of_the_last_step(cotangents, *arguments, **keywords):
    right = right_vjp("simple_rnn", cotangents, *arguments, **keywords)
    dy = np.array(cotangents[0])
    if dy.ndim == 3:
        dy[:, :-1] = 0.0
    last = right_vjp("simple_rnn", (dy, *cotangents[1:]), *arguments, **keywords)
    return {**right, "output_weights": last["output_weights"]}


@FAULTS.gradient("simple_rnn", "kink")
def derivative_of_relu_at_zero_is_one(cotangents, x, parameters, *states, activation="tanh", **keywords):
    right = right_vjp("simple_rnn", cotangents, x, parameters, *states, activation=activation, **keywords)
    if activation == "tanh":
        return right

    if any("bias" in key for row in parameters for leaf in row for key in leaf):
        return right
    tiny = np.asarray(1e-30, x.dtype)
    shifted = changed(parameters, lambda layer, direction, leaf: leaf | {"bias": leaf["recurrent_weights"][0] * 0.0 + tiny})
    wrong = right_vjp("simple_rnn", cotangents, x, shifted, *states, activation=activation, **keywords)
    return wrong | {"parameters": changed(wrong["parameters"], lambda layer, direction, leaf: leaf | {"bias": None})}


@FAULTS.gradient("lstm_gates", "plain")
def gradient_through_the_output_gate_dropped(cotangents, x, hidden, cell, parameters):
    di, df, dg, do = cotangents
    return right_vjp("lstm_gates", (di, df, dg, 0.0 * do), x, hidden, cell, parameters)
