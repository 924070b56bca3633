"""The gates of one step of a long short-term memory: see ``lstm_gates``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_rank, require_shape
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import Leaf
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def lstm_gates(x: Array, hidden: Array, cell: Array, parameters: Leaf) -> tuple[Array, Array, Array, Array]:
    r"""The gates of one step of ``lstm``, each on its own: :math:`i, f, o = \sigma(xW + hU + b)` and
    :math:`g = \tanh(xW + hU + b)`.

    The cell state meets the gates only afterwards (:math:`c' = f \odot c + i \odot g`), so no gate depends on ``cell``.

    Shapes: ``x`` is (N, F), ``hidden`` and ``cell`` (N, H); ``parameters`` is a dict of ``input_weights`` (F, 4, H),
    ``recurrent_weights`` (H, 4, H), ``bias`` (4, H) if there is one, and ``recurrent_bias`` (4, H) if there are two, which are
    added; the gates are in the order i, f, g, o. Returns i, f, g, o, each (N, H).
    Special values: NaN in a row of ``x`` or ``hidden`` gives NaN in that row of every gate.
    Raises: ``ValueError`` if a shape does not match, or if a key of ``parameters`` is missing or unknown.
    Source: Gers, Schmidhuber & Cummins (2000); the texts, 004 §3.7.
    """
    require_rank(x, "x", 2)
    units = _recurrent.require_leaf(parameters, "parameters", x.shape[1], (4,))
    require_shape(hidden, "hidden", (x.shape[0], units))
    require_shape(cell, "cell", (x.shape[0], units))
    weights, bias = _recurrent.joint_matrix(parameters), _recurrent.joint_bias(parameters)
    return _recurrent.lstm_gate_values(x, hidden, weights, bias)


def vjp(cotangents: tuple[Array, Array, Array, Array], x: Array, hidden: Array, cell: Array, parameters: Leaf) -> Gradients:
    r""":math:`da = [di\,i(1-i),\ df\,f(1-f),\ dg(1-g^2),\ do\,o(1-o)]`, then :math:`dx = da\,W^T`, :math:`dh = da\,U^T`,
    :math:`dW = x^T da`, :math:`dU = h^T da`, and :math:`db` the sum of da over the batch."""
    di, df, dg, do = cotangents
    i, f, g, o = lstm_gates(x, hidden, cell, parameters)
    slopes = [di * i * (1.0 - i), df * f * (1.0 - f), dg * (1.0 - g * g), do * o * (1.0 - o)]
    d_gates = np.stack(slopes, axis=1)[None]
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x[None], d_gates),
        "recurrent_weights": _recurrent.weight_gradient(hidden[None], d_gates),
        **_recurrent.bias_gradients(parameters, d_gates, d_gates),
    }
    d_hidden = _recurrent.flat(d_gates) @ np.transpose(_recurrent.matrix(parameters["recurrent_weights"]))
    return {"x": _recurrent.input_gradient(d_gates, parameters)[0], "hidden": d_hidden, "parameters": d_leaf}


def samples(stream: Stream) -> Iterator[Sample]:
    """One step in several sizes, without, with one and with two bias vectors; NaN and gates quite open or closed."""

    def draw(name: str, sizes: tuple[int, int, int] = (5, 3, 4), biases: int = 1) -> dict[str, Any]:
        batch, features, units = sizes
        source = stream(name)
        return {
            "x": source("x").normal((batch, features)),
            "hidden": source("hidden").normal((batch, units)),
            "cell": source("cell").normal((batch, units)),
            "parameters": _recurrent.draw_leaf(source, features, units, (4,), biases),
        }

    yield Sample(name="plain_step", inputs=draw("plain_step"))
    yield Sample(name="size_large", inputs=draw("size_large", (8, 16, 32)))
    yield Sample(name="unit_batch", inputs=draw("unit_batch", (1, 3, 4)), dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="unit_hidden", inputs=draw("unit_hidden", (5, 1, 1)), dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="strided_transposed", inputs=draw("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=draw("strided_sliced"), memory="sliced")
    nan_input = draw("nan_input")
    nan_input["x"][1, 0] = np.nan
    yield Sample(name="nan_input", inputs=nan_input)
    nan_hidden = draw("nan_hidden")
    nan_hidden["hidden"][2, 1] = np.nan
    yield Sample(name="nan_hidden", inputs=nan_hidden)
    nan_cell = draw("nan_cell")
    nan_cell["cell"][0, 3] = np.nan
    yield Sample(name="nan_cell", inputs=nan_cell)
    large = draw("magnitude_300")
    large["x"] = large["x"] * 300.0
    yield Sample(name="magnitude_300", inputs=large, gradient=False)
    saturated = draw("magnitude_saturated")
    saturated["parameters"]["bias"][:, :2] = stream("magnitude_saturated")("open").integers((4, 2), 0, 2) * 2000.0 - 1000.0
    yield Sample(name="magnitude_saturated", inputs=saturated, dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="optional_no_bias", inputs=draw("optional_no_bias", biases=0))
    yield Sample(name="convention_two_biases", inputs=draw("convention_two_biases", biases=2), required=False)


OPERATION = Operation(
    function=lstm_gates,
    vjp=vjp,
    samples=samples,
    family="gates",
    differentiable=("x", "hidden", "parameters"),
    outputs=("i", "f", "g", "o"),
    cotangents=("i", "f", "g", "o"),
    axes={
        "x": "n f",
        "hidden": "n h",
        "cell": "n h",
        "input_weights": "f g h",
        "recurrent_weights": "k g h",
        "bias": "g h",
        "recurrent_bias": "g h",
        "i": "n h",
        "f": "n h",
        "g": "n h",
        "o": "n h",
    },
    orders={"g": "ifgo"},
    required=False,
    documents=("004 §3.7",),
)
