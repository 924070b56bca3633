"""Recurrent layers of ``paddle.nn`` with the weights given, and the gates of one step."""

import functools
from collections.abc import Sequence
from typing import Any

import paddle
import paddle.nn.functional as F

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, composed, native

GATED = {"input_weights": "(g h) f", "recurrent_weights": "(g h) k", "bias": "(g h)", "recurrent_bias": "(g h)"}
STATES = {"hidden": "(l d) n h", "cell": "(l d) n h", "h": "(l d) n h", "c": "(l d) n h"}
GATES = {**GATED, "input_weights": "f (g h)", "recurrent_weights": "k (g h)"}
LAYOUTS = {
    "simple_rnn": {"input_weights": "h f", "recurrent_weights": "h k", "hidden": STATES["hidden"], "h": STATES["h"]},
    "lstm": {**GATED, **STATES},
    "gru": {**GATED, "hidden": STATES["hidden"], "h": STATES["h"], "g": "rzn"},
    "lstm_gates": GATES,
    "gru_gates": GATES,
}


@functools.cache
def _layer(kind: str, features: int, units: int, layers: int, direction: str, **options: Any) -> Any:
    with paddle.base.dygraph.guard():  # Users make layers before they trace calls of them.
        return getattr(paddle.nn, kind)(features, units, layers, direction, **options)


def _run(kind: str, of: Given, states: Sequence[Native | None], **options: Any) -> tuple[Native, ...]:
    """The layer's output, or its last, and its final states. Its kernel takes all weights, then all biases, zero if not given."""
    directions = [direction for layer in of.parameters for direction in layer]
    recurrent, two = directions[0]["recurrent_weights"], len(of.parameters[0]) == 2
    direction = "bidirectional" if two else "forward"
    layer = _layer(kind, of.x.shape[-1], recurrent.shape[1], len(of.parameters), direction, **options)
    like = directions[0].get("bias", directions[0].get("recurrent_bias", recurrent[:, 0]))
    # Zeros that are differentiable: the kernel's gradient wants the gradients of all weights.
    zeros = paddle.where(paddle.zeros_like(like, "bool"), like, paddle.zeros_like(like))
    layer._all_weights = [
        *(weights[name] for weights in directions for name in ("input_weights", "recurrent_weights")),
        *(weights.get(name, zeros) for weights in directions for name in ("bias", "recurrent_bias")),
    ]
    none = paddle.zeros([len(directions), of.x.shape[0], recurrent.shape[1]], of.x.dtype)
    y, after = layer(of.x, [none if state is None else state for state in states])
    after = after if isinstance(after, tuple) else (after,)
    if not of.return_sequences:
        y = paddle.concat([after[0][-2], after[0][-1]], -1) if two else after[0][-1]
    return y, *after


def _simple_rnn(of: Given) -> tuple[Native, Native]:
    """``paddle.nn.SimpleRNN``, followed by ``F.linear`` if there are output weights."""
    y, h = _run("SimpleRNN", of, [of.hidden], activation=of.activation)
    return (y if of.output_weights is None else F.linear(y, of.output_weights, of.output_bias)), h


def _pre_activations(of: Given, gates: int) -> tuple[list[Native], list[Native]]:
    from_input = F.linear(of.x, of.parameters["input_weights"], of.parameters.get("bias"))
    from_hidden = F.linear(of.hidden, of.parameters["recurrent_weights"], of.parameters.get("recurrent_bias"))
    return paddle.split(from_input, gates, -1), paddle.split(from_hidden, gates, -1)


def _lstm_gates(of: Given) -> tuple[Native, ...]:
    """The formulas: ``paddle.nn.LSTMCell`` does not show its gates."""
    i, f, g, o = (a + b for a, b in zip(*_pre_activations(of, 4), strict=True))
    return F.sigmoid(i), F.sigmoid(f), paddle.tanh(g), F.sigmoid(o)


def _gru_gates(of: Given) -> tuple[Native, ...]:
    """The formulas, with the reset after the product: ``paddle.nn.GRUCell`` does not show its gates."""
    (x_z, x_r, x_n), (h_z, h_r, h_n) = _pre_activations(of, 3)
    z, r = F.sigmoid(x_z + h_z), F.sigmoid(x_r + h_r)
    return z, r, paddle.tanh(x_n + r * h_n)


native("simple_rnn", _simple_rnn)
native("lstm", lambda of: _run("LSTM", of, [of.hidden, of.cell]))
native("gru", lambda of: _run("GRU", of, [of.hidden]), reset="after")
composed("lstm_gates", _lstm_gates)
composed("gru_gates", _gru_gates, reset="after")
