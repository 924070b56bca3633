"""Networks of which each row of x uses some: mixture_of_experts."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank, require_shape
from tensorproof_reference.blocks._composition import (
    PARTS,
    Parameters,
    Parts,
    Step,
    block_gradients,
    require_parameters,
    values_of,
    work_of,
)
from tensorproof_reference.blocks._kinks import beside_kinks
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import ordinary, shaped, weights
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

OVER = ("chosen", "all")
PARAMETERS = ("gate_weight", "up_weight", "up_bias", "down_weight", "down_bias")
AXES = {
    "x": "n e",
    "gate_weight": "e k",
    "up_weight": "k e f",
    "up_bias": "k f",
    "down_weight": "k f e",
    "down_bias": "k e",
    "y": "n e",
}


def mixture_of_experts(x: Array, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Array:
    r"""For each row the networks of the largest scores, weighted by the softmax of these:

    .. math:: y_n = \sum_{k \in T_n} g_{nk}\,(\max(0, x_n U_k + b_k)\, D_k + c_k), \quad s_n = x_n G,

    where :math:`T_n` are the ``chosen`` largest scores, of equal ones the first. The weights :math:`g_n` are the softmax of
    these scores (``softmax_over="chosen"``), or the softmax of all scores, of which those of :math:`T_n` are taken as they are
    (``"all"``). The choice has no gradient. There is no noise, and no expert is full.

    Shapes: ``x`` and the result (N, E). ``parameters`` is a dict of ``gate_weight`` (E, K), ``up_weight`` (K, E, F), ``up_bias``
    (K, F), ``down_weight`` (K, F, E) and ``down_bias`` (K, E).
    Special values: NaN makes its own row NaN.
    Raises: ``ValueError`` if a parameter is missing or unknown, shapes do not fit, ``chosen`` is below 1 or above K, or
    ``softmax_over`` is unknown.
    Source: Shazeer et al. (2017), "Outrageously large neural networks", eq. 1, 3 and 5, without noise; softmax over all: Fedus,
    Zoph & Shazeer (2022), "Switch transformers", eq. 1 and 2.
    """
    return values_of(*_mixture(x, parameters, chosen, softmax_over))["y"]


def _mixture(x: Array, parameters: Parameters, chosen: int, softmax_over: str) -> Parts:
    require_parameters(parameters, PARAMETERS)
    require_rank(x, "x", 2)
    require_rank(parameters["up_weight"], "up_weight", 3)
    rows, features = x.shape
    experts, _, wide = parameters["up_weight"].shape
    for name, shape in (
        ("gate_weight", (features, experts)),
        ("up_weight", (experts, features, wide)),
        ("up_bias", (experts, wide)),
        ("down_weight", (experts, wide, features)),
        ("down_bias", (experts, features)),
    ):
        require_shape(parameters[name], name, shape)
    require(isinstance(chosen, int) and 1 <= chosen <= experts, "chosen", f"1 to {experts}", chosen)
    require_choice(softmax_over, "softmax_over", OVER)
    networks = (
        Step("wide_sums", "einsum", {"arrays": ("x", "up_weight")}, {"equation": "ne,kef->nkf"}),
        Step("wide", "add", {"a": "wide_sums", "b": "up_bias"}),
        Step("active", "relu", {"x": "wide"}),
        Step("narrow_sums", "einsum", {"arrays": ("active", "down_weight")}, {"equation": "nkf,kfe->nke"}),
        Step("narrow", "add", {"a": "narrow_sums", "b": "down_bias"}),
    )
    places = (
        Step("columns", "expand_dims", {"x": "indices"}, {"axis": 2}),
        Step("places", "broadcast_to", {"x": "columns"}, {"shape": (rows, chosen, features)}),
        Step("picked", "take_along_axis", {"x": "narrow", "indices": "places"}, {"axis": 1}),
        Step("y", "einsum", {"arrays": ("weights", "picked")}, {"equation": "nk,nke->ne"}),
    )
    return (*_gate(chosen, softmax_over), *networks, *places), {"x": x, **parameters}


def _gate(chosen: int, softmax_over: str) -> tuple[Step, ...]:
    """The weights of the chosen, and which they are."""
    scores = Step("scores", "dense", {"x": "x", "weight": "gate_weight"})
    if softmax_over == "all":
        every = Step("probabilities", "softmax", {"x": "scores"})
        return scores, every, Step("weights", "top_k", {"x": "probabilities"}, {"k": chosen}, ("indices",))
    largest = Step("largest", "top_k", {"x": "scores"}, {"k": chosen}, ("indices",))
    return scores, largest, Step("weights", "softmax", {"x": "largest"})


def _vjp(dy: Array, x: Array, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Gradients:
    """The gradients of the steps, from the last to the first; x has those of the gate and of the experts."""
    return block_gradients({"y": dy}, _mixture(x, parameters, chosen, softmax_over), parameters)


def _work(x: Array, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Work:
    """That of the gate, of a network for each chosen expert of each row, and their weighted sum; x has the sum of gradients."""
    rows, features = x.shape
    wide = parameters["up_bias"].shape[1]
    network = (
        Step("wide", "dense", {"x": "x", "weight": "up_weight", "bias": "up_bias"}),
        Step("active", "relu", {"x": "wide"}),
        Step("narrow", "dense", {"x": "active", "weight": "down_weight", "bias": "down_bias"}),
    )
    arrays = {name: np.broadcast_to(0.0, parameters[name].shape[1:]) for name in PARAMETERS[1:]}
    einsum = PARTS["einsum"].work
    assert einsum is not None
    picked = [np.broadcast_to(0.0, (rows, chosen)), np.broadcast_to(0.0, (rows, chosen, features))]
    return (
        work_of(_gate(chosen, softmax_over), {"x": shaped(x), "gate_weight": shaped(parameters["gate_weight"])})
        + work_of(network, {"x": np.broadcast_to(0.0, (rows * chosen, features)), **arrays})
        + einsum(picked, equation="nk,nke->ne")
        + Work(flops=0, backward_flops=rows * features * chosen, untouched=_unread(rows * chosen, parameters, wide, features))
    )


def _unread(uses: int, parameters: Parameters, wide: int, features: int) -> int:
    """The parameters of experts that cannot all be used, as there are fewer choices."""
    idle: int = max(parameters["up_weight"].shape[0] - uses, 0)
    return idle * (2 * wide * features + wide + features)


class Sizes(NamedTuple):
    """The numbers of rows and features, and of experts and their features."""

    rows: int = 9
    features: int = 5
    experts: int = 4
    wide: int = 6


PLAIN = Sizes()


def _rows_apart(stream: Stream, gate: Array, sizes: Sizes) -> Array:
    """Of twelve rows each time that whose scores are farthest from each other: which are largest does not hang on rounding."""
    drawn = ordinary(stream, (12, sizes.rows, sizes.features))
    scores = np.sort(drawn @ gate, axis=-1)
    gaps = np.min(np.diff(scores), axis=-1, initial=np.inf)
    return drawn[np.argmax(gaps, axis=0), np.arange(sizes.rows)]


def _inputs(stream: Stream, sizes: Sizes, gate: Array | None = None) -> dict[str, Any]:
    _, features, experts, wide = sizes
    drawn = stream("parameters")
    if gate is None:
        gate = 2.0 * weights(drawn("gate_weight"), (features, experts), features)
    parameters = {
        "gate_weight": gate,
        "up_weight": 1.5 * weights(drawn("up_weight"), (experts, features, wide), features),
        "up_bias": 0.3 * drawn("up_bias").normal((experts, wide)),
        "down_weight": 1.5 * weights(drawn("down_weight"), (experts, wide, features), wide),
        "down_bias": 0.3 * drawn("down_bias").normal((experts, features)),
    }
    return {"x": _rows_apart(stream("x"), gate, sizes), "parameters": parameters}


def _beside_kinks(inputs: dict[str, Any]) -> dict[str, Any]:
    """With biases that leave no unit near the kink, whichever experts are chosen."""
    parameters = inputs["parameters"]
    wide = values_of(*_mixture(**inputs, chosen=1, softmax_over="all"))["wide"]
    added = beside_kinks(wide.reshape(len(wide), -1), 1).reshape(wide.shape[1:])
    return {**inputs, "parameters": {**parameters, "up_bias": parameters["up_bias"] + added}}


def _samples(stream: Stream) -> Iterator[Sample]:
    """Both weights, one and all chosen, experts that nobody chooses, equal scores, sizes of one, magnitudes, NaN."""

    def sample(name: str, sizes: Sizes = PLAIN, scaled: float = 1.0, **others: Any) -> Sample:
        inputs = _inputs(stream(name), sizes)
        inputs["x"] *= scaled
        return Sample(name=name, inputs=_beside_kinks(inputs), **{"dtypes": SINGLE, **others})

    fine = ("float64", "float32", "float16")
    gate = ("d_parameters.gate_weight",)
    yield sample("plain_chosen", dtypes=fine)
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield sample("size_large", Sizes(33, 16, 8, 32))
    yield sample("unit_row", PLAIN._replace(rows=1))
    yield sample("unit_feature", PLAIN._replace(features=1, rows=3))
    yield sample("unit_wide", PLAIN._replace(wide=1))
    yield sample("unit_expert", PLAIN._replace(experts=1), keywords={"chosen": 1}, exact_zero=gate)
    yield sample("bounds_one_chosen", keywords={"chosen": 1}, exact_zero=gate)
    yield sample("bounds_all_chosen", keywords={"chosen": 4})
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    yield sample("magnitude_small", scaled=0.01)
    yield sample("magnitude_large", scaled=3.0)
    yield sample("optional_softmax_over_all", keywords={"softmax_over": "all"}, dtypes=fine)
    yield sample("optional_softmax_over_all_one_chosen", keywords={"softmax_over": "all", "chosen": 1})
    tied = _inputs(stream("ties_first_of_equal"), PLAIN)
    tied["parameters"]["gate_weight"][:, 1:] = tied["parameters"]["gate_weight"][:, :1]
    yield Sample(name="ties_first_of_equal", inputs=tied, required=False, gradient=False, dtypes=SINGLE)
    # The gradient at NaN is left out: what relu makes of it is a matter of taste.
    undefined = sample("nan_one_row", gradient=False)
    inside: Any = undefined.inputs
    inside["x"][4, 2] = np.nan
    yield undefined


WORKLOADS = {"S": Sizes(8, 32, 4, 32), "M": Sizes(128, 128, 8, 256), "L": Sizes(1024, 256, 8, 1024)}


def _workload(stream: Stream, size: str) -> Sample:
    """Two experts for each row."""
    return Sample(name=size, inputs=_inputs(stream, WORKLOADS[size]))


OPERATIONS = (
    Operation(
        function=mixture_of_experts,
        vjp=_vjp,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "parameters"),
        axes=AXES,
        workload=_workload,
        work=_work,
    ),
)
