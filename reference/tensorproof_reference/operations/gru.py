"""Gated recurrent unit: see ``gru``."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._cell_activations import PULLS, VALUES, WORK
from tensorproof_reference.operations._recurrent import Leaf, Memory, Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work, recurrent_workload, repeated
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def gru(
    x: Array, parameters: Parameters, hidden: Array | None = None, *, reset: str = "before", return_sequences: bool = True
) -> tuple[Array, Array]:
    r"""Gated recurrent units through time, in several layers and one or both directions.

    .. math::
        z, r = \sigma(x_t W + b + h_{t-1} U + b'), \quad h_t = (1 - z) \odot n + z \odot h_{t-1}

    with W, U, b and b' of each gate. The convention ``reset`` says where the reset gate r acts: ``before`` the recurrent product,
    :math:`n = \tanh(x_t W + b + (r \odot h_{t-1}) U + b')`, or ``after`` it,
    :math:`n = \tanh(x_t W + b + r \odot (h_{t-1} U + b'))`. A second direction runs from the last time step to the first; the
    next layer sees both side by side.

    Shapes: ``x`` is (N, T, F) with T ≥ 1. ``parameters[layer][direction]`` is a dict of ``input_weights`` (F, 3, H),
    ``recurrent_weights`` (H, 3, H), ``bias`` b (3, H) and ``recurrent_bias`` b' (3, H), each zero if it is missing; the gates are
    in the order z, r, n, and F is D·H from the second layer on, with D directions. ``hidden`` is (layers, D, N, H), zero if
    ``None``. Returns y (N, T, D·H), the hidden states of the last layer, forward then backward; and the final states h (layers,
    D, N, H). Without ``return_sequences`` y is (N, D·H), the last layer's final h (the backward one at time 0).
    Special values: NaN spreads to all later steps (earlier ones in the backward direction) of its batch lane, and nowhere else.
    Raises: ``ValueError`` if a shape does not match, if there is no time step, if a key of a dict is missing or unknown, or if
    ``reset`` is neither ``before`` nor ``after``.
    Source: Cho et al. (2014), and its first version on arXiv (1406.1078v1) for ``after``; the texts, 000 §3.3.2 and 004 §2.4.
    """
    y, h, _ = run(x, parameters, hidden, reset=reset)
    return (y if return_sequences else _recurrent.last_output(h)), h


def vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    return_sequences: bool = True,
) -> Gradients:
    r"""Back-propagation through time: :math:`dz = dh_t \odot (h_{t-1} - n)`, :math:`dn = dh_t \odot (1 - z)`, and
    :math:`dh_{t-1}` gathers :math:`z \odot dh_t` and what comes through the gates; the gradients of weights are sums over time
    and batch."""
    dy, dh = cotangents
    choices: dict[str, Any] = {"reset": reset, "activation": activation, "gate_activation": gate_activation}
    y, _, memories = run(x, parameters, hidden, **choices)
    if not return_sequences:
        dy, dh = np.zeros_like(y), _recurrent.add_last_output(dh, dy)
    dx, d_parameters, (d_hidden,) = _recurrent.backward(dy, (dh,), parameters, memories, partial(_back, **choices))
    return {"x": dx, "parameters": d_parameters, "hidden": None if hidden is None else d_hidden}


def run(
    x: Array,
    parameters: Parameters,
    hidden: Array | None,
    *,
    reset: str,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
) -> tuple[Array, Array, list[list[Memory]]]:
    """The whole sequence, the final states, and what the way back needs; ``activation`` is that of the candidate n."""
    require_choice(reset, "reset", ("before", "after"))
    require_choice(activation, "activation", tuple(VALUES))
    require_choice(gate_activation, "gate_activation", tuple(VALUES))
    sizes = _recurrent.require_parameters(x, parameters, (3,))
    states = (_recurrent.initial_state(hidden, "hidden", x, sizes),)
    one = partial(_run, reset=reset, activation=activation, gate_activation=gate_activation)
    y, (h,), memories = _recurrent.forward(x, parameters, states, one)
    return y, h, memories


def _run(
    x: Array, leaf: Leaf, states: tuple[Array, ...], *, reset: str, activation: str, gate_activation: str
) -> tuple[Array, tuple[Array, ...], Memory]:
    """One layer in one direction (``_recurrent.Run``)."""
    gates, candidate = _recurrent.split_gru(leaf, reset)
    hiddens, values = [states[0]], []
    for step in range(x.shape[0]):
        found = _recurrent.gru_gate_values(x[step], hiddens[-1], gates, candidate, reset, activation, gate_activation)
        z, _, n, _ = found
        hiddens.append((1.0 - z) * n + z * hiddens[-1])
        values.append(found)
    return np.stack(hiddens[1:]), (hiddens[-1],), (x, hiddens, values)


def _back(
    d_hiddens: Array,
    d_finals: tuple[Array, ...],
    leaf: Leaf,
    memory: Memory,
    *,
    reset: str,
    activation: str,
    gate_activation: str,
) -> tuple[Array, Leaf, tuple[Array, ...]]:
    """The way back through ``_run`` (``_recurrent.Back``)."""
    x, hiddens, values = memory
    previous = np.stack(hiddens[:-1])
    z, r, n, met = (np.stack(items) for items in zip(*values, strict=True))
    pull, pull_gate = PULLS[activation], PULLS[gate_activation]
    z_slope, r_slope, n_slope = pull_gate(previous - n, z), pull_gate(met, r), pull(1.0 - z, n)
    recurrent = leaf["recurrent_weights"]
    gates, candidate = np.transpose(_recurrent.matrix(recurrent[:, :2])), np.transpose(recurrent[:, 2])
    joint = np.transpose(_recurrent.matrix(recurrent))
    (dh,) = d_finals
    steps, products = [], []
    for step in reversed(range(x.shape[0])):
        dh = dh + d_hiddens[step]
        dz, dn = dh * z_slope[step], dh * n_slope[step]
        if reset == "before":
            d_reset = dn @ candidate
            dr, product = d_reset * r_slope[step], dn
            dh = dh * z[step] + d_reset * r[step] + np.concatenate([dz, dr], axis=-1) @ gates
        else:
            dr, product = dn * r_slope[step], dn * r[step]
            dh = dh * z[step] + np.concatenate([dz, dr, product], axis=-1) @ joint
        steps.append(np.stack([dz, dr, dn], axis=1))
        products.append(product)
    d_gates = np.stack(steps[::-1])
    d_recurrent = np.concatenate([d_gates[:, :, :2], np.stack(products[::-1])[:, :, None]], axis=2)
    if reset == "before":
        on_gates = _recurrent.weight_gradient(previous, d_recurrent[:, :, :2])
        on_candidate = _recurrent.weight_gradient(r * previous, d_recurrent[:, :, 2:])
        d_recurrent_weights = np.concatenate([on_gates, on_candidate], axis=1)
    else:
        d_recurrent_weights = _recurrent.weight_gradient(previous, d_recurrent)
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x, d_gates),
        "recurrent_weights": d_recurrent_weights,
        **_recurrent.bias_gradients(leaf, d_gates, d_recurrent),
    }
    return _recurrent.input_gradient(d_gates, leaf), d_leaf, (dh,)


def samples(stream: Stream) -> Iterator[Sample]:
    """Layers, directions, states and biases, and the reset gate after the recurrent product."""

    def draw(name: str, **choices: Any) -> dict[str, Any]:
        return _recurrent.draw_inputs(stream(name), (3,), **choices)

    yield from _recurrent.common_samples(stream, (3,), ("hidden",))
    after: dict[str, Any] = {"reset": "after"}
    yield Sample(name="convention_after", inputs=draw("convention_after", biases=2), keywords=after)
    one_layer = draw("convention_after_one_layer", layers=1, directions=1, biases=2, states=())
    yield Sample(name="convention_after_one_layer", inputs=one_layer, keywords=after)
    last = draw("convention_after_last_output", biases=2)
    yield Sample(name="convention_after_last_output", inputs=last, keywords=after | {"return_sequences": False})
    yield Sample(name="convention_after_no_bias", inputs=draw("convention_after_no_bias", biases=0), keywords=after)
    for name, sizes in (("unit_time", (3, 1, 2, 4)), ("unit_batch", (1, 4, 2, 4)), ("unit_hidden", (3, 4, 1, 1))):
        small = draw(f"{name}_after", sizes=sizes, biases=2)
        dtypes = _recurrent.ALL_BUT_BFLOAT16
        yield from with_each(Sample(name=name, inputs=small, dtypes=dtypes), [after])
    nan = draw("nan_after", layers=1, directions=1, biases=2, states=())
    nan["x"][0, 2, 1] = np.nan
    yield Sample(name="nan_after", inputs=nan, keywords=after)
    saturated = _recurrent.saturate_biases(draw("magnitude_saturated_after", biases=2), stream("magnitude_saturated_after"))
    dtypes = _recurrent.ALL_BUT_BFLOAT16
    yield Sample(name="magnitude_saturated_after", inputs=saturated, keywords=after, dtypes=dtypes)


def work_of_unit(reset: str, activation: str, gate_activation: str) -> Work:
    """What a step does for each unit beside products and biases: two gates and the candidate through their activations, the new
    state (4), and the reset gate's product; after the recurrent product its sum with that of the input as well.

    Back, beside the activations, one product for what each of the three gates met, and what flows to the state before: before the
    product two products and two sums, after it a product and a sum, and the reset gate's product.
    """
    others = Work(flops=5, backward_flops=7) if reset == "before" else Work(flops=6, backward_flops=6)
    return repeated(WORK[gate_activation], 2) + WORK[activation] + others


def workload(stream: Stream, size: str) -> Sample:
    """Sequences through one layer in one direction."""
    return recurrent_workload(stream, size, (3,))


def work(
    x: Array, parameters: Parameters, hidden: Array | None = None, *, reset: str = "before", return_sequences: bool = True
) -> Work:
    """Products and biases, and the gates of each unit."""
    return recurrent_work(x, parameters, work_of_unit(reset, "tanh", "sigmoid"))


OPERATION = Operation(
    function=gru,
    vjp=vjp,
    samples=samples,
    family="recurrent",
    differentiable=("x", "parameters", "hidden"),
    outputs=("y", "h"),
    cotangents=("y", "h"),
    axes={
        "x": "n t f",
        "input_weights": "f g h",
        "recurrent_weights": "k g h",
        "bias": "g h",
        "recurrent_bias": "g h",
        "hidden": "l d n h",
        "h": "l d n h",
    },
    orders={"g": "zrn"},
    conventions={"reset": ("before", "after")},
    documents=("000 §3.3.2", "004 §2.4"),
    workload=workload,
    work=work,
)
