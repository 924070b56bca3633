"""Recurrent layers by ``keras.layers``, and their gates by ``keras.ops``."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_keras.engines import keras
from tensorproof_keras.functions import dtype_of, layer
from tensorproof_keras.table import operations

ops = keras.ops
Weights = Mapping[str, Native]
Parameters = Sequence[Sequence[Weights]]
MERGED = {"input_weights": "f (g h)", "recurrent_weights": "k (g h)", "bias": "(g h)", "recurrent_bias": "(g h)"}
LAYOUTS = dict.fromkeys(("lstm", "lstm_gates", "gru", "gru_gates"), MERGED)


def _weights(direction: Weights, two_biases: bool) -> list[Native]:
    """The weights of one direction in Keras's order."""
    kernels = [direction["input_weights"], direction["recurrent_weights"]]
    bias, recurrent = direction.get("bias"), direction.get("recurrent_bias")
    if bias is None and recurrent is None:
        return kernels
    if not two_biases:
        if recurrent is not None:
            raise Unsupported("Keras has one bias vector here")
        return [*kernels, bias]
    bias = ops.zeros_like(recurrent) if bias is None else bias
    return [*kernels, ops.stack([bias, ops.zeros_like(bias) if recurrent is None else recurrent])]


def _stack(
    kind: str,
    x: Native,
    parameters: Parameters,
    states: Sequence[Native | None],
    return_sequences: bool,
    two_biases: bool = False,
    **options: Any,
) -> tuple[Native, list[Native]]:
    """Layers on top of each other; states are (layers, directions, n, h)."""
    finals: list[list[Native]] = [[] for _ in states]
    for index, directions in enumerate(parameters):
        units = directions[0]["recurrent_weights"].shape[0]
        weights = [_weights(direction, two_biases) for direction in directions]
        shape = (len(parameters), len(directions), x.shape[0], units)
        given = any(state is not None for state in states)
        whole = [ops.zeros(shape, dtype_of(x)) if state is None else state for state in states] if given else []
        initial = [state[index, direction] for direction in range(len(directions)) for state in whole]
        (x, *after), _ = layer(
            kind,
            x,
            [weight for direction in weights for weight in direction],
            bidirectional=len(directions) == 2,
            call_initial_state=initial or None,
            units=units,
            use_bias=len(weights[0]) == 3,
            return_sequences=return_sequences or index + 1 < len(parameters),
            return_state=True,
            **options,
        )
        for number, final in enumerate(finals):
            final.append(ops.stack(after[number :: len(states)]))
    return x, [ops.stack(final) for final in finals]


@operations.native
def simple_rnn(
    x: Native,
    parameters: Parameters,
    hidden: Native | None = None,
    output_weights: Native | None = None,
    output_bias: Native | None = None,
    *,
    activation: str = "tanh",
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``layers.SimpleRNN``, followed by a product if there are output weights."""
    y, (h,) = _stack("SimpleRNN", x, parameters, [hidden], return_sequences, activation=activation)
    y = y if output_weights is None else ops.matmul(y, output_weights)
    return (y if output_bias is None else y + output_bias), h


@operations.native
def lstm(
    x: Native, parameters: Parameters, hidden: Native | None = None, cell: Native | None = None, *, return_sequences: bool = True
) -> tuple[Native, Native, Native]:
    """``layers.LSTM``."""
    y, (h, c) = _stack("LSTM", x, parameters, [hidden, cell], return_sequences)
    return y, h, c


@operations.native
def gru(
    x: Native, parameters: Parameters, hidden: Native | None = None, *, reset: str = "before", return_sequences: bool = True
) -> tuple[Native, Native]:
    """``layers.GRU``, which has a recurrent bias if the reset gate comes after the product."""
    after = reset == "after"
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, after, reset_after=after)
    return y, h


def _affine(x: Native, weight: Native, bias: Native | None) -> Native:
    return ops.matmul(x, weight) if bias is None else ops.matmul(x, weight) + bias


@operations.composed
def lstm_gates(x: Native, hidden: Native, cell: Native, parameters: Weights) -> tuple[Native, Native, Native, Native]:
    """The formulas: Keras does not show its gates."""
    from_input = _affine(x, parameters["input_weights"], parameters.get("bias"))
    from_hidden = _affine(hidden, parameters["recurrent_weights"], parameters.get("recurrent_bias"))
    i, f, g, o = ops.split(from_input + from_hidden, 4, axis=-1)
    return ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)


@operations.composed
def gru_gates(x: Native, hidden: Native, parameters: Weights, *, reset: str = "before") -> tuple[Native, Native, Native]:
    """The formulas, with the reset gate after the product."""
    if reset != "after":
        raise Unsupported("the gates are composed with the reset after the product")
    x_z, x_r, x_n = ops.split(_affine(x, parameters["input_weights"], parameters.get("bias")), 3, axis=-1)
    weights, bias = parameters["recurrent_weights"], parameters.get("recurrent_bias")
    h_z, h_r, h_n = ops.split(_affine(hidden, weights, bias), 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    return z, r, ops.tanh(x_n + r * h_n)
