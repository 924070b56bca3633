"""What the recurrent operations share: walking through layers, directions and time, and the inputs of their samples.

Inside this file sequences are time-first, ``(T, N, ...)``. The parameters of one layer and direction are a dict, called a leaf
here: ``input_weights`` (F, G, H), ``recurrent_weights`` (H, G, H), ``bias`` (G, H) and ``recurrent_bias`` (G, H), of which either
bias may be missing; a cell without gates has no axis G.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._cell_activations import VALUES
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Leaf: TypeAlias = dict[str, Array]
"""The parameters of one layer and direction, or their gradients."""

Parameters: TypeAlias = list[list[Leaf]]
"""The leaves by layer and direction."""

Memory: TypeAlias = Any
"""What a run through time leaves for its way back."""

Run: TypeAlias = Callable[[Array, Leaf, tuple[Array, ...]], tuple[Array, tuple[Array, ...], Memory]]
"""(inputs (T, N, F), leaf, initial states (N, H)) -> (hidden states (T, N, H), final states, memory)."""

Back: TypeAlias = Callable[[Array, tuple[Array, ...], Leaf, Memory], tuple[Array, Leaf, tuple[Array, ...]]]
"""(d hidden states, d final states, leaf, memory) -> (d inputs, d leaf, d initial states)."""

ALL_BUT_BFLOAT16 = ("float64", "float32", "float16")
"""For gradients that are sums of few terms, which may nearly cancel: in 8 bits they may mean nothing."""

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
NONE: Shapes = {}

_WEIGHTS = ("input_weights", "recurrent_weights")
_BIASES = ("bias", "recurrent_bias")


def require_leaf(leaf: Any, name: str, features: int, gates: tuple[int, ...], further: Shapes = NONE) -> int:
    """The number of units of a leaf for ``features`` inputs; ``gates`` is (G,), or () for a cell without gates.

    ``further`` are the shapes before the axis of units of other weights that must be there.

    Raises:
        ValueError: a weight is missing, unknown, or of another shape; ``name`` says which leaf.
    """
    require(isinstance(leaf, Mapping), name, "a dict of arrays", type(leaf).__name__)
    needed = (*_WEIGHTS, *further)
    missing = [key for key in needed if leaf.get(key) is None]
    require(not missing, name, f"the keys {', '.join(needed)}", sorted(leaf))
    unknown = [key for key in leaf if key not in needed + _BIASES]
    require(not unknown, name, f"no other keys than {', '.join(needed + _BIASES)}", unknown)
    require_rank(leaf["recurrent_weights"], f"{name}.recurrent_weights", 2 + len(gates))
    units = int(leaf["recurrent_weights"].shape[-1])
    require_shape(leaf["input_weights"], f"{name}.input_weights", (features, *gates, units))
    require_shape(leaf["recurrent_weights"], f"{name}.recurrent_weights", (units, *gates, units))
    for key in _BIASES:
        if leaf.get(key) is not None:
            require_shape(leaf[key], f"{name}.{key}", (*gates, units))
    for key, shape in further.items():
        require_shape(leaf[key], f"{name}.{key}", (*shape, units))
    return units


def require_parameters(x: Array, parameters: Any, gates: tuple[int, ...], further: Shapes = NONE) -> tuple[int, int, int]:
    """The numbers of layers, directions and units of ``parameters`` for ``x`` (N, T, F).

    Raises:
        ValueError: ``x`` has another rank or no time step, or ``parameters`` is not a list of layers, each a list of one or two
            directions (as many in every layer), each a leaf of matching shape.
    """
    require_rank(x, "x", 3)
    require(x.shape[1] > 0, "x", "at least one time step", f"shape {tuple(x.shape)}")
    require(isinstance(parameters, list | tuple) and len(parameters) > 0, "parameters", "a list of layers", parameters)
    directions = len(parameters[0]) if isinstance(parameters[0], list | tuple) else 0
    require(directions in (1, 2), "parameters[0]", "a list of one or two directions", type(parameters[0]).__name__)
    features, units = int(x.shape[2]), 0
    for number, layer in enumerate(parameters):
        require(isinstance(layer, list | tuple), f"parameters[{number}]", "a list of directions", type(layer).__name__)
        require(len(layer) == directions, f"parameters[{number}]", f"{directions} directions", len(layer))
        for direction, leaf in enumerate(layer):
            name = f"parameters[{number}][{direction}]"
            size = require_leaf(leaf, name, features, gates, further)
            units = units or size
            require(size == units, f"{name}.recurrent_weights", f"{units} units", size)
        features = units * directions
    return len(parameters), directions, units


def initial_state(state: Array | None, name: str, x: Array, sizes: tuple[int, int, int]) -> Array:
    """The initial state (layers, directions, N, H), zero where it is ``None``.

    Raises:
        ValueError: it has another shape; ``name`` says which state.
    """
    layers, directions, units = sizes
    shape = (layers, directions, x.shape[0], units)
    if state is None:
        return np.zeros_like(x, shape=shape)
    require_shape(state, name, shape)
    return state


def forward(
    x: Array, parameters: Parameters, states: tuple[Array, ...], run: Run
) -> tuple[Array, tuple[Array, ...], list[list[Memory]]]:
    """``run`` through all layers and directions; the second direction runs from the last time step to the first.

    ``x`` is (N, T, F) and each of ``states`` (layers, directions, N, H). Returns the hidden states of the last layer (N, T, D·H),
    forward then backward; the final states, shaped as the initial ones; and the memories by layer and direction.
    """
    sequence = np.swapaxes(x, 0, 1)
    finals: list[list[tuple[Array, ...]]] = []
    memories: list[list[Memory]] = []
    for number, layer in enumerate(parameters):
        outputs: list[Array] = []
        finals.append([])
        memories.append([])
        for direction, leaf in enumerate(layer):
            initial = tuple(state[number, direction] for state in states)
            hiddens, final, memory = run(_along(sequence, direction), leaf, initial)
            outputs.append(_along(hiddens, direction))
            finals[-1].append(final)
            memories[-1].append(memory)
        sequence = np.concatenate(outputs, axis=-1)
    return np.swapaxes(sequence, 0, 1), _stack_states(finals), memories


def backward(
    dy: Array, d_states: tuple[Array, ...], parameters: Parameters, memories: list[list[Memory]], back: Back
) -> tuple[Array, Parameters, tuple[Array, ...]]:
    """The way back through ``forward``: cotangents of its first two results to those of ``x``, ``parameters`` and ``states``."""
    d_sequence = np.swapaxes(dy, 0, 1)
    d_parameters: Parameters = []
    d_initials: list[list[tuple[Array, ...]]] = []
    for number in reversed(range(len(parameters))):
        d_outputs = np.split(d_sequence, len(parameters[number]), axis=-1) if len(parameters[number]) > 1 else [d_sequence]
        d_inputs: list[Array] = []
        d_parameters.insert(0, [])
        d_initials.insert(0, [])
        for direction, leaf in enumerate(parameters[number]):
            d_finals = tuple(state[number, direction] for state in d_states)
            d_output = _along(d_outputs[direction], direction)
            d_input, d_leaf, d_initial = back(d_output, d_finals, leaf, memories[number][direction])
            d_inputs.append(_along(d_input, direction))
            d_parameters[0].append(d_leaf)
            d_initials[0].append(d_initial)
        d_sequence = d_inputs[0] if len(d_inputs) == 1 else d_inputs[0] + d_inputs[1]
    return np.swapaxes(d_sequence, 0, 1), d_parameters, _stack_states(d_initials)


def last_output(hidden: Array) -> Array:
    """The final hidden states of the last layer, the directions side by side: (N, D·H) of ``hidden`` (layers, D, N, H)."""
    return np.concatenate([hidden[-1, direction] for direction in range(hidden.shape[1])], axis=-1)


def add_last_output(d_hidden: Array, dy: Array) -> Array:
    """The cotangent of the final hidden states, with that of ``last_output`` added."""
    _, directions, batch, units = d_hidden.shape
    d_last = np.swapaxes(dy.reshape((batch, directions, units)), 0, 1)
    return np.concatenate([d_hidden[:-1], (d_hidden[-1] + d_last)[None]], axis=0)


def matrix(weights: Array) -> Array:
    """Weights (F, G, H) as the matrix (F, G·H)."""
    return weights.reshape((weights.shape[0], int(np.prod(weights.shape[1:]))))


def joint_matrix(leaf: Leaf) -> Array:
    """The matrix (F + H, G·H) that multiplies the inputs and hidden state side by side."""
    return np.concatenate([matrix(leaf["input_weights"]), matrix(leaf["recurrent_weights"])], axis=0)


def joint_bias(leaf: Leaf) -> Array | None:
    """The sum of the bias vectors that there are."""
    biases = [leaf[key] for key in _BIASES if leaf.get(key) is not None]
    if not biases:
        return None
    return biases[0] if len(biases) == 1 else biases[0] + biases[1]


def affine(x: Array, weights: Array, bias: Array | None) -> Array:
    """``x`` · ``weights`` + ``bias``, the bias in any shape of the right size."""
    product = x @ weights
    return product if bias is None else product + bias.reshape((weights.shape[1],))


def lstm_gate_values(
    x: Array,
    hidden: Array,
    weights: Array,
    bias: Array | None,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
) -> tuple[Array, Array, Array, Array]:
    """The gates i, f, g, o (N, H) of one step from ``joint_matrix`` and ``joint_bias``."""
    batch, units = hidden.shape
    gates = affine(np.concatenate([x, hidden], axis=-1), weights, bias).reshape((batch, 4, units))
    opened = VALUES[gate_activation](gates)
    return opened[:, 0], opened[:, 1], VALUES[activation](gates[:, 2]), opened[:, 3]


def split_gru(leaf: Leaf, reset: str) -> tuple[Leaf, Leaf]:
    """The parameters of the gates z and r as ``weights`` (F + H, 2H) and ``bias``, and those of the candidate: the same with
    H for 2H where the reset gate comes before the recurrent product, else ``input_weights``, ``recurrent_weights`` and the two
    biases.
    """
    gates = {key: value[..., :2, :] for key, value in leaf.items() if value is not None}
    candidate = {key: value[..., 2, :] for key, value in leaf.items() if value is not None}
    joined = {"weights": joint_matrix(gates), "bias": joint_bias(gates)}
    if reset == "before":
        return joined, {"weights": joint_matrix(candidate), "bias": joint_bias(candidate)}
    return joined, {"bias": None, "recurrent_bias": None} | candidate


def gru_gate_values(
    x: Array,
    hidden: Array,
    gates: Leaf,
    candidate: Leaf,
    reset: str,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
) -> tuple[Array, Array, Array, Array]:
    """The gates z, r and n (N, H) of one step from ``split_gru``, and what r meets: the hidden state if the reset gate comes
    before the recurrent product, else that product with its bias."""
    batch, units = hidden.shape
    before = affine(np.concatenate([x, hidden], axis=-1), gates["weights"], gates["bias"])
    opened = VALUES[gate_activation](before).reshape((batch, 2, units))
    z, r = opened[:, 0], opened[:, 1]
    if reset == "before":
        joined = np.concatenate([x, r * hidden], axis=-1)
        return z, r, VALUES[activation](affine(joined, candidate["weights"], candidate["bias"])), hidden
    product = affine(hidden, candidate["recurrent_weights"], candidate["recurrent_bias"])
    return z, r, VALUES[activation](affine(x, candidate["input_weights"], candidate["bias"]) + r * product), product


def flat(sequence: Array) -> Array:
    """A sequence (T, N, ...) as the matrix (T·N, ...)."""
    return sequence.reshape((sequence.shape[0] * sequence.shape[1], int(np.prod(sequence.shape[2:]))))


def input_gradient(d_gates: Array, leaf: Leaf) -> Array:
    """The gradient (T, N, F) of the inputs from that of the gates before activation (T, N, G, H)."""
    d_inputs = flat(d_gates) @ np.transpose(matrix(leaf["input_weights"]))
    return d_inputs.reshape((*d_gates.shape[:2], d_inputs.shape[-1]))


def weight_gradient(inputs: Array, d_gates: Array) -> Array:
    """The gradient (F, G, H) of weights that multiplied ``inputs`` (T, N, F): one sum over time and batch."""
    return (np.transpose(flat(inputs)) @ flat(d_gates)).reshape((inputs.shape[-1], *d_gates.shape[2:]))


def bias_gradients(leaf: Leaf, d_gates: Array, d_recurrent: Array) -> Leaf:
    """The gradients of the bias vectors that there are: sums over time and batch of those of the gates before activation."""
    found = {"bias": d_gates, "recurrent_bias": d_recurrent}
    return {key: np.sum(found[key], axis=(0, 1)) for key in _BIASES if leaf.get(key) is not None}


def _along(sequence: Array, direction: int) -> Array:
    """A sequence (T, ...) in the order in which ``direction`` runs through it, and back."""
    return sequence[::-1] if direction else sequence


def _stack_states(states: list[list[tuple[Array, ...]]]) -> tuple[Array, ...]:
    """States by layer, direction and kind as one array (layers, directions, N, H) of each kind."""
    kinds = range(len(states[0][0]))
    return tuple(np.stack([np.stack([direction[kind] for direction in layer]) for layer in states]) for kind in kinds)


def draw_leaf(stream: Stream, features: int, units: int, gates: tuple[int, ...], biases: int = 1) -> Leaf:
    """A leaf of nearly normal weights with no, one or two bias vectors.

    The weights are small enough that gradients through several steps mean something in 8 bits.
    """
    deviation = min(0.3, 0.75 / units**0.5)
    leaf = {
        "input_weights": stream("input_weights").normal((features, *gates, units), deviation=deviation),
        "recurrent_weights": stream("recurrent_weights").normal((units, *gates, units), deviation=deviation),
    }
    for key in _BIASES[:biases]:
        leaf[key] = stream(key).normal((*gates, units), deviation=deviation)
    return leaf


def draw_inputs(
    stream: Stream,
    gates: tuple[int, ...],
    *,
    sizes: tuple[int, int, int, int] = (3, 4, 2, 4),
    layers: int = 2,
    directions: int = 2,
    biases: int = 1,
    states: tuple[str, ...] = ("hidden",),
) -> dict[str, Any]:
    """Inputs of a sample: ``sizes`` are N, T, F and H; ``states`` are the initial states that are given."""
    batch, steps, features, units = sizes
    parameters = []
    for layer in range(layers):
        width = features if layer == 0 else units * directions
        leaves = [stream(f"{layer}")(f"{direction}") for direction in range(directions)]
        parameters.append([draw_leaf(leaf, width, units, gates, biases) for leaf in leaves])
    inputs: dict[str, Any] = {"x": stream("x").normal((batch, steps, features)), "parameters": parameters}
    for state in states:
        inputs[state] = stream(state).normal((layers, directions, batch, units))
    return inputs


def scale_inputs(inputs: dict[str, Any], scale: float) -> dict[str, Any]:
    """The inputs with all but the weights multiplied by ``scale``."""
    scaled: dict[str, Any] = {key: value if key == "parameters" else value * scale for key, value in inputs.items()}
    scaled["parameters"] = [
        [{key: value * scale if key in _BIASES else value for key, value in leaf.items()} for leaf in layer]
        for layer in inputs["parameters"]
    ]
    return scaled


def saturate_biases(inputs: dict[str, Any], stream: Stream) -> dict[str, Any]:
    """The inputs with a quarter of the biases of the first layer at ±1000, so that those gates are quite open or closed."""
    first = []
    for direction, leaf in enumerate(inputs["parameters"][0]):
        choice = stream("choice")(f"{direction}").integers(leaf["bias"].shape, 0, 8)
        saturated = np.where(choice == 0, 1000.0, np.where(choice == 1, -1000.0, leaf["bias"]))
        first.append({**leaf, "bias": saturated})
    return {**inputs, "parameters": [first, *inputs["parameters"][1:]]}


def common_samples(stream: Stream, gates: tuple[int, ...], states: tuple[str, ...]) -> Iterator[Sample]:
    """The samples that every recurrent operation has, named by class; ``states`` are the names of its initial states."""

    def draw(name: str, **choices: Any) -> dict[str, Any]:
        return draw_inputs(stream(name), gates, **({"states": states} | choices))

    def one_layer(name: str, **choices: Any) -> dict[str, Any]:
        return draw(name, **({"layers": 1, "directions": 1} | choices))

    last = {"return_sequences": False}
    yield Sample(name="plain_one_layer", inputs=one_layer("plain_one_layer", states=()))
    yield Sample(name="size_large", inputs=one_layer("size_large", sizes=(8, 16, 16, 32)))
    yield Sample(name="recurrent_two_layers", inputs=draw("recurrent_two_layers", directions=1))
    yield Sample(name="recurrent_both_directions", inputs=draw("recurrent_both_directions", layers=1, states=()))
    yield Sample(name="recurrent_both", inputs=draw("recurrent_both"))
    yield Sample(name="recurrent_no_bias", inputs=draw("recurrent_no_bias", biases=0))
    yield Sample(name="recurrent_last_output", inputs=draw("recurrent_last_output"), keywords=last)
    yield Sample(name="state_given", inputs=one_layer("state_given"))
    yield Sample(name="state_absent", inputs=draw("state_absent", states=()))
    yield Sample(name="unit_time", inputs=draw("unit_time", sizes=(3, 1, 2, 4)))
    yield Sample(name="unit_batch", inputs=draw("unit_batch", sizes=(1, 4, 2, 4)), dtypes=ALL_BUT_BFLOAT16)
    yield Sample(name="unit_hidden", inputs=draw("unit_hidden", sizes=(3, 4, 1, 1)), dtypes=ALL_BUT_BFLOAT16)
    for name, sizes in (("unit_time", (3, 1, 2, 4)), ("unit_batch", (1, 4, 2, 4)), ("unit_hidden", (3, 4, 1, 1))):
        yield from with_each(Sample(name=name, inputs=draw(f"{name}_with", sizes=sizes), dtypes=ALL_BUT_BFLOAT16), [last])
    yield Sample(name="unit_everything", inputs=one_layer("unit_everything", sizes=(1, 1, 1, 1)), dtypes=ALL_BUT_BFLOAT16)
    yield Sample(name="strided_transposed", inputs=draw("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=draw("strided_sliced"), memory="sliced")
    one_step = one_layer("nan_one_step", states=())
    one_step["x"][1, 2, 0] = np.nan
    yield Sample(name="nan_one_step", inputs=one_step)
    both = draw("nan_both_directions")
    both["x"][2, 3, 1] = np.nan
    yield Sample(name="nan_both_directions", inputs=both)
    state = draw("nan_state")
    state["hidden"][1, 0, 1, 2] = np.nan
    yield Sample(name="nan_state", inputs=state)
    large = draw("magnitude_300")
    large["x"] = large["x"] * 300.0
    yield Sample(name="magnitude_300", inputs=large, gradient=False)
    saturated = saturate_biases(draw("magnitude_saturated"), stream("magnitude_saturated"))
    yield Sample(name="magnitude_saturated", inputs=saturated, dtypes=ALL_BUT_BFLOAT16)
    yield Sample(name="magnitude_small", inputs=scale_inputs(draw("magnitude_small"), 2.0**-8))
    no_bias = one_layer("optional_no_bias", biases=0, states=())
    yield Sample(name="optional_no_bias", inputs=no_bias)
    yield Sample(name="optional_last_output", inputs=one_layer("optional_last_output", states=()), keywords=last)
