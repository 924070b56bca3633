"""The gates of one step of a gated recurrent unit: see ``gru_gates``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice, require_rank, require_shape
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import Leaf
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def gru_gates(x: Array, hidden: Array, parameters: Leaf, *, reset: str = "before") -> tuple[Array, Array, Array]:
    r"""The gates of one step of ``gru``, each on its own: update and reset, :math:`z, r = \sigma(xW + b + hU + b')`, and the
    candidate n.

    The convention ``reset`` says where r acts: ``before`` the recurrent product, :math:`n = \tanh(xW + b + (r \odot h)U + b')`,
    or ``after`` it, :math:`n = \tanh(xW + b + r \odot (hU + b'))`.

    Shapes: ``x`` is (N, F) and ``hidden`` (N, H); ``parameters`` is a dict of ``input_weights`` (F, 3, H), ``recurrent_weights``
    (H, 3, H), ``bias`` b (3, H) and ``recurrent_bias`` b' (3, H), each zero if it is missing; the gates are in the order z, r, n.
    Returns z, r, n, each (N, H).
    Special values: NaN in a row of ``x`` or ``hidden`` gives NaN in that row of every gate.
    Raises: ``ValueError`` if a shape does not match, if a key of ``parameters`` is missing or unknown, or if ``reset`` is neither
    ``before`` nor ``after``.
    Source: Cho et al. (2014), and its first version on arXiv (1406.1078v1) for ``after``; the texts, 004 §3.7.
    """
    return _values(x, hidden, parameters, reset)[:3]


def vjp(cotangents: tuple[Array, Array, Array], x: Array, hidden: Array, parameters: Leaf, *, reset: str = "before") -> Gradients:
    r"""With :math:`da_n = dn(1-n^2)`, the reset gate gets :math:`dr + h \odot da_n U_n^T` before the recurrent product, or
    :math:`dr + (hU_n + b'_n) \odot da_n` after it; then :math:`da_z = dz\,z(1-z)`, :math:`da_r = dr\,r(1-r)`, and the products'
    rule."""
    dz, dr, dn = cotangents
    z, r, n, met = _values(x, hidden, parameters, reset)
    recurrent = parameters["recurrent_weights"]
    before_n = dn * (1.0 - n * n)
    d_reset = before_n @ np.transpose(recurrent[:, 2]) if reset == "before" else before_n
    before_z, before_r = dz * z * (1.0 - z), (dr + d_reset * met) * r * (1.0 - r)
    product = before_n if reset == "before" else before_n * r
    d_gates = np.stack([before_z, before_r, before_n], axis=1)[None]
    d_recurrent = np.stack([before_z, before_r, product], axis=1)[None]
    if reset == "before":
        through_gates = np.concatenate([before_z, before_r], axis=-1) @ np.transpose(_recurrent.matrix(recurrent[:, :2]))
        d_hidden = through_gates + d_reset * r
        on_gates = _recurrent.weight_gradient(hidden[None], d_recurrent[:, :, :2])
        on_candidate = _recurrent.weight_gradient((r * hidden)[None], d_recurrent[:, :, 2:])
        d_recurrent_weights = np.concatenate([on_gates, on_candidate], axis=1)
    else:
        d_hidden = _recurrent.flat(d_recurrent) @ np.transpose(_recurrent.matrix(recurrent))
        d_recurrent_weights = _recurrent.weight_gradient(hidden[None], d_recurrent)
    d_leaf = {
        "input_weights": _recurrent.weight_gradient(x[None], d_gates),
        "recurrent_weights": d_recurrent_weights,
        **_recurrent.bias_gradients(parameters, d_gates, d_recurrent),
    }
    return {"x": _recurrent.input_gradient(d_gates, parameters)[0], "hidden": d_hidden, "parameters": d_leaf}


def _values(x: Array, hidden: Array, parameters: Leaf, reset: str) -> tuple[Array, Array, Array, Array]:
    """The gates, and what the reset gate meets (``_recurrent.gru_gate_values``), after checking all arguments."""
    require_choice(reset, "reset", ("before", "after"))
    require_rank(x, "x", 2)
    units = _recurrent.require_leaf(parameters, "parameters", x.shape[1], (3,))
    require_shape(hidden, "hidden", (x.shape[0], units))
    gates, candidate = _recurrent.split_gru(parameters, reset)
    return _recurrent.gru_gate_values(x, hidden, gates, candidate, reset)


def samples(stream: Stream) -> Iterator[Sample]:
    """One step in several sizes, with and without bias, both places of the reset gate; NaN and gates quite open or closed."""

    def draw(name: str, sizes: tuple[int, int, int] = (5, 3, 4), biases: int = 1) -> dict[str, Any]:
        batch, features, units = sizes
        source = stream(name)
        return {
            "x": source("x").normal((batch, features)),
            "hidden": source("hidden").normal((batch, units)),
            "parameters": _recurrent.draw_leaf(source, features, units, (3,), biases),
        }

    after = {"reset": "after"}
    yield Sample(name="plain_step", inputs=draw("plain_step"))
    yield Sample(name="size_large", inputs=draw("size_large", (8, 16, 32)))
    yield Sample(name="unit_batch", inputs=draw("unit_batch", (1, 3, 4)), dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="unit_hidden", inputs=draw("unit_hidden", (5, 1, 1)), dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="strided_transposed", inputs=draw("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=draw("strided_sliced"), memory="sliced")
    nan_input = draw("nan_input")
    nan_input["x"][1, 0] = np.nan
    yield Sample(name="nan_input", inputs=nan_input)
    nan_hidden = draw("nan_hidden", biases=2)
    nan_hidden["hidden"][2, 1] = np.nan
    yield Sample(name="nan_hidden", inputs=nan_hidden, keywords=after)
    large = draw("magnitude_300")
    large["x"] = large["x"] * 300.0
    yield Sample(name="magnitude_300", inputs=large, gradient=False)
    for name, biases, keywords in (("magnitude_saturated", 1, {}), ("magnitude_saturated_after", 2, after)):
        saturated = draw(name, biases=biases)
        saturated["parameters"]["bias"][:, :2] = stream(name)("open").integers((3, 2), 0, 2) * 2000.0 - 1000.0
        yield Sample(name=name, inputs=saturated, keywords=keywords, dtypes=_recurrent.ALL_BUT_BFLOAT16)
    yield Sample(name="optional_no_bias", inputs=draw("optional_no_bias", biases=0))
    yield Sample(name="convention_after", inputs=draw("convention_after", biases=2), keywords=after)
    yield Sample(name="convention_after_no_bias", inputs=draw("convention_after_no_bias", biases=0), keywords=after)
    yield Sample(name="convention_after_large", inputs=draw("convention_after_large", (8, 16, 32), 2), keywords=after)


OPERATION = Operation(
    function=gru_gates,
    vjp=vjp,
    samples=samples,
    family="gates",
    differentiable=("x", "hidden", "parameters"),
    outputs=("z", "r", "n"),
    cotangents=("z", "r", "n"),
    axes={
        "x": "n f",
        "hidden": "n h",
        "input_weights": "f g h",
        "recurrent_weights": "k g h",
        "bias": "g h",
        "recurrent_bias": "g h",
        "z": "n h",
        "r": "n h",
        "n": "n h",
    },
    orders={"g": "zrn"},
    conventions={"reset": ("before", "after")},
    required=False,
    documents=("004 §3.7",),
)
