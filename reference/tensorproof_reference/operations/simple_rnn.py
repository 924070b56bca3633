"""Simple recurrent network: see ``simple_rnn``."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank, require_shape
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._cell_activations import PULLS, VALUES, WORK
from tensorproof_reference.operations._recurrent import Leaf, Memory, Parameters
from tensorproof_reference.operations._recurrent_work import output_work, recurrent_work, recurrent_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def simple_rnn(
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    output_weights: Array | None = None,
    output_bias: Array | None = None,
    *,
    activation: str = "tanh",
    return_sequences: bool = True,
) -> tuple[Array, Array]:
    r"""A simple (Elman) recurrent network through time, in several layers and one or both directions:
    :math:`h_t = f(x_t W + h_{t-1} U + b)`, and :math:`y_t = h_t W_y + b_y` with ``output_weights`` and ``output_bias``, else
    :math:`y_t = h_t`. f is the ``activation``, ``tanh`` or ``relu``.

    A second direction runs from the last time step to the first; the next layer, and the output, see both side by side.

    Shapes: ``x`` is (N, T, F) with T ≥ 1. ``parameters[layer][direction]`` is a dict of ``input_weights`` (F, H),
    ``recurrent_weights`` (H, H), ``bias`` (H,) if there is one, and ``recurrent_bias`` (H,) if there are two, which are added; F
    is D·H from the second layer on, with D directions. ``hidden`` is (layers, D, N, H), zero if ``None``; ``output_weights``
    (D·H, O), ``output_bias`` (O,). Returns y (N, T, D·H), or (N, T, O) with ``output_weights``, forward then backward; and the
    final states h (layers, D, N, H). Without ``return_sequences`` y is (N, D·H) or (N, O), of the last layer's final h (the
    backward one at time 0).
    Special values: NaN spreads to all later steps (earlier ones in the backward direction) of its batch lane, and nowhere else.
    relu'(0) is 0.
    Raises: ``ValueError`` if a shape does not match, if there is no time step, if a key of a dict is missing or unknown, if there
    is an ``output_bias`` without ``output_weights``, or if ``activation`` is neither ``tanh`` nor ``relu``.
    Source: Elman (1990); the texts, 001 §3.5, 003 §3.3 and 004 §3.6.
    """
    require_choice(activation, "activation", ("tanh", "relu"))
    sequence, h, _ = _forward(x, parameters, hidden, output_weights, output_bias, activation)
    seen = sequence if return_sequences else _recurrent.last_output(h)
    return (seen if output_weights is None else _recurrent.affine(seen, output_weights, output_bias)), h


def vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    output_weights: Array | None = None,
    output_bias: Array | None = None,
    *,
    activation: str = "tanh",
    return_sequences: bool = True,
) -> Gradients:
    r"""Back-propagation through time: :math:`da_t = f'(a_t) \odot dh_t`, and :math:`dh_{t-1} = da_t U^T` with ``dy`` added; the
    gradients of weights are sums over time and batch."""
    dy, dh = cotangents
    sequence, h, memories = _forward(x, parameters, hidden, output_weights, output_bias, activation)
    d_output_weights, d_output_bias = None, None
    if output_weights is not None:
        seen = sequence if return_sequences else _recurrent.last_output(h)[:, None]
        upstream = dy if return_sequences else dy[:, None]
        d_output_weights = _recurrent.weight_gradient(seen, upstream)
        d_output_bias = None if output_bias is None else np.sum(upstream, axis=(0, 1))
        dy = dy @ np.transpose(output_weights)
    if not return_sequences:
        dy, dh = np.zeros_like(sequence), _recurrent.add_last_output(dh, dy)
    back = partial(_back, activation=activation)
    dx, d_parameters, (d_hidden,) = _recurrent.backward(dy, (dh,), parameters, memories, back)
    return {
        "x": dx,
        "parameters": d_parameters,
        "hidden": None if hidden is None else d_hidden,
        "output_weights": d_output_weights,
        "output_bias": d_output_bias,
    }


def _forward(
    x: Array,
    parameters: Parameters,
    hidden: Array | None,
    output_weights: Array | None,
    output_bias: Array | None,
    activation: str,
) -> tuple[Array, Array, list[list[Memory]]]:
    """The hidden states of the last layer, the final states, and what the way back needs, after checking all arguments."""
    _, directions, units = _recurrent.require_parameters(x, parameters, ())
    if output_weights is not None:
        require_rank(output_weights, "output_weights", 2)
        require_shape(output_weights, "output_weights", (directions * units, output_weights.shape[1]))
        if output_bias is not None:
            require_shape(output_bias, "output_bias", (output_weights.shape[1],))
    else:
        require(output_bias is None, "output_bias", "None without output_weights", "an array")
    return run(x, parameters, hidden, activation=activation)


def run(x: Array, parameters: Parameters, hidden: Array | None, *, activation: str) -> tuple[Array, Array, list[list[Memory]]]:
    """The whole sequence, the final states, and what the way back needs."""
    require_choice(activation, "activation", tuple(VALUES))
    states = (_recurrent.initial_state(hidden, "hidden", x, _recurrent.require_parameters(x, parameters, ())),)
    sequence, (h,), memories = _recurrent.forward(x, parameters, states, partial(_run, activation=activation))
    return sequence, h, memories


def _run(x: Array, leaf: Leaf, states: tuple[Array, ...], *, activation: str) -> tuple[Array, tuple[Array, ...], Memory]:
    """One layer in one direction (``_recurrent.Run``)."""
    hiddens = [states[0]]
    weights, bias = _recurrent.joint_matrix(leaf), _recurrent.joint_bias(leaf)
    for step in range(x.shape[0]):
        before = _recurrent.affine(np.concatenate([x[step], hiddens[-1]], axis=-1), weights, bias)
        hiddens.append(VALUES[activation](before))
    return np.stack(hiddens[1:]), (hiddens[-1],), (x, hiddens)


def _back(
    d_hiddens: Array, d_finals: tuple[Array, ...], leaf: Leaf, memory: Memory, *, activation: str
) -> tuple[Array, Leaf, tuple[Array, ...]]:
    """The way back through ``_run`` (``_recurrent.Back``)."""
    x, hiddens = memory
    recurrent = np.transpose(leaf["recurrent_weights"])
    (dh,) = d_finals
    steps = []
    for step in reversed(range(x.shape[0])):
        dh = dh + d_hiddens[step]
        d_step = PULLS[activation](dh, hiddens[step + 1])
        dh = d_step @ recurrent
        steps.append(d_step)
    d_before = np.stack(steps[::-1])
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x, d_before),
        "recurrent_weights": _recurrent.weight_gradient(np.stack(hiddens[:-1]), d_before),
        **_recurrent.bias_gradients(leaf, d_before, d_before),
    }
    return _recurrent.input_gradient(d_before, leaf), d_leaf, (dh,)


def _relu_inputs(stream: Stream, layers: int = 2, directions: int = 2, biases: int = 1, given: bool = True) -> dict[str, Any]:
    """Inputs for relu, none of them near a kink: each sum has terms of one sign only, but for a small bias.

    All features of a lane have one sign, which alternates from step to step; the sign of a weight is the product of the signs of
    the units that it joins. So half of the units are active at one step and the other half at the next, in every layer and
    direction.
    """
    batch, steps, features, units = 3, 4, 2, 4
    lane_signs = 1.0 - 2.0 * ((np.arange(batch)[:, None] + np.arange(steps)) % 2)
    unit_signs = 1.0 - 2.0 * (np.arange(units) % 2)
    feature_signs = 1.0 - 2.0 * (np.arange(features) % 2)
    x = stream("x").uniform((batch, steps, features), 0.5, 1.0) * lane_signs[..., None] * feature_signs
    parameters: Parameters = []
    for layer in range(layers):
        signs = feature_signs if layer == 0 else np.tile(unit_signs, directions)
        parameters.append([])
        for direction in range(directions):
            source = stream(f"{layer}")(f"{direction}")
            input_weights = source("input_weights").uniform((len(signs), units), 0.25, 0.5)
            recurrent_weights = source("recurrent_weights").uniform((units, units), 0.25, 0.5)
            leaf = {
                "input_weights": input_weights * signs[:, None] * unit_signs,
                "recurrent_weights": -recurrent_weights * unit_signs[:, None] * unit_signs,
            }
            for key in ("bias", "recurrent_bias")[:biases]:
                leaf[key] = source(key).uniform((units,), -1.0, 1.0) * 2.0**-6
            parameters[-1].append(leaf)
    inputs: dict[str, Any] = {"x": x, "parameters": parameters}
    if given:
        nearest = np.stack([lane_signs[:, 0], lane_signs[:, -1]])[:directions, :, None]
        size = stream("hidden").uniform((layers, directions, batch, units), 0.5, 1.0)
        inputs["hidden"] = np.where(nearest * unit_signs < 0, size, 0.0)
    return inputs


def _projected(inputs: dict[str, Any], stream: Stream, bias: bool = True) -> dict[str, Any]:
    """The inputs with an output projection to three outputs."""
    leaf = inputs["parameters"][-1]
    width = len(leaf) * leaf[0]["recurrent_weights"].shape[0]
    projected = {**inputs, "output_weights": stream("output_weights").normal((width, 3), deviation=0.5)}
    if bias:
        projected["output_bias"] = stream("output_bias").normal((3,))
    return projected


def samples(stream: Stream) -> Iterator[Sample]:
    """Layers, directions, states and biases; relu; an output projection; two bias vectors."""

    def draw(name: str, **choices: Any) -> dict[str, Any]:
        return _recurrent.draw_inputs(stream(name), (), **choices)

    yield from _recurrent.common_samples(stream, (), ("hidden",))
    relu: dict[str, Any] = {"activation": "relu"}
    last: dict[str, Any] = {"return_sequences": False}
    yield Sample(name="recurrent_relu", inputs=_relu_inputs(stream("recurrent_relu")), keywords=relu)
    one_layer = _relu_inputs(stream("recurrent_relu_one_layer"), layers=1, directions=1, biases=0, given=False)
    yield Sample(name="recurrent_relu_one_layer", inputs=one_layer, keywords=relu)
    relu_last = _relu_inputs(stream("recurrent_relu_last_output"))
    yield Sample(name="recurrent_relu_last_output", inputs=relu_last, keywords=relu | last)
    silent = _relu_inputs(stream("kink_relu"), layers=1, directions=1, biases=0, given=False)
    silent["x"] = silent["x"] * 0.0
    zeros = {"y": np.zeros((3, 4, 4)), "h": np.zeros((1, 1, 3, 4)), "d_x": np.zeros((3, 4, 2))}
    yield Sample(name="kink_relu", inputs=silent, keywords=relu, expected=zeros, exact_zero=("y", "h", "d_x"))
    both = _projected(draw("optional_output"), stream("optional_output"))
    yield Sample(name="optional_output", inputs=both)
    plain = draw("optional_output_no_bias", layers=1, directions=1, states=())
    projected = _projected(plain, stream("optional_output_no_bias"), bias=False)
    yield Sample(name="optional_output_no_bias", inputs=projected)
    final = _projected(draw("optional_output_last"), stream("optional_output_last"))
    yield Sample(name="optional_output_last", inputs=final, keywords=last)
    two = draw("convention_two_biases", biases=2)
    yield Sample(name="convention_two_biases", inputs=two, required=False)


def workload(stream: Stream, size: str) -> Sample:
    """Sequences through one layer in one direction."""
    return recurrent_workload(stream, size, ())


def work(
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    output_weights: Array | None = None,
    output_bias: Array | None = None,
    *,
    activation: str = "tanh",
    return_sequences: bool = True,
) -> Work:
    """Products and biases, the activation of each unit, and the output's projection."""
    projection = output_work(x, output_weights, output_bias, return_sequences)
    return recurrent_work(x, parameters, WORK[activation]) + projection


OPERATION = Operation(
    function=simple_rnn,
    vjp=vjp,
    samples=samples,
    family="recurrent",
    differentiable=("x", "parameters", "hidden", "output_weights", "output_bias"),
    outputs=("y", "h"),
    cotangents=("y", "h"),
    axes={
        "x": "n t f",
        "input_weights": "f h",
        "recurrent_weights": "k h",
        "bias": "h",
        "recurrent_bias": "h",
        "output_weights": "k o",
        "output_bias": "o",
        "hidden": "l d n h",
        "h": "l d n h",
    },
    documents=("001 §3.5", "003 §3.3", "004 §3.6"),
    workload=workload,
    work=work,
)
