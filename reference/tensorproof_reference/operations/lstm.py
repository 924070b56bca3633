"""Long short-term memory: see ``lstm``."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._cell_activations import PULLS, VALUES, WORK
from tensorproof_reference.operations._recurrent import Leaf, Memory, Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work, recurrent_workload, repeated
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def lstm(
    x: Array, parameters: Parameters, hidden: Array | None = None, cell: Array | None = None, *, return_sequences: bool = True
) -> tuple[Array, Array, Array]:
    r"""Long short-term memory through time, in several layers and one or both directions.

    .. math::
        i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad g = \tanh(x_t W + h_{t-1} U + b), \quad
        c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh(c_t)

    with W, U and b of each gate. A second direction runs from the last time step to the first; the next layer sees both side by
    side.

    Shapes: ``x`` is (N, T, F) with T ≥ 1. ``parameters[layer][direction]`` is a dict of ``input_weights`` (F, 4, H),
    ``recurrent_weights`` (H, 4, H), ``bias`` (4, H) if there is one, and ``recurrent_bias`` (4, H) if there are two, which are
    added; the gates are in the order i, f, g, o, and F is D·H from the second layer on, with D directions. ``hidden`` and
    ``cell`` are (layers, D, N, H), zero if ``None``. Returns y (N, T, D·H), the hidden states of the last layer, forward then
    backward; and the final states h and c (layers, D, N, H). Without ``return_sequences`` y is (N, D·H), the last layer's final h
    (the backward one at time 0).
    Special values: NaN spreads to all later steps (earlier ones in the backward direction) of its batch lane, and nowhere else.
    Raises: ``ValueError`` if a shape does not match, if there is no time step, or if a key of a dict is missing or unknown.
    Source: Hochreiter & Schmidhuber (1997) with the forget gate of Gers, Schmidhuber & Cummins (2000); the texts, 000 §3.3.2.
    """
    y, h, c, _ = run(x, parameters, hidden, cell)
    return (y if return_sequences else _recurrent.last_output(h)), h, c


def vjp(
    cotangents: tuple[Array, Array, Array],
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    return_sequences: bool = True,
) -> Gradients:
    r"""Back-propagation through time, with :math:`dh_t` gathering ``dy`` and what flows back from step t+1, and
    :math:`dc_t \mathrel{+}= dh_t \odot o(1-\tanh^2 c_t)`, :math:`dc_{t-1} = f \odot dc_t`,
    :math:`dh_{t-1} = d\mathrm{gates}_t U^T`; the gradients of weights are sums over time and batch.

    With other activations, their derivatives stand for these.
    """
    dy, dh, dc = cotangents
    y, _, _, memories = run(x, parameters, hidden, cell, activation=activation, gate_activation=gate_activation)
    if not return_sequences:
        dy, dh = np.zeros_like(y), _recurrent.add_last_output(dh, dy)
    back = partial(_back, activation=activation, gate_activation=gate_activation)
    dx, d_parameters, (d_hidden, d_cell) = _recurrent.backward(dy, (dh, dc), parameters, memories, back)
    return {
        "x": dx,
        "parameters": d_parameters,
        "hidden": None if hidden is None else d_hidden,
        "cell": None if cell is None else d_cell,
    }


def run(
    x: Array,
    parameters: Parameters,
    hidden: Array | None,
    cell: Array | None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
) -> tuple[Array, Array, Array, list[list[Memory]]]:
    """The whole sequence, the final states, and what the way back needs; ``activation`` is that of g and of the cell's state."""
    require_choice(activation, "activation", tuple(VALUES))
    require_choice(gate_activation, "gate_activation", tuple(VALUES))
    sizes = _recurrent.require_parameters(x, parameters, (4,))
    states = (_recurrent.initial_state(hidden, "hidden", x, sizes), _recurrent.initial_state(cell, "cell", x, sizes))
    one = partial(_run, activation=activation, gate_activation=gate_activation)
    y, (h, c), memories = _recurrent.forward(x, parameters, states, one)
    return y, h, c, memories


def _run(
    x: Array, leaf: Leaf, states: tuple[Array, ...], *, activation: str, gate_activation: str
) -> tuple[Array, tuple[Array, ...], Memory]:
    """One layer in one direction (``_recurrent.Run``)."""
    hiddens, cells = [states[0]], [states[1]]
    gates, squashed = [], []
    weights, bias = _recurrent.joint_matrix(leaf), _recurrent.joint_bias(leaf)
    for step in range(x.shape[0]):
        i, f, g, o = _recurrent.lstm_gate_values(x[step], hiddens[-1], weights, bias, activation, gate_activation)
        cells.append(f * cells[-1] + i * g)
        squashed.append(VALUES[activation](cells[-1]))
        hiddens.append(o * squashed[-1])
        gates.append((i, f, g, o))
    memory = (x, hiddens, cells, gates, squashed)
    return np.stack(hiddens[1:]), (hiddens[-1], cells[-1]), memory


def _back(
    d_hiddens: Array, d_finals: tuple[Array, ...], leaf: Leaf, memory: Memory, *, activation: str, gate_activation: str
) -> tuple[Array, Leaf, tuple[Array, ...]]:
    """The way back through ``_run`` (``_recurrent.Back``)."""
    x, hiddens, cells, gates, squashed = memory
    i, f, g, o = (np.stack(values) for values in zip(*gates, strict=True))
    previous, seen = np.stack(cells[:-1]), np.stack(squashed)
    pull, pull_gate = PULLS[activation], PULLS[gate_activation]
    cell_slope = pull(o, seen)
    slopes = np.stack([pull_gate(g, i), pull_gate(previous, f), pull(i, g), pull_gate(seen, o)], axis=2)
    recurrent = np.transpose(_recurrent.matrix(leaf["recurrent_weights"]))
    dh, dc = d_finals
    steps = []
    for step in reversed(range(x.shape[0])):
        dh = dh + d_hiddens[step]
        dc = dc + dh * cell_slope[step]
        d_step = np.stack([dc, dc, dc, dh], axis=1) * slopes[step]
        dh = _recurrent.matrix(d_step) @ recurrent
        dc = dc * f[step]
        steps.append(d_step)
    d_gates = np.stack(steps[::-1])
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x, d_gates),
        "recurrent_weights": _recurrent.weight_gradient(np.stack(hiddens[:-1]), d_gates),
        **_recurrent.bias_gradients(leaf, d_gates, d_gates),
    }
    return _recurrent.input_gradient(d_gates, leaf), d_leaf, (dh, dc)


def samples(stream: Stream) -> Iterator[Sample]:
    """Layers, directions, states and biases; a large cell; two bias vectors."""
    both = ("hidden", "cell")
    yield from _recurrent.common_samples(stream, (4,), both)
    hidden_only = _recurrent.draw_inputs(stream("state_hidden_only"), (4,), layers=1, directions=1, states=("hidden",))
    yield Sample(name="state_hidden_only", inputs=hidden_only)
    cell_only = _recurrent.draw_inputs(stream("state_cell_only"), (4,), layers=1, directions=1, states=("cell",))
    yield Sample(name="state_cell_only", inputs=cell_only)
    cell = _recurrent.draw_inputs(stream("magnitude_cell"), (4,), states=both)
    cell["cell"] = cell["cell"] * 16.0
    yield Sample(name="magnitude_cell", inputs=cell)
    for name, layers, directions, states in (
        ("convention_two_biases", 2, 2, both),
        ("convention_two_biases_one_layer", 1, 1, ()),
    ):
        drawn = _recurrent.draw_inputs(stream(name), (4,), layers=layers, directions=directions, biases=2, states=states)
        yield Sample(name=name, inputs=drawn, required=False)


def work_of_unit(activation: str, gate_activation: str) -> Work:
    """What a step does for each unit beside products and biases: three gates, g and what is seen of the cell through their
    activations, the cell (3), and the output gate (1).

    Back, beside the activations, one product for what each of the four gates met, the cell's cotangent (2), and what flows to the
    cell before (1).
    """
    return repeated(WORK[gate_activation], 3) + repeated(WORK[activation], 2) + Work(flops=4, backward_flops=7)


def workload(stream: Stream, size: str) -> Sample:
    """Sequences through one layer in one direction."""
    return recurrent_workload(stream, size, (4,))


def work(
    x: Array, parameters: Parameters, hidden: Array | None = None, cell: Array | None = None, *, return_sequences: bool = True
) -> Work:
    """Products and biases, and the gates and cell of each unit."""
    return recurrent_work(x, parameters, work_of_unit("tanh", "sigmoid"))


OPERATION = Operation(
    function=lstm,
    vjp=vjp,
    samples=samples,
    family="recurrent",
    differentiable=("x", "parameters", "hidden", "cell"),
    outputs=("y", "h", "c"),
    cotangents=("y", "h", "c"),
    axes={
        "x": "n t f",
        "input_weights": "f g h",
        "recurrent_weights": "k g h",
        "bias": "g h",
        "recurrent_bias": "g h",
        "hidden": "l d n h",
        "cell": "l d n h",
        "h": "l d n h",
        "c": "l d n h",
    },
    orders={"g": "ifgo"},
    documents=("000 §3.3.2", "003 §4.2", "004 §3.7"),
    workload=workload,
    work=work,
)
