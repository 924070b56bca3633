"""Recurrent layers of Keras, and the gates of one step."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

Weights = Mapping[str, Native]
Parameters = Sequence[Sequence[Weights]]

MERGED = {
    "input_weights": "f (g h)",
    "recurrent_weights": "k (g h)",
    "bias": "(g h)",
    "recurrent_bias": "(g h)",
}
LAYOUTS = dict.fromkeys(("lstm", "lstm_gates", "gru", "gru_gates", "padded_lstm", "padded_gru"), MERGED)
"""Keras merges gates and units, in the order of the reference: ifgo (Keras calls g c) and zrn (Keras calls n h)."""


def keras_weights(direction: Weights, two_biases: bool) -> list[Native]:
    """The weights of one direction in the order of Keras."""
    kernels = [direction["input_weights"], direction["recurrent_weights"]]
    bias, recurrent = direction.get("bias"), direction.get("recurrent_bias")
    if bias is None and recurrent is None:
        return kernels
    if not two_biases:
        if recurrent is not None:
            raise Unsupported("Keras has one bias vector here")
        return [*kernels, bias]
    bias = tf.zeros_like(recurrent) if bias is None else bias
    return [*kernels, tf.stack([bias, tf.zeros_like(bias) if recurrent is None else recurrent])]


def _stack(
    kind: str,
    x: Native,
    parameters: Parameters,
    states: Sequence[Native | None],
    return_sequences: bool,
    *,
    two_biases: bool = False,
    mask: Native | None = None,
    reverse: bool = False,
    **options: Any,
) -> tuple[Native, list[Native]]:
    """Layers on top of each other, each bidirectional if it has two directions; states are (layers, directions, N, H).

    ``mask`` says which steps count. Steps that do not are zero in the output, and states pass by them.
    """
    arguments = {} if mask is None else {"mask": mask}
    finals: list[list[Native]] = [[] for _ in states]
    for index, directions in enumerate(parameters):
        units = directions[0]["recurrent_weights"].shape[0]
        weights = [keras_weights(direction, two_biases) for direction in directions]
        shape = (len(parameters), len(directions), x.shape[0], units)
        given = any(state is not None for state in states)
        whole = [tf.zeros(shape, x.dtype) if state is None else state for state in states] if given else []
        initial = [state[index, direction] for direction in range(len(directions)) for state in whole]
        whole_output = return_sequences or index + 1 < len(parameters)
        (x, *after), _ = layers.call(
            kind,
            x,
            [weight for direction in weights for weight in direction],
            bidirectional=len(directions) == 2,
            arguments={"initial_state": initial or None, **arguments},
            units=units,
            use_bias=len(weights[0]) == 3,
            return_sequences=whole_output,
            # Where only the last output is asked for, this would make it zero if the last step does not count.
            zero_output_for_mask=mask is not None and whole_output,
            go_backwards=reverse,
            return_state=True,
            recurrent_initializer="zeros",
            **options,
        )
        x = tf.reverse(x, [1]) if reverse and whole_output else x  # a layer that goes backwards leaves its outputs so
        for number, final in enumerate(finals):
            final.append(tf.stack(after[number :: len(states)]))
    return x, [tf.stack(final) for final in finals]


@operations.library
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
    """``keras.layers.SimpleRNN``, followed by a product if there are output weights."""
    y, (h,) = _stack("SimpleRNN", x, parameters, [hidden], return_sequences, activation=activation)
    if output_weights is not None:
        y = tf.linalg.matmul(y, output_weights)
    return y if output_bias is None else y + output_bias, h


@operations.library
def lstm(
    x: Native,
    parameters: Parameters,
    hidden: Native | None = None,
    cell: Native | None = None,
    *,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``keras.layers.LSTM``."""
    y, (h, c) = _stack("LSTM", x, parameters, [hidden, cell], return_sequences)
    return y, h, c


@operations.library
def gru(
    x: Native,
    parameters: Parameters,
    hidden: Native | None = None,
    *,
    reset: str = "before",
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.GRU``, which has a recurrent bias if the reset gate comes after the product."""
    after = reset == "after"
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, two_biases=after, reset_after=after)
    return y, h


def _mask(x: Native, lengths: Native | None) -> Native | None:
    """Which steps count."""
    return None if lengths is None else tf.sequence_mask(lengths, x.shape[1])


@operations.library
def padded_simple_rnn(
    x: Native,
    parameters: Parameters,
    lengths: Native | None = None,
    hidden: Native | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.SimpleRNN`` with a mask."""
    options: dict[str, Any] = {"activation": activation, "mask": _mask(x, lengths), "reverse": reverse}
    y, (h,) = _stack("SimpleRNN", x, parameters, [hidden], return_sequences, **options)
    return y, h


@operations.library
def padded_lstm(
    x: Native,
    parameters: Parameters,
    lengths: Native | None = None,
    hidden: Native | None = None,
    cell: Native | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``keras.layers.LSTM`` with a mask."""
    y, (h, c) = _stack("LSTM", x, parameters, [hidden, cell], return_sequences, mask=_mask(x, lengths), reverse=reverse)
    return y, h, c


@operations.library
def padded_gru(
    x: Native,
    parameters: Parameters,
    lengths: Native | None = None,
    hidden: Native | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.GRU`` with a mask."""
    after = reset == "after"
    options: dict[str, Any] = {"mask": _mask(x, lengths), "reverse": reverse, "two_biases": after, "reset_after": after}
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, **options)
    return y, h


def _affine(x: Native, weight: Native, bias: Native | None) -> Native:
    product = tf.linalg.matmul(x, weight)
    return product if bias is None else product + bias


@operations.composed
def lstm_gates(x: Native, hidden: Native, cell: Native, parameters: Weights) -> tuple[Native, Native, Native, Native]:
    """The formulas: Keras does not show its gates."""
    from_input = _affine(x, parameters["input_weights"], parameters.get("bias"))
    from_hidden = _affine(hidden, parameters["recurrent_weights"], parameters.get("recurrent_bias"))
    i, f, g, o = tf.split(from_input + from_hidden, 4, axis=-1)
    return tf.math.sigmoid(i), tf.math.sigmoid(f), tf.math.tanh(g), tf.math.sigmoid(o)


@operations.composed
def gru_gates(x: Native, hidden: Native, parameters: Weights, *, reset: str = "before") -> tuple[Native, Native, Native]:
    """The formulas: Keras does not show its gates."""
    weights, recurrent_bias = parameters["recurrent_weights"], parameters.get("recurrent_bias")
    x_z, x_r, x_n = tf.split(_affine(x, parameters["input_weights"], parameters.get("bias")), 3, axis=-1)
    h_z, h_r, h_n = tf.split(_affine(hidden, weights, recurrent_bias), 3, axis=-1)
    z, r = tf.math.sigmoid(x_z + h_z), tf.math.sigmoid(x_r + h_r)
    if reset == "after":
        return z, r, tf.math.tanh(x_n + r * h_n)
    units = hidden.shape[-1]
    bias = None if recurrent_bias is None else recurrent_bias[2 * units :]
    return z, r, tf.math.tanh(x_n + _affine(r * hidden, weights[:, 2 * units :], bias))
