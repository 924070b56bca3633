"""Long short-term memory: see ``lstm``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import Leaf, Memory, Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work, recurrent_workload
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
    y, h, c, _ = _forward(x, parameters, hidden, cell)
    return (y if return_sequences else _recurrent.last_output(h)), h, c


def vjp(
    cotangents: tuple[Array, Array, Array],
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    return_sequences: bool = True,
) -> Gradients:
    r"""Back-propagation through time, with :math:`dh_t` gathering ``dy`` and what flows back from step t+1, and
    :math:`dc_t \mathrel{+}= dh_t \odot o(1-\tanh^2 c_t)`, :math:`dc_{t-1} = f \odot dc_t`,
    :math:`dh_{t-1} = d\mathrm{gates}_t U^T`; the gradients of weights are sums over time and batch."""
    dy, dh, dc = cotangents
    y, _, _, memories = _forward(x, parameters, hidden, cell)
    if not return_sequences:
        dy, dh = np.zeros_like(y), _recurrent.add_last_output(dh, dy)
    dx, d_parameters, (d_hidden, d_cell) = _recurrent.backward(dy, (dh, dc), parameters, memories, _back)
    return {
        "x": dx,
        "parameters": d_parameters,
        "hidden": None if hidden is None else d_hidden,
        "cell": None if cell is None else d_cell,
    }


def _forward(
    x: Array, parameters: Parameters, hidden: Array | None, cell: Array | None
) -> tuple[Array, Array, Array, list[list[Memory]]]:
    """The whole sequence, the final states, and what the way back needs."""
    sizes = _recurrent.require_parameters(x, parameters, (4,))
    states = (_recurrent.initial_state(hidden, "hidden", x, sizes), _recurrent.initial_state(cell, "cell", x, sizes))
    y, (h, c), memories = _recurrent.forward(x, parameters, states, _run)
    return y, h, c, memories


def _run(x: Array, leaf: Leaf, states: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...], Memory]:
    """One layer in one direction (``_recurrent.Run``)."""
    hiddens, cells = [states[0]], [states[1]]
    gates, squashed = [], []
    weights, bias = _recurrent.joint_matrix(leaf), _recurrent.joint_bias(leaf)
    for step in range(x.shape[0]):
        i, f, g, o = _recurrent.lstm_gate_values(x[step], hiddens[-1], weights, bias)
        cells.append(f * cells[-1] + i * g)
        squashed.append(np.tanh(cells[-1]))
        hiddens.append(o * squashed[-1])
        gates.append((i, f, g, o))
    memory = (x, hiddens, cells, gates, squashed)
    return np.stack(hiddens[1:]), (hiddens[-1], cells[-1]), memory


def _back(d_hiddens: Array, d_finals: tuple[Array, ...], leaf: Leaf, memory: Memory) -> tuple[Array, Leaf, tuple[Array, ...]]:
    """The way back through ``_run`` (``_recurrent.Back``)."""
    x, hiddens, cells, gates, squashed = memory
    i, f, g, o = (np.stack(values) for values in zip(*gates, strict=True))
    previous, tanh_cell = np.stack(cells[:-1]), np.stack(squashed)
    cell_slope = o * (1.0 - tanh_cell * tanh_cell)
    slopes = np.stack([g * i * (1.0 - i), previous * f * (1.0 - f), i * (1.0 - g * g), tanh_cell * o * (1.0 - o)], axis=2)
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


WORK_OF_UNIT = Work(flops=10, transcendentals=5, backward_flops=22)
"""What a step does for each unit beside products and biases: three sigmoids (6 and 3 exponentials), a tanh, the cell (3), its
tanh, and the output gate (1). Back, the cell's cotangent (5), four gates (4 each: two products and a difference for the slope of
a sigmoid or tanh, and one for what it met; the cotangent times that), and what flows to the cell before (1)."""


def workload(stream: Stream, size: str) -> Sample:
    """Sequences through one layer in one direction."""
    return recurrent_workload(stream, size, (4,))


def work(
    x: Array, parameters: Parameters, hidden: Array | None = None, cell: Array | None = None, *, return_sequences: bool = True
) -> Work:
    """Products and biases, and the gates and cell of each unit."""
    return recurrent_work(x, parameters, WORK_OF_UNIT)


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
