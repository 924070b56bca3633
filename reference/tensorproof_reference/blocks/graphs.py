"""Networks of graphs: graph_convolution."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require_rank, require_shape
from tensorproof_reference.blocks._composition import (
    Parameters,
    Parts,
    Step,
    gradients_of,
    require_parameters,
    shaped_arrays,
    values_of,
    work_of,
)
from tensorproof_reference.blocks._kinks import beside_kinks
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import ordinary, shaped, weights
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

BIASES = ("first_bias", "second_bias")
AXES = {
    "x": "n c",
    "adjacency": "n m",
    "first_weight": "c h",
    "first_bias": "h",
    "second_weight": "h o",
    "second_bias": "o",
    "y": "n o",
}


def graph_convolution(x: Array, adjacency: Array, parameters: Parameters) -> Array:
    r"""The network of two graph convolutions, up to the scores of each node's classes:

    .. math:: y = \hat A \max(0, \hat A x W_1 + b_1)\, W_2 + b_2, \quad
        \hat A = D^{-1/2} (A + I) D^{-1/2}, \quad D_{ii} = 1 + \sum_j A_{ij}.

    Each node is joined with itself. The paper has no biases; they may be left out.

    Shapes: ``x`` (N, C), a row for each node; ``adjacency`` A (N, N), the weights of edges, not negative; the result (N, O).
    ``parameters`` is a dict of ``first_weight`` (C, H), ``second_weight`` (H, O), and with biases ``first_bias`` (H) and
    ``second_bias`` (O).
    Special values: NaN makes everything NaN, since 0 times NaN is NaN, where there is no edge.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Kipf & Welling (2017), "Semi-supervised classification with graph convolutional networks", eq. 2 and 9.
    """
    return values_of(*_graph(x, adjacency, parameters))["y"]


def _graph(x: Array, adjacency: Array, parameters: Parameters) -> Parts:
    biases = BIASES if any(name in parameters for name in BIASES) else ()
    require_parameters(parameters, ("first_weight", "second_weight", *biases))
    require_rank(x, "x", 2)
    nodes = x.shape[0]
    require_shape(adjacency, "adjacency", (nodes, nodes))
    steps = (
        Step("joined", "add", {"a": "adjacency", "b": "itself"}),
        Step("degrees", "reduce_sum", {"x": "joined"}, {"axis": 1}),
        Step("factors", "rsqrt", {"x": "degrees"}),
        Step("of_rows", "expand_dims", {"x": "factors"}, {"axis": 1}),
        Step("half", "multiply", {"a": "joined", "b": "of_rows"}),
        Step("propagation", "multiply", {"a": "half", "b": "factors"}),
        *_layer("wide", "x", "first", bool(biases)),
        Step("active", "relu", {"x": "wide"}),
        *_layer("y", "active", "second", bool(biases)),
    )
    # Of the coarser dtype that NumPy computes in, so that sums with it have that of the adjacency.
    return steps, {"x": x, "adjacency": adjacency, "itself": np.eye(nodes, dtype=np.float32), **parameters}


def _layer(result: str, x: str, name: str, bias: bool) -> tuple[Step, ...]:
    """Features of each node by the weights, and their sum over its neighbours."""
    product = Step(f"{name}_features", "dense", {"x": x, "weight": f"{name}_weight"})
    if not bias:
        return product, Step(result, "matmul", {"a": "propagation", "b": product.result})
    return (
        product,
        Step(f"{name}_sums", "matmul", {"a": "propagation", "b": product.result}),
        Step(result, "add", {"a": f"{name}_sums", "b": f"{name}_bias"}),
    )


def _vjp(dy: Array, x: Array, adjacency: Array, parameters: Parameters) -> Gradients:
    """The gradients of the steps, from the last to the first; A has those of its sums too."""
    steps, arrays = _graph(x, adjacency, parameters)
    found = gradients_of(steps, values_of(steps, arrays), {"y": dy})
    return {"x": found["x"], "adjacency": found["adjacency"], "parameters": {name: found[name] for name in parameters}}


def _work(x: Array, adjacency: Array, parameters: Parameters) -> Work:
    """That of the steps, with a full matrix."""
    return work_of(*_graph(shaped(x), shaped(adjacency), shaped_arrays(parameters)))


class Sizes(NamedTuple):
    """The numbers of nodes and of their features, in both layers."""

    nodes: int = 7
    features: int = 5
    hidden: int = 6
    classes: int = 3


PLAIN = Sizes()


def _edges(stream: Stream, nodes: int, most: int = 2) -> Array:
    """Edges in both directions between a third of all pairs."""
    above = np.triu(stream.integers((nodes, nodes), 0, 3) < 1, 1)
    between = np.triu(stream("weights").integers((nodes, nodes), 1, most), 1) * above
    return (between + between.T).astype(np.float64)


def _inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    nodes, features, hidden, classes = sizes
    drawn = stream("parameters")
    parameters = {
        "first_weight": 2.0 * weights(drawn("first_weight"), (features, hidden), features),
        "first_bias": 0.3 * drawn("first_bias").normal((hidden,)),
        "second_weight": 2.0 * weights(drawn("second_weight"), (hidden, classes), hidden),
        "second_bias": 0.3 * drawn("second_bias").normal((classes,)),
    }
    x = ordinary(stream("x"), (nodes, features))
    return {"x": x, "adjacency": _edges(stream("adjacency"), nodes), "parameters": parameters}


def _beside_kinks(inputs: dict[str, Any]) -> dict[str, Any]:
    """With biases of the first layer that leave no unit near the kink."""
    parameters = inputs["parameters"]
    moved = parameters["first_bias"] + beside_kinks(values_of(*_graph(**inputs))["wide"], 1)
    return {**inputs, "parameters": {**parameters, "first_bias": moved}}


def _samples(stream: Stream) -> Iterator[Sample]:
    """Weights of edges, directions, nodes without neighbours, sizes of one, magnitudes, NaN; without biases."""

    def sample(name: str, sizes: Sizes = PLAIN, scaled: float = 1.0, **others: Any) -> Sample:
        inputs = _inputs(stream(name), sizes)
        inputs["x"] *= scaled
        return Sample(name=name, inputs=_beside_kinks(inputs), **{"dtypes": SINGLE, **others})

    def with_edges(name: str, adjacency: Array, **others: Any) -> Sample:
        inputs = _beside_kinks({**_inputs(stream(name), PLAIN), "adjacency": adjacency})
        return Sample(name=name, inputs=inputs, dtypes=SINGLE, **others)

    yield sample("plain_graph", dtypes=("float64", "float32", "float16"))
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield with_edges("plain_weights_of_edges", _edges(stream("plain_weights_of_edges")("adjacency"), 7, 9) / 4.0)
    yield with_edges("plain_one_way", np.triu(_edges(stream("plain_one_way")("adjacency"), 7)))
    yield sample("size_large", Sizes(65, 17, 32, 9))
    yield sample("unit_node", PLAIN._replace(nodes=1), exact_zero=("d_adjacency",))
    yield sample("unit_feature", PLAIN._replace(features=1))
    yield sample("unit_hidden", PLAIN._replace(hidden=1))
    yield sample("unit_class", PLAIN._replace(classes=1))
    lonely = _edges(stream("bounds_no_neighbours")("adjacency"), 7)
    lonely[2] = lonely[:, 2] = 0.0
    yield with_edges("bounds_no_neighbours", lonely)
    yield with_edges("bounds_no_edges", np.zeros((7, 7)))
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    yield sample("magnitude_small", scaled=0.01)
    yield sample("magnitude_large", scaled=100.0)
    bare = _inputs(stream("optional_no_biases"), PLAIN)
    bare["parameters"] = {name: array for name, array in bare["parameters"].items() if name not in BIASES}
    yield Sample(name="optional_no_biases", inputs=bare, dtypes=SINGLE)
    # The gradient at NaN is left out: what relu makes of it is a matter of taste.
    undefined = sample("nan_one_feature", gradient=False)
    inside: Any = undefined.inputs
    inside["x"][3, 2] = np.nan
    yield undefined


WORKLOADS = {"S": Sizes(16, 16, 16, 4), "M": Sizes(256, 128, 64, 16), "L": Sizes(1536, 512, 256, 64)}


def _workload(stream: Stream, size: str) -> Sample:
    """A graph with a third of all edges."""
    return Sample(name=size, inputs=_inputs(stream, WORKLOADS[size]))


OPERATIONS = (
    Operation(
        function=graph_convolution,
        vjp=_vjp,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "adjacency", "parameters"),
        axes=AXES,
        workload=_workload,
        work=_work,
    ),
)
