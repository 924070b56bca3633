"""Models of several clients made one: federated_average."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.blocks._composition import Parts, Step, values_of, work_of
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import ordinary, shaped
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Clients = Sequence[Sequence[Array]]


def federated_average(clients: Clients, examples: Array | None = None) -> list[Array]:
    r"""The weights of a model after a round, by those of its clients, each of which counts as much as it has examples:

    .. math:: w = \sum_k \frac{n_k}{\sum_j n_j}\, w_k.

    Shapes: ``clients`` is a list of the weights of each of K clients, which are lists of arrays of the same shapes; the result is
    such a list. ``examples`` (K) are the numbers of examples n, in floating point; left out, all are equal. There is no gradient.
    Special values: NaN makes its own place NaN, also where the client has no examples, since 0 times NaN is NaN.
    Raises: ``ValueError`` if there is no client, or shapes do not fit.
    Source: McMahan et al. (2017), "Communication-efficient learning of deep networks from decentralized data", algorithm 1.
    """
    found = values_of(*_average(clients, examples))
    return [found[f"average_{place}"] for place in range(len(clients[0]))]


def _average(clients: Clients, examples: Array | None) -> Parts:
    require(len(clients) > 0, "clients", "at least one", len(clients))
    arrays: dict[str, Array | None] = {"examples": examples}
    for client, weights in enumerate(clients):
        require(len(weights) == len(clients[0]), "clients", f"lists of {len(clients[0])}", len(weights))
        for place, (weight, first) in enumerate(zip(weights, clients[0], strict=True)):
            require_shape(weight, f"clients[{client}][{place}]", first.shape)
            arrays[f"weight_{client}_{place}"] = weight
    of_examples = (
        Step("all_examples", "reduce_sum", {"x": "examples"}),
        Step("shares", "divide", {"a": "examples", "b": "all_examples"}),
    )
    if examples is not None:
        require_shape(examples, "examples", (len(clients),))
    steps = [] if examples is None else [*of_examples]
    for place, first in enumerate(clients[0]):
        named = tuple(f"weight_{client}_{place}" for client in range(len(clients)))
        stacked, result = Step(f"stacked_{place}", "stack", {"arrays": named}), f"average_{place}"
        if examples is None:
            steps += [stacked, Step(result, "reduce_mean", {"x": stacked.result}, {"axis": 0})]
            continue
        beside = {"shape": (len(clients), *(1 for _ in first.shape))}
        steps += [
            stacked,
            Step(f"shares_{place}", "reshape", {"x": "shares"}, beside),
            Step(f"parts_{place}", "multiply", {"a": stacked.result, "b": f"shares_{place}"}),
            Step(result, "reduce_sum", {"x": f"parts_{place}"}, {"axis": 0}),
        ]
    return steps, arrays


def _work(clients: Clients, examples: Array | None = None) -> Work:
    """That of the steps, without gradients; examples are ones, since they are divided by their sum."""
    shapes = [[shaped(weight) for weight in weights] for weights in clients]
    return Work(flops=work_of(*_average(shapes, None if examples is None else np.ones(examples.shape))).flops)


SHAPES = ((4, 3), (3,), (2, 1, 3), ())
"""Those of a small model's weights."""


def _samples(stream: Stream) -> Iterator[Sample]:
    """Numbers of examples that are equal, far apart and none at all; one client and many; magnitudes, NaN."""

    def sample(name: str, numbers: Sequence[int] | None, shapes: Any = SHAPES, **others: Any) -> Sample:
        clients = [
            [stream(name)(f"{client}_{place}").normal(shape) for place, shape in enumerate(shapes)]
            for client in range(3 if numbers is None else len(numbers))
        ]
        examples = None if numbers is None else np.array(numbers, np.float64)
        return Sample(name=name, inputs={"clients": clients, "examples": examples}, **{"dtypes": SINGLE, **others})

    yield Sample(name="plain_clients", inputs=sample("plain_clients", (40, 25, 7)).inputs)
    yield sample("size_large", (600, 5, 80, 120, 33, 9, 250), ((65, 33), (33,)))
    yield sample("size_many_clients", tuple(range(1, 101)), ((3,),))
    yield sample("unit_client", (12,))
    yield sample("unit_weight", (3, 4), ((1,),))
    yield sample("unit_example_of_each", (1, 1, 1))
    yield sample("bounds_client_without_examples", (6, 0, 3))
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", (40, 25, 7), memory=memory)
    yield sample("optional_no_examples", None)
    yield sample("magnitude_examples_far_apart", (1, 1_000_000, 30))
    for word, factor in (("small", 1e-20), ("large", 1e20)):
        scaled = sample(f"magnitude_{word}", (5, 2))
        clients: Any = scaled.inputs["clients"]
        given = {**scaled.inputs, "clients": [[asarray(weight * factor) for weight in weights] for weights in clients]}
        yield Sample(name=scaled.name, inputs=given, dtypes=SINGLE)
    undefined = sample("nan_one_weight", (5, 2))
    clients = undefined.inputs["clients"]
    clients[1][0][2, 1] = np.nan
    yield undefined


WORKLOADS = {"S": (4, (32, 16)), "M": (10, (256, 256)), "L": (10, (784, 512))}


def _workload(stream: Stream, size: str) -> Sample:
    """The weights and biases of a layer of each client."""
    clients, shape = WORKLOADS[size]
    drawn = [[ordinary(stream(f"{client}_{axes}"), shape[-axes:]) for axes in (2, 1)] for client in range(clients)]
    return Sample(name=size, inputs={"clients": drawn, "examples": np.arange(1.0, clients + 1.0)})


OPERATIONS = (
    Operation(
        function=federated_average,
        vjp=None,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=(),
        outputs=("parameters",),
        cotangents=(),
        workload=_workload,
        work=_work,
    ),
)
