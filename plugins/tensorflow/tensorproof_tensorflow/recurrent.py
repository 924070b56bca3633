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
GATED = ("lstm", "lstm_gates", "gru", "gru_gates", "padded_lstm", "padded_gru", "masked_lstm", "masked_gru")
LAYOUTS: dict[str, dict[str, str]] = {**dict.fromkeys(GATED, MERGED), "peephole_lstm": {**MERGED, "g": "igfo"}}
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
    zero_padding: bool = False,
    reverse: bool = False,
    **options: Any,
) -> tuple[Native, list[Native]]:
    """Layers on top of each other, each bidirectional if it has two directions; states are (layers, directions, N, H).

    ``mask`` says which steps count, and states pass by the others. There the output is zero with ``zero_padding``, else that of
    the step before.
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
            zero_output_for_mask=zero_padding and whole_output,
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
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, **_reset(reset))
    return y, h


def _reset(reset: str) -> dict[str, bool]:
    """Where ``keras.layers.GRU`` resets."""
    return {"two_biases": reset == "after", "reset_after": reset == "after"}


def _padding(x: Native, lengths: Native | None) -> dict[str, Any]:
    """Which steps count, and that the others are zero."""
    return {} if lengths is None else {"mask": tf.sequence_mask(lengths, x.shape[1]), "zero_padding": True}


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
    options: dict[str, Any] = {"activation": activation, "reverse": reverse, **_padding(x, lengths)}
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
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``keras.layers.LSTM`` with a mask."""
    options: dict[str, Any] = {"activation": activation, "recurrent_activation": gate_activation, "reverse": reverse}
    y, (h, c) = _stack("LSTM", x, parameters, [hidden, cell], return_sequences, **options, **_padding(x, lengths))
    return y, h, c


@operations.library
def padded_gru(
    x: Native,
    parameters: Parameters,
    lengths: Native | None = None,
    hidden: Native | None = None,
    *,
    reset: str = "before",
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.GRU`` with a mask."""
    options: dict[str, Any] = {"activation": activation, "recurrent_activation": gate_activation, "reverse": reverse}
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, **options, **_reset(reset), **_padding(x, lengths))
    return y, h


@operations.library
def masked_simple_rnn(
    x: Native,
    parameters: Parameters,
    mask: Native | None = None,
    hidden: Native | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.SimpleRNN`` with a mask."""
    y, (h,) = _stack("SimpleRNN", x, parameters, [hidden], return_sequences, mask=mask, reverse=reverse)
    return y, h


@operations.library
def masked_lstm(
    x: Native,
    parameters: Parameters,
    mask: Native | None = None,
    hidden: Native | None = None,
    cell: Native | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``keras.layers.LSTM`` with a mask."""
    y, (h, c) = _stack("LSTM", x, parameters, [hidden, cell], return_sequences, mask=mask, reverse=reverse)
    return y, h, c


@operations.library
def masked_gru(
    x: Native,
    parameters: Parameters,
    mask: Native | None = None,
    hidden: Native | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Native, Native]:
    """``keras.layers.GRU`` with a mask."""
    y, (h,) = _stack("GRU", x, parameters, [hidden], return_sequences, mask=mask, reverse=reverse, **_reset(reset))
    return y, h


def _block(x: Native, weights: Weights, hidden: Native, cell: Native, cell_clip: float | None) -> tuple[Native, Native]:
    """The outputs and states of the cell of one layer in one direction, time first, by ``tf.raw_ops.BlockLSTM``.

    The gradient of ``BlockLSTMV2`` takes its gates in the order of this one, and so is wrong.
    """
    if "recurrent_bias" in weights:
        raise Unsupported("tf.raw_ops.BlockLSTM has one bias vector")
    on_i, on_f, on_o = tf.unstack(weights["peephole_weights"])
    kernel = tf.concat([weights["input_weights"], weights["recurrent_weights"]], 0)
    found = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(x.shape[0], tf.int64),
        x=x,
        cs_prev=cell,
        h_prev=hidden,
        w=kernel,
        wci=on_i,
        wcf=on_f,
        wco=on_o,
        b=weights["bias"] if "bias" in weights else tf.zeros(kernel.shape[1], x.dtype),
        forget_bias=0.0,
        cell_clip=-1.0 if cell_clip is None else cell_clip,  # not above 0: none
        use_peephole=True,
    )
    return found.h, found.cs


@operations.native
def peephole_lstm(
    x: Native,
    parameters: Parameters,
    hidden: Native | None = None,
    cell: Native | None = None,
    *,
    cell_clip: float | None = None,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``tf.raw_ops.BlockLSTM`` for each layer and direction."""
    shape = (len(parameters), len(parameters[0]), x.shape[0], parameters[0][0]["recurrent_weights"].shape[0])
    hidden, cell = (tf.zeros(shape, x.dtype) if state is None else state for state in (hidden, cell))
    sequence = tf.transpose(x, [1, 0, 2])
    finals: list[list[tuple[Native, Native]]] = []
    for layer, directions in enumerate(parameters):
        outputs = []
        finals.append([])
        for direction, weights in enumerate(directions):
            along = tf.reverse(sequence, [0]) if direction else sequence
            h, c = _block(along, weights, hidden[layer, direction], cell[layer, direction], cell_clip)
            outputs.append(tf.reverse(h, [0]) if direction else h)
            finals[-1].append((h[-1], c[-1]))
        sequence = tf.concat(outputs, -1)
    h, c = (tf.stack([tf.stack([final[kind] for final in row]) for row in finals]) for kind in (0, 1))
    y = tf.transpose(sequence, [1, 0, 2]) if return_sequences else tf.concat([final[0] for final in finals[-1]], -1)
    return y, h, c


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
