"""Recurrent layers of Flax, and the gates of one step.

Flax is used through ``flax.linen``, whose modules are pure functions of their parameters: these are arguments, as the suite
needs them to be; the modules of ``flax.nnx`` hold theirs. Flax has an array for each gate, which is an index here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.table import operations

Weights = Mapping[str, Native]
Parameters = Sequence[Sequence[Weights]]

GATED = {"input_weights": "g f h", "recurrent_weights": "g k h"}
LAYOUTS = dict.fromkeys(("lstm", "lstm_gates", "gru", "gru_gates", "padded_lstm", "padded_gru"), GATED)
"""Gates first, in the order of the reference: ifgo and zrn."""
ACTIVATIONS = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "elu": jax.nn.elu,
    "softsign": jax.nn.soft_sign,
}


def _bias(weights: Weights, name: str) -> Native:
    """A bias, or the zeros that stand for none: the cells of Flax always have one."""
    recurrent = weights["recurrent_weights"]
    shape = (*recurrent.shape[:-2], recurrent.shape[-1])
    return weights[name] if name in weights else jnp.zeros(shape, recurrent.dtype)


def _require_one_bias(weights: Weights) -> None:
    if "recurrent_bias" in weights:
        raise Unsupported("the cell of Flax has one bias vector")


def simple_parameters(weights: Weights) -> dict[str, Any]:
    """The parameters of ``flax.linen.SimpleCell``."""
    _require_one_bias(weights)
    return {
        "i": {"kernel": weights["input_weights"], "bias": _bias(weights, "bias")},
        "h": {"kernel": weights["recurrent_weights"]},
    }


def lstm_parameters(weights: Weights) -> dict[str, Any]:
    """The parameters of ``flax.linen.OptimizedLSTMCell``."""
    _require_one_bias(weights)
    bias = _bias(weights, "bias")
    named = {}
    for index, gate in enumerate("ifgo"):
        named[f"i{gate}"] = {"kernel": weights["input_weights"][index]}
        named[f"h{gate}"] = {"kernel": weights["recurrent_weights"][index], "bias": bias[index]}
    return named


def gru_parameters(weights: Weights) -> dict[str, Any]:
    """The parameters of ``flax.linen.GRUCell``, whose update and reset gate have one bias, which is the sum of the two."""
    bias, recurrent = _bias(weights, "bias"), _bias(weights, "recurrent_bias")
    named = {}
    for index, gate in enumerate("zrn"):
        one = bias[index] if gate == "n" else bias[index] + recurrent[index]
        named[f"i{gate}"] = {"kernel": weights["input_weights"][index], "bias": one}
        named[f"h{gate}"] = {"kernel": weights["recurrent_weights"][index]}
    named["hn"]["bias"] = recurrent[2]
    return named


def _direction(
    kind: str, named: dict[str, Any], x: Native, carry: Any, reverse: bool, lengths: Native | None = None, **options: Any
) -> tuple[Any, Native]:
    """The final carry and the outputs of one layer in one direction."""
    units = (carry[0] if isinstance(carry, tuple) else carry).shape[-1]
    layer = linen.RNN(
        getattr(linen, kind)(units, param_dtype=x.dtype, **options), return_carry=True, reverse=reverse, keep_order=True
    )
    final, outputs = layer.apply({"params": {"cell": named}}, x, initial_carry=carry, seq_lengths=lengths)
    return final, outputs


def _stack(
    kind: str,
    x: Native,
    parameters: Sequence[Sequence[dict[str, Any]]],
    states: Sequence[Native],
    return_sequences: bool,
    reverse: bool = False,
    **options: Any,
) -> tuple[Native, list[Native]]:
    """Layers on top of each other, in one direction or two; states are (layers, directions, N, H), as Flax orders its carry."""
    finals: list[list[Any]] = []
    for index, directions in enumerate(parameters):
        carries = [tuple(state[index, number] for state in states) for number in range(len(directions))]
        runs = [
            _direction(kind, named, x, carry if len(carry) > 1 else carry[0], reverse=reverse or number == 1, **options)
            for number, (named, carry) in enumerate(zip(directions, carries, strict=True))
        ]
        x = jnp.concatenate([outputs for _, outputs in runs], -1)
        finals.append([final if isinstance(final, tuple) else (final,) for final, _ in runs])
    hidden = len(states) - 1
    if not return_sequences:
        x = jnp.concatenate([final[hidden] for final in finals[-1]], -1)
    return x, [jnp.stack([jnp.stack([final[number] for final in layer]) for layer in finals]) for number in range(len(states))]


def _initial(state: Native | None, x: Native, parameters: Parameters) -> Native:
    """A state, or zeros."""
    units = parameters[0][0]["recurrent_weights"].shape[-1]
    return jnp.zeros((len(parameters), len(parameters[0]), x.shape[0], units), x.dtype) if state is None else state


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
    """``flax.linen.SimpleCell`` in ``flax.linen.RNN``, followed by a product if there are output weights."""
    named = [[simple_parameters(weights) for weights in layer] for layer in parameters]
    function = ACTIVATIONS[activation]
    y, (h,) = _stack("SimpleCell", x, named, [_initial(hidden, x, parameters)], return_sequences, activation_fn=function)
    if output_weights is not None:
        y = y @ output_weights
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
    """``flax.linen.OptimizedLSTMCell`` in ``flax.linen.RNN``."""
    named = [[lstm_parameters(weights) for weights in layer] for layer in parameters]
    states = [_initial(cell, x, parameters), _initial(hidden, x, parameters)]
    y, (c, h) = _stack("OptimizedLSTMCell", x, named, states, return_sequences)
    return y, h, c


@operations.library
def gru(
    x: Native, parameters: Parameters, hidden: Native | None = None, *, reset: str = "before", return_sequences: bool = True
) -> tuple[Native, Native]:
    """``flax.linen.GRUCell``, which resets after the recurrent product, in ``flax.linen.RNN``."""
    _require_after(reset)
    named = [[gru_parameters(weights) for weights in layer] for layer in parameters]
    y, (h,) = _stack("GRUCell", x, named, [_initial(hidden, x, parameters)], return_sequences)
    return y, h


def _require_after(reset: str) -> None:
    if reset != "after":
        raise Unsupported("flax.linen.GRUCell resets after the recurrent product")


def _functions(activation: str, gate_activation: str) -> dict[str, Any]:
    """The activations of a cell with gates, as Flax calls them."""
    return {"activation_fn": ACTIVATIONS[activation], "gate_fn": ACTIVATIONS[gate_activation]}


def _without_padding(y: Native, lengths: Native | None, return_sequences: bool) -> Native:
    """Outputs with zeros behind the lengths, where ``flax.linen.RNN`` leaves what it computed of the padding."""
    if lengths is None or not return_sequences:
        return y
    return jnp.where((jnp.arange(y.shape[1]) < lengths[:, None])[..., None], y, 0)


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
    """``flax.linen.SimpleCell`` in ``flax.linen.RNN`` with lengths."""
    named = [[simple_parameters(weights) for weights in layer] for layer in parameters]
    options: dict[str, Any] = {"lengths": lengths, "reverse": reverse, "activation_fn": ACTIVATIONS[activation]}
    y, (h,) = _stack("SimpleCell", x, named, [_initial(hidden, x, parameters)], return_sequences, **options)
    return _without_padding(y, lengths, return_sequences), h


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
    """``flax.linen.OptimizedLSTMCell`` in ``flax.linen.RNN`` with lengths."""
    named = [[lstm_parameters(weights) for weights in layer] for layer in parameters]
    states = [_initial(cell, x, parameters), _initial(hidden, x, parameters)]
    functions = _functions(activation, gate_activation)
    y, (c, h) = _stack("OptimizedLSTMCell", x, named, states, return_sequences, reverse, lengths=lengths, **functions)
    return _without_padding(y, lengths, return_sequences), h, c


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
    """``flax.linen.GRUCell``, which resets after the recurrent product, in ``flax.linen.RNN`` with lengths."""
    _require_after(reset)
    named = [[gru_parameters(weights) for weights in layer] for layer in parameters]
    options: dict[str, Any] = {"lengths": lengths, "reverse": reverse, **_functions(activation, gate_activation)}
    y, (h,) = _stack("GRUCell", x, named, [_initial(hidden, x, parameters)], return_sequences, **options)
    return _without_padding(y, lengths, return_sequences), h


def _affine(x: Native, weights: Native, bias: Native | None) -> Native:
    """All gates of a product, gates first."""
    product = jnp.einsum("nf,gfh->gnh", x, weights)
    return product if bias is None else product + bias[:, None]


@operations.composed
def lstm_gates(x: Native, hidden: Native, cell: Native, parameters: Weights) -> tuple[Native, Native, Native, Native]:
    """The formulas: the cells of Flax do not show their gates."""
    from_input = _affine(x, parameters["input_weights"], parameters.get("bias"))
    from_hidden = _affine(hidden, parameters["recurrent_weights"], parameters.get("recurrent_bias"))
    i, f, g, o = from_input + from_hidden
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)


@operations.composed
def gru_gates(x: Native, hidden: Native, parameters: Weights, *, reset: str = "before") -> tuple[Native, Native, Native]:
    """The formulas: the cells of Flax do not show their gates."""
    weights, bias = parameters["recurrent_weights"], parameters.get("recurrent_bias")
    x_z, x_r, x_n = _affine(x, parameters["input_weights"], parameters.get("bias"))
    h_z, h_r, h_n = _affine(hidden, weights, bias)
    z, r = jax.nn.sigmoid(x_z + h_z), jax.nn.sigmoid(x_r + h_r)
    if reset == "before":
        product = (r * hidden) @ weights[2]
        return z, r, jnp.tanh(x_n + (product if bias is None else product + bias[2]))
    return z, r, jnp.tanh(x_n + r * h_n)


for name in ("masked_simple_rnn", "masked_lstm", "masked_gru"):
    operations.unsupported(name, "flax.linen.RNN has lengths, but no mask")
operations.unsupported("peephole_lstm", "the cells of Flax have no peephole connections")
