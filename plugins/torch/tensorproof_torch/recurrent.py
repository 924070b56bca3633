"""Recurrent layers of ``torch.nn`` with the weights given, and the gates of one step."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.utils import rnn

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

Weights = Mapping[str, Native]
Parameters = Sequence[Sequence[Weights]]

GATED = {"input_weights": "(g h) f", "recurrent_weights": "(g h) k", "bias": "(g h)", "recurrent_bias": "(g h)"}
STATES = {"hidden": "(l d) n h", "cell": "(l d) n h", "h": "(l d) n h", "c": "(l d) n h"}
PLAIN = {"input_weights": "h f", "recurrent_weights": "h k", "output_weights": "o k", **STATES}
LAYOUTS = {
    "simple_rnn": {name: PLAIN[name] for name in ("input_weights", "recurrent_weights", "output_weights", "hidden", "h")},
    "lstm": {**GATED, **STATES},
    "gru": {**GATED, "hidden": STATES["hidden"], "h": STATES["h"], "g": "rzn"},
    "lstm_gates": GATED,
    "gru_gates": {**GATED, "g": "rzn"},
}
LAYOUTS |= {f"padded_{name}": LAYOUTS[name] for name in ("simple_rnn", "lstm", "gru")}
NAMES = {"input_weights": "weight_ih", "recurrent_weights": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh"}


@functools.cache
def _build(kind: str, features: int, units: int, layers: int, two_directions: bool, bias: bool, **options: Any) -> Any:
    """A layer of ``torch.nn`` without memory for its parameters, which are given in each call."""
    return getattr(torch.nn, kind)(
        *(features, units, layers),
        bidirectional=two_directions,
        bias=bias,
        batch_first=True,
        device="meta",
        **options,
    )


compiler: Any = torch.compiler
_module: Callable[..., Any] = compiler.disable(_build)
"""``_build``, at which Dynamo breaks the graph, as it does at the recurrent layer itself."""


def named_parameters(parameters: Parameters) -> dict[str, Native]:
    """The parameters as the layer names them; where only one of two biases is given, the other is zero."""
    named: dict[str, Native] = {}
    for layer, directions in enumerate(parameters):
        for suffix, weights in zip(("", "_reverse"), directions, strict=False):
            given = dict(weights)
            biases = [given[name] for name in ("bias", "recurrent_bias") if name in given]
            if len(biases) == 1:
                given = {"bias": torch.zeros_like(biases[0]), "recurrent_bias": torch.zeros_like(biases[0]), **given}
            named |= {f"{NAMES[name]}_l{layer}{suffix}": value for name, value in given.items()}
    return named


def _call(kind: str, x: Any, parameters: Parameters, states: Any, return_sequences: bool, **options: Any) -> Any:
    """The layer's output, or its last, and its final states; ``x`` is a tensor, or sequences that are packed."""
    named = named_parameters(parameters)
    units, directions = named["weight_hh_l0"].shape[1], len(parameters[0])
    features = named["weight_ih_l0"].shape[1]
    module = _module(kind, features, units, len(parameters), directions == 2, "bias_ih_l0" in named, **options)
    y, states = torch.func.functional_call(module, named, (x, states))
    if not return_sequences:
        h = states[0] if isinstance(states, tuple) else states
        y = h[-1] if directions == 1 else torch.cat((h[-2], h[-1]), -1)
    return y, states


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
    """``torch.nn.RNN``, followed by ``F.linear`` if there are output weights."""
    y, h = _call("RNN", x, parameters, hidden, return_sequences, nonlinearity=activation)
    return (y if output_weights is None else F.linear(y, output_weights, output_bias)), h


@operations.native
def lstm(
    x: Native,
    parameters: Parameters,
    hidden: Native | None = None,
    cell: Native | None = None,
    *,
    return_sequences: bool = True,
) -> tuple[Native, Native, Native]:
    """``torch.nn.LSTM``."""
    y, (h, c) = _call("LSTM", x, parameters, _both(hidden, cell), return_sequences)
    return y, h, c


def _both(hidden: Native | None, cell: Native | None) -> tuple[Native, Native] | None:
    """The two states of an LSTM, zero where only the other is given."""
    given = hidden if hidden is not None else cell
    if given is None:
        return None
    zeros = torch.zeros_like(given)
    return zeros if hidden is None else hidden, zeros if cell is None else cell


@operations.native
def gru(
    x: Native, parameters: Parameters, hidden: Native | None = None, *, reset: str = "before", return_sequences: bool = True
) -> tuple[Native, Native]:
    """``torch.nn.GRU``, which resets after the recurrent product."""
    _require_after(reset)
    y, h = _call("GRU", x, parameters, hidden, return_sequences)
    return y, h


def _require_after(reset: str) -> None:
    if reset != "after":
        raise Unsupported("torch.nn.GRU resets after the recurrent product")


def _require_usual(activation: str, gate_activation: str) -> None:
    if (activation, gate_activation) != ("tanh", "sigmoid"):
        raise Unsupported("torch.nn.LSTM and GRU have no other activations than tanh and sigmoid")


def _turned(x: Native, lengths: Native | None) -> Native:
    """Each sequence from its last step to its first, and back; padding stays where it is."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    places = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return torch.take_along_dim(x, places[..., None], 1)


def _padded(
    kind: str,
    x: Native,
    parameters: Parameters,
    lengths: Native | None,
    states: Any,
    reverse: bool,
    return_sequences: bool,
    **options: Any,
) -> Any:
    """The layer over packed sequences. It has no direction that is backward alone: sequences are turned before and after."""
    given = _turned(x, lengths) if reverse else x
    if lengths is None:
        y, states = _call(kind, given, parameters, states, return_sequences, **options)
    else:
        packed = rnn.pack_padded_sequence(given, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, states = _call(kind, packed, parameters, states, return_sequences, **options)
        if return_sequences:
            y, _ = rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    return (_turned(y, lengths) if reverse and return_sequences else y), states


@operations.native
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
    """``torch.nn.RNN`` over ``torch.nn.utils.rnn.pack_padded_sequence``."""
    if activation not in ("tanh", "relu"):
        raise Unsupported("torch.nn.RNN has no other activation than tanh and relu")
    y, h = _padded("RNN", x, parameters, lengths, hidden, reverse, return_sequences, nonlinearity=activation)
    return y, h


@operations.native
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
    """``torch.nn.LSTM`` over ``torch.nn.utils.rnn.pack_padded_sequence``."""
    _require_usual(activation, gate_activation)
    y, (h, c) = _padded("LSTM", x, parameters, lengths, _both(hidden, cell), reverse, return_sequences)
    return y, h, c


@operations.native
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
    """``torch.nn.GRU``, which resets after the product, over ``torch.nn.utils.rnn.pack_padded_sequence``."""
    _require_after(reset)
    _require_usual(activation, gate_activation)
    y, h = _padded("GRU", x, parameters, lengths, hidden, reverse, return_sequences)
    return y, h


@operations.composed
def lstm_gates(x: Native, hidden: Native, cell: Native, parameters: Weights) -> tuple[Native, Native, Native, Native]:
    """The formulas: ``torch.nn.LSTMCell`` does not show its gates."""
    from_input = F.linear(x, parameters["input_weights"], parameters.get("bias"))
    from_hidden = F.linear(hidden, parameters["recurrent_weights"], parameters.get("recurrent_bias"))
    i, f, g, o = (from_input + from_hidden).chunk(4, -1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


@operations.composed
def gru_gates(x: Native, hidden: Native, parameters: Weights, *, reset: str = "before") -> tuple[Native, Native, Native]:
    """The formulas: ``torch.nn.GRUCell`` does not show its gates."""
    weights, bias = parameters["recurrent_weights"], parameters.get("recurrent_bias")
    x_r, x_z, x_n = F.linear(x, parameters["input_weights"], parameters.get("bias")).chunk(3, -1)
    h_r, h_z, h_n = F.linear(hidden, weights, bias).chunk(3, -1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    if reset == "after":
        return z, r, torch.tanh(x_n + r * h_n)
    units = hidden.shape[-1]
    return z, r, torch.tanh(x_n + F.linear(r * hidden, weights[2 * units :], None if bias is None else bias[2 * units :]))


for name in ("masked_simple_rnn", "masked_lstm", "masked_gru"):
    operations.unsupported(name, "the recurrent layers of torch.nn have lengths, but no mask")
operations.unsupported("peephole_lstm", "torch.nn.LSTM has no peephole connections")
