"""Long short-term memory whose gates see the cell: see ``peephole_lstm``."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations import lstm as lstm_page
from tensorproof_reference.operations._cell_activations import PULLS, sigmoid
from tensorproof_reference.operations._recurrent import ALL_BUT_BFLOAT16, Leaf, Memory, Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PEEPHOLES = {"peephole_weights": (3,)}
"""What a leaf holds beside the weights of ``lstm``, with its shape before the axis of units."""


def peephole_lstm(
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    cell_clip: float | None = None,
    return_sequences: bool = True,
) -> tuple[Array, Array, Array]:
    r"""``lstm`` whose gates see the cell's state through peephole connections, each unit its own; the state may be clipped.

    .. math::
        i, f = \sigma(x_t W + h_{t-1} U + b + p \odot c_{t-1}), \quad g = \tanh(x_t W + h_{t-1} U + b), \quad
        c_t = \mathrm{clip}(f \odot c_{t-1} + i \odot g), \quad
        o = \sigma(x_t W + h_{t-1} U + b + p \odot c_t), \quad h_t = o \odot \tanh(c_t)

    with W, U, b and p of each gate. ``clip`` keeps the state from ``-cell_clip`` to ``cell_clip``; without, it is as it is. What
    is clipped has no gradient. (The attribute ``clip`` of ONNX is another thing: it clips what goes into the activations.) A
    second direction runs from the last time step to the first; the next layer sees both side by side.

    Shapes: as ``lstm``; each dict of ``parameters`` has ``peephole_weights`` p (3, H) too, of the gates i, f, o. The initial
    state of the cell is not clipped.
    Special values: as ``lstm``. At the bound itself the gradient passes; the sample that asks is optional.
    Raises: ``ValueError`` as ``lstm``, or if ``cell_clip`` is not above 0.
    Source: Gers & Schmidhuber (2000), "Recurrent nets that time and count"; Sak, Senior & Beaufays (2014), section 2; the
    arguments ``use_peepholes`` and ``cell_clip`` of ``LSTMCell`` of TensorFlow 1.
    """
    y, h, c, _ = _forward(x, parameters, hidden, cell, cell_clip)
    return (y if return_sequences else _recurrent.last_output(h)), h, c


def _vjp(
    cotangents: tuple[Array, Array, Array],
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    cell_clip: float | None = None,
    return_sequences: bool = True,
) -> Gradients:
    r"""As ``lstm``; what comes back through a gate's peephole, :math:`p \odot da`, is added to the cotangent of the state that it
    saw."""
    dy, dh, dc = cotangents
    y, _, _, memories = _forward(x, parameters, hidden, cell, cell_clip)
    if not return_sequences:
        dy, dh = np.zeros_like(y), _recurrent.add_last_output(dh, dy)
    back = partial(_back, cell_clip=cell_clip)
    dx, d_parameters, (d_hidden, d_cell) = _recurrent.backward(dy, (dh, dc), parameters, memories, back)
    return {
        "x": dx,
        "parameters": d_parameters,
        "hidden": None if hidden is None else d_hidden,
        "cell": None if cell is None else d_cell,
    }


def _forward(
    x: Array, parameters: Parameters, hidden: Array | None, cell: Array | None, cell_clip: float | None
) -> tuple[Array, Array, Array, list[list[Memory]]]:
    """The whole sequence, the final states, and what the way back needs."""
    require(cell_clip is None or cell_clip > 0, "cell_clip", "None or a number above 0", cell_clip)
    sizes = _recurrent.require_parameters(x, parameters, (4,), PEEPHOLES)
    states = (_recurrent.initial_state(hidden, "hidden", x, sizes), _recurrent.initial_state(cell, "cell", x, sizes))
    y, (h, c), memories = _recurrent.forward(x, parameters, states, partial(_run, cell_clip=cell_clip))
    return y, h, c, memories


def _run(x: Array, leaf: Leaf, states: tuple[Array, ...], *, cell_clip: float | None) -> tuple[Array, tuple[Array, ...], Memory]:
    """One layer in one direction (``_recurrent.Run``)."""
    hiddens, cells = [states[0]], [states[1]]
    values = []
    weights, bias = _recurrent.joint_matrix(leaf), _recurrent.joint_bias(leaf)
    on_i, on_f, on_o = leaf["peephole_weights"]
    for step in range(x.shape[0]):
        before = _recurrent.affine(np.concatenate([x[step], hiddens[-1]], axis=-1), weights, bias)
        before = before.reshape((x.shape[1], 4, hiddens[-1].shape[-1]))
        i, f = sigmoid(before[:, 0] + on_i * cells[-1]), sigmoid(before[:, 1] + on_f * cells[-1])
        g = np.tanh(before[:, 2])
        whole = f * cells[-1] + i * g
        cells.append(whole if cell_clip is None else np.clip(whole, -cell_clip, cell_clip))
        o, seen = sigmoid(before[:, 3] + on_o * cells[-1]), np.tanh(cells[-1])
        hiddens.append(o * seen)
        values.append((i, f, g, o, seen, whole))
    return np.stack(hiddens[1:]), (hiddens[-1], cells[-1]), (x, hiddens, cells, values)


def _back(
    d_hiddens: Array, d_finals: tuple[Array, ...], leaf: Leaf, memory: Memory, *, cell_clip: float | None
) -> tuple[Array, Leaf, tuple[Array, ...]]:
    """The way back through ``_run`` (``_recurrent.Back``)."""
    x, hiddens, cells, values = memory
    recurrent = np.transpose(_recurrent.matrix(leaf["recurrent_weights"]))
    on_i, on_f, on_o = leaf["peephole_weights"]
    pull_gate, pull = PULLS["sigmoid"], PULLS["tanh"]
    dh, dc = d_finals
    steps = []
    for step in reversed(range(x.shape[0])):
        i, f, g, o, seen, whole = values[step]
        dh = dh + d_hiddens[step]
        d_output = pull_gate(dh * seen, o)
        dc = dc + pull(dh * o, seen) + on_o * d_output
        dc = dc if cell_clip is None else np.where(np.abs(whole) > cell_clip, 0.0, dc)
        d_input, d_forget = pull_gate(dc * g, i), pull_gate(dc * cells[step], f)
        d_step = np.stack([d_input, d_forget, pull(dc * i, g), d_output], axis=1)
        dh = _recurrent.matrix(d_step) @ recurrent
        dc = dc * f + on_i * d_input + on_f * d_forget
        steps.append(d_step)
    d_gates = np.stack(steps[::-1])
    before, after = np.stack(cells[:-1]), np.stack(cells[1:])
    met = np.stack([before, before, after], axis=2)
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x, d_gates),
        "recurrent_weights": _recurrent.weight_gradient(np.stack(hiddens[:-1]), d_gates),
        "peephole_weights": np.sum(d_gates[:, :, (0, 1, 3)] * met, axis=(0, 1)),
        **_recurrent.bias_gradients(leaf, d_gates, d_gates),
    }
    return _recurrent.input_gradient(d_gates, leaf), d_leaf, (dh, dc)


def _with_peepholes(inputs: Any, stream: Stream) -> dict[str, Any]:
    """Inputs of ``lstm`` with peephole weights."""

    def added(leaf: Leaf, place: str) -> Leaf:
        """A leaf with its own."""
        return {**leaf, "peephole_weights": stream(place).normal((3, leaf["recurrent_weights"].shape[-1]), deviation=0.5)}

    layers = enumerate(inputs["parameters"])
    rows = [[added(leaf, f"{layer}_{direction}") for direction, leaf in enumerate(row)] for layer, row in layers]
    return {**inputs, "parameters": rows}


def _samples(stream: Stream) -> Iterator[Sample]:
    """Those of ``lstm`` with peephole weights; the cell's state clipped, on both sides of the bound and at it; long sequences."""
    both = ("hidden", "cell")

    def drawn(name: str, **choices: Any) -> dict[str, Any]:
        inputs = _recurrent.draw_inputs(stream(name), (4,), **({"states": both} | choices))
        return _with_peepholes(inputs, stream(name)("peephole_weights"))

    one: dict[str, Any] = {"layers": 1, "directions": 1}
    for sample in _recurrent.common_samples(stream, (4,), both):
        yield replace(sample, inputs=_with_peepholes(sample.inputs, stream(sample.name)("peephole_weights")))
    yield Sample(name="state_hidden_only", inputs=drawn("state_hidden_only", **one, states=("hidden",)), dtypes=SINGLE)
    yield Sample(name="state_cell_only", inputs=drawn("state_cell_only", **one, states=("cell",)), dtypes=SINGLE)
    large = drawn("magnitude_cell")
    large["cell"] = large["cell"] * 16.0
    yield Sample(name="magnitude_cell", inputs=large, dtypes=SINGLE)
    yield Sample(name="long_time", inputs=drawn("long_time", **one, sizes=(2, 128, 2, 4)), dtypes=SINGLE)
    yield Sample(name="convention_two_biases", inputs=drawn("convention_two_biases", biases=2), required=False, dtypes=SINGLE)
    for name, clip, choices in (
        ("bounds_clip", 1.6875, {}),
        ("bounds_clip_one_layer", 1.6875, one),
        ("bounds_clip_never_reached", 64.0, one),
    ):
        inputs = drawn(name, **choices)
        inputs["cell"] = np.sign(inputs["cell"]) * (3.0 + np.abs(inputs["cell"]))
        reached = name != "bounds_clip_never_reached"
        # In bfloat16 bars are so wide that some state may lie on either side of the bound.
        dtypes = ALL_BUT_BFLOAT16 if reached else DTYPES
        yield Sample(name=name, inputs=inputs, keywords={"cell_clip": clip}, required=reached, dtypes=dtypes)
    counting = _counting(drawn("bounds_clip_reached_exactly", **one, sizes=(3, 5, 2, 4), states=()))
    two = {"cell_clip": 2.0}
    yield Sample(name="bounds_clip_reached_exactly", inputs=counting, keywords=two, gradient=False)
    yield Sample(name="kink_clip_reached_exactly", inputs=counting, keywords=two, required=False)


def _counting(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with gates so open that half of the units count steps up from 0, and the others down."""
    leaf = inputs["parameters"][0][0]
    up = np.where(np.arange(leaf["bias"].shape[-1]) % 2 == 0, 1.0, -1.0)
    bias = np.stack([1000.0 + 0.0 * up, 1000.0 + 0.0 * up, 1000.0 * up, leaf["bias"][3]])
    return {**inputs, "parameters": [[{**leaf, "bias": bias}]]}


def _workload(stream: Stream, size: str) -> Sample:
    """That of ``lstm`` with peephole weights."""
    sample = lstm_page.workload(stream, size)
    return replace(sample, inputs=_with_peepholes(sample.inputs, stream("peephole_weights")))


def _work(
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    cell_clip: float | None = None,
    return_sequences: bool = True,
) -> Work:
    """That of ``lstm``, three products and sums for each unit, and two comparisons where the state is clipped.

    Back, the products and sums of the peepholes' gradients and of the states' (4 each), and a choice where the state is clipped.
    """
    clipped = Work(flops=0) if cell_clip is None else Work(flops=2, backward_flops=1)
    of_unit = lstm_page.work_of_unit("tanh", "sigmoid") + Work(flops=6, backward_flops=12) + clipped
    return recurrent_work(x, parameters, of_unit)


OPERATIONS = (
    Operation(
        function=peephole_lstm,
        vjp=_vjp,
        samples=_samples,
        family="recurrent",
        profile=EXTENDED,
        differentiable=lstm_page.OPERATION.differentiable,
        outputs=lstm_page.OPERATION.outputs,
        cotangents=lstm_page.OPERATION.cotangents,
        axes={**lstm_page.OPERATION.axes, "peephole_weights": "p h"},
        orders={**lstm_page.OPERATION.orders, "p": "ifo"},
        workload=_workload,
        work=_work,
    ),
)
