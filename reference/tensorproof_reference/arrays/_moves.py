"""What all operations that only move numbers share: their gradient, samples, workload and work. See ``moving``."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorproof_reference import trees
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import ordinary
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients, Tree

Shapes: TypeAlias = tuple[int, ...] | list[tuple[int, ...]]
"""The shape of an array, or those of a list of arrays."""

Cases: TypeAlias = Mapping[str, tuple[Shapes, Mapping[str, Any]]]
"""Samples by name: the shape of what is moved, and the keywords. The first is the plain one."""

PLANES: Mapping[str, tuple[int, int]] = {"S": (4, 512), "M": (512, 256), "L": (1024, 2048)}
"""What is timed by size: results may be twice as large."""


def numbered(tree: Tree) -> tuple[Tree, int]:
    """Arrays of these shapes whose elements are numbered from 1, through all of them; and how many there are."""
    total = 0

    def number(path: str, leaf: Array) -> Array:
        nonlocal total
        first, total = total + 1, total + math.prod(leaf.shape)
        return np.arange(first, total + 1).reshape(leaf.shape)

    return trees.replace_leaves(tree, number), total


def _went(function: Callable[..., Any], places: Tree, keywords: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the numbers went, by result; 0 where none did."""
    went = function(places, **({**keywords, "value": 0} if "value" in keywords else keywords))
    return went if isinstance(went, tuple) else (went,)


def moving_vjp(function: Callable[..., Any], argument: str) -> Callable[..., Gradients]:
    """The vector-Jacobian product of a function that moves numbers: each gets the sum of the gradients where it went.

    It is told by moving numbers that say where each came from, of which 0 is for what came from nowhere.
    """

    def vjp(cotangents: Any, *arguments: Any, **keywords: Any) -> Gradients:
        moved = arguments[0] if arguments else keywords.pop(argument)
        places, total = numbered(moved)
        went = _went(function, places, keywords)
        came = cotangents if isinstance(cotangents, tuple) else (cotangents,)
        found = np.zeros_like(came[0], shape=(total + 1,))
        flat = np.concatenate([part.reshape(-1) for part in came])
        np.add.at(found, np.concatenate([place.reshape(-1) for place in went]), flat)
        parts = trees.replace_leaves(places, lambda path, leaf: found[leaf.reshape(-1)].reshape(leaf.shape))
        return {argument: parts}

    return vjp


def moving_samples(stream: Stream, argument: str, cases: Cases) -> Iterator[Sample]:
    """The cases, and the plain one with special numbers and other strides; what is moved is moved exactly."""

    def drawn(name: str, shapes: Shapes) -> dict[str, Tree]:
        if isinstance(shapes, tuple):
            return {argument: np.asarray(ordinary(stream(name), shapes))}
        return {argument: [np.asarray(ordinary(stream(name)(str(place)), shape)) for place, shape in enumerate(shapes)]}

    for place, (name, (shapes, keywords)) in enumerate(cases.items()):
        dtypes = DTYPES if place == 0 or name.split("_")[0] in ("size", "optional") else SINGLE
        yield Sample(name=name, inputs=drawn(name, shapes), keywords=keywords, dtypes=dtypes)
    shapes, keywords = next(iter(cases.values()))
    for memory in ("transposed", "sliced"):
        name = f"strided_{memory}"
        yield Sample(name=name, inputs=drawn(name, shapes), keywords=keywords, memory=memory)
    for name, values in (
        ("nan_each_lane", (np.nan,)),
        ("infinity_each_lane", (-np.inf, np.inf)),
        ("zero_signed", (-0.0, 0.0, -0.0)),
    ):

        def among(path: str, leaf: Array, values: tuple[float, ...] = values) -> Array:
            flat = leaf.reshape(-1).copy()
            flat[::3] = np.resize(np.array(values), len(flat[::3]))
            return flat.reshape(leaf.shape)

        inputs = trees.replace_leaves(drawn(name, shapes), among)
        yield Sample(name=name, inputs=inputs, keywords=keywords, sign_of_zero=True)


def moving(
    function: Callable[..., Any],
    cases: Cases,
    timed: Callable[[int, int], Mapping[str, Any]],
    *,
    argument: str = "x",
    outputs: tuple[str, ...] = ("y",),
    timed_shape: Callable[[int, int], tuple[int, ...]] = lambda rows, columns: (rows, columns),
) -> Operation:
    """The operation of a function that only moves numbers.

    Args:
        function: the function, whose docstring is the specification.
        cases: its samples.
        timed: the keywords with which a plane of that many rows and columns is timed.
        argument: what is moved: ``x``, or ``arrays`` for two.
        outputs: the names of its results.
        timed_shape: the shape of what is timed, of so many rows and columns.
    """

    def workload(stream: Stream, size: str) -> Sample:
        drawn = [ordinary(stream(str(place)), timed_shape(*PLANES[size])) for place in range(1 if argument == "x" else 2)]
        return Sample(name=size, inputs={argument: drawn[0] if argument == "x" else drawn}, keywords=timed(*PLANES[size]))

    return Operation(
        function=function,
        vjp=moving_vjp(function, argument),
        samples=lambda stream: moving_samples(stream, argument, cases),
        family="moving",
        profile=EXTENDED,
        differentiable=(argument,),
        outputs=outputs,
        cotangents=outputs,
        workload=workload,
        work=_additions(function, argument),
    )


def _additions(function: Callable[..., Any], argument: str) -> Callable[..., Work]:
    """The work of copying, and of adding up what comes back to one number, in a function with the operation's own arguments."""

    def work(*arguments: Any, **keywords: Any) -> Work:
        moved = arguments[0] if arguments else keywords.pop(argument)
        places, total = numbered(moved)
        went = _went(function, places, keywords)
        times = np.bincount(np.concatenate([place.reshape(-1) for place in went]), minlength=total + 1)
        return Work(flops=0, backward_flops=int(np.sum(np.maximum(times[1:] - 1, 0))))

    signed: Any = work
    signed.__signature__ = inspect.signature(function)
    return work
