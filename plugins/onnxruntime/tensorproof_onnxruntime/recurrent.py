"""``LSTM``, ``GRU`` and ``RNN``: a node for each layer, time first, directions stacked, gates in ONNX's order."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.backend import Unsupported
from tensorproof_onnxruntime.functions import dense
from tensorproof_onnxruntime.graph import Symbol, indices, node, nodes
from tensorproof_onnxruntime.table import operations

Parameters = Sequence[Sequence[Mapping[str, Symbol]]]

GATED = {"x": "t n f", "input_weights": "(g h) f", "recurrent_weights": "(g h) k", "bias": "(g h)", "recurrent_bias": "(g h)"}
GATES = {"input_weights": "f (g h)", "recurrent_weights": "k (g h)", "bias": "(g h)", "recurrent_bias": "(g h)"}
LAYOUTS = {
    "lstm": {**GATED, "g": "iofg"},
    "gru": {**GATED, "g": "zrn"},
    "lstm_gates": GATES,
    "gru_gates": GATES,
    "simple_rnn": {"x": "t n f", "input_weights": "h f", "recurrent_weights": "h k"},
}


def _stacked(arrays: Sequence[Symbol]) -> Symbol:
    """Arrays of the directions behind each other on a new first axis."""
    return node("Concat", *(node("Unsqueeze", array, indices(array, [0])) for array in arrays), axis=0)


def _biases(directions: Sequence[Mapping[str, Symbol]]) -> Symbol | None:
    """The biases of input and state in one array; one that is missing is zero."""
    if not directions[0].keys() & {"bias", "recurrent_bias"}:
        return None
    rows = []
    for weights in directions:
        some = weights.get("bias", weights.get("recurrent_bias"))
        assert some is not None
        both = [weights.get(name, some - some) for name in ("bias", "recurrent_bias")]
        rows.append(node("Concat", *both, axis=0))
    return _stacked(rows)


def _part(states: Symbol | None, layer: int, layers: int) -> Symbol | None:
    """The states of one layer, (directions, n, h)."""
    if states is None:
        return None
    parts = nodes("Split", states, dtypes=[states.dtype] * layers, axis=0, num_outputs=layers)
    return node("Squeeze", parts[layer], indices(states, [0]))


def _run(kind: str, x: Symbol, parameters: Parameters, states: Sequence[Symbol | None], **attributes: Any) -> Any:
    """The last layer's outputs, (n, t, d · h), its last ones, (n, d · h), and the final states of all layers."""
    finals: list[list[Symbol]] = [[] for _ in states]
    last = x
    for layer, directions in enumerate(parameters):
        units = directions[0]["recurrent_weights"].shape
        assert units is not None
        weights, recurrent = (_stacked([item[name] for item in directions]) for name in ("input_weights", "recurrent_weights"))
        given = [_part(state, layer, len(parameters)) for state in states]
        y, *ends = nodes(
            kind,
            *(x, weights, recurrent, _biases(directions), None, *given),
            dtypes=[x.dtype] * (1 + len(states)),
            hidden_size=units[-1],
            direction="bidirectional" if len(directions) == 2 else "forward",
            **attributes,
        )
        for final, end in zip(finals, ends, strict=True):
            final.append(node("Unsqueeze", end, indices(x, [0])))
        last = node("Reshape", node("Transpose", ends[0], perm=[1, 0, 2]), indices(x, [0, -1]))
        x = node("Reshape", node("Transpose", y, perm=[0, 2, 1, 3]), indices(x, [0, 0, -1]))
    return node("Transpose", x, perm=[1, 0, 2]), last, [node("Concat", *final, axis=0) for final in finals]


@operations.native
def lstm(
    x: Symbol,
    parameters: Parameters,
    hidden: Symbol | None = None,
    cell: Symbol | None = None,
    *,
    return_sequences: bool = True,
) -> tuple[Symbol, Symbol, Symbol]:
    """``LSTM``."""
    y, last, (h, c) = _run("LSTM", x, parameters, (hidden, cell))
    return (y if return_sequences else last), h, c


@operations.native
def gru(
    x: Symbol, parameters: Parameters, hidden: Symbol | None = None, *, reset: str = "before", return_sequences: bool = True
) -> tuple[Symbol, Symbol]:
    """``GRU``, which resets before the recurrent product or after it."""
    y, last, (h,) = _run("GRU", x, parameters, (hidden,), linear_before_reset=int(reset == "after"))
    return (y if return_sequences else last), h


@operations.native
def simple_rnn(
    x: Symbol,
    parameters: Parameters,
    hidden: Symbol | None = None,
    output_weights: Symbol | None = None,
    output_bias: Symbol | None = None,
    *,
    activation: str = "tanh",
    return_sequences: bool = True,
) -> tuple[Symbol, Symbol]:
    """``RNN``, followed by ``MatMul`` and ``Add`` if there are output weights."""
    if activation not in ("tanh", "relu"):
        raise Unsupported(f"no activation {activation}")
    names = [activation.capitalize()] * len(parameters[0])
    y, last, (h,) = _run("RNN", x, parameters, (hidden,), activations=names)
    y = y if return_sequences else last
    return (y if output_weights is None else dense(y, output_weights, output_bias)), h
