"""Choices between two numbers: the larger, the smaller, and by a condition; with broadcasting."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE
from tensorproof_reference.operations._workloads import PLANES, count, each
from tensorproof_reference.primitives._binary import (
    Points,
    Specials,
    between_eighths,
    binary_samples,
    eighths,
    no_zero,
    of_shape,
    plane_of_both,
)
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INF, NAN = math.inf, math.nan
TIES = ("halves", "first")


def maximum(a: Array, b: Array, *, ties: str = "halves") -> Array:
    """The larger of each pair of numbers. Its gradient goes to the larger one.

    ``ties``: where both are equal, ``halves`` gives each half of the gradient, and ``first`` all of it to ``a``.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: NaN gives NaN. Of +0 and -0 either may come. No sample asks for the gradient at NaN.
    Raises: ``ValueError`` for another word, or if the shapes do not broadcast.
    Source: the Python array API standard, 2024.12; IEEE 754-2019 §9.6.
    """
    require_choice(ties, "ties", TIES)
    return np.maximum(a, b)


def minimum(a: Array, b: Array, *, ties: str = "halves") -> Array:
    """The smaller of each pair of numbers. Its gradient goes to the smaller one.

    ``ties``: where both are equal, ``halves`` gives each half of the gradient, and ``first`` all of it to ``a``.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: NaN gives NaN. Of +0 and -0 either may come. No sample asks for the gradient at NaN.
    Raises: ``ValueError`` for another word, or if the shapes do not broadcast.
    Source: the Python array API standard, 2024.12; IEEE 754-2019 §9.6.
    """
    require_choice(ties, "ties", TIES)
    return np.minimum(a, b)


def where(condition: Array, a: Array, b: Array) -> Array:
    """``a`` where the condition holds, and ``b`` elsewhere. The gradient goes to what was taken, and is 0 elsewhere.

    Shapes: any that broadcast; the result has the shape of all three together. ``condition`` is boolean.
    Special values: NaN and infinities that are not taken leave no trace, in the gradient neither. Exact.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: the Python array API standard, 2024.12.
    """
    return np.where(condition, a, b)


def _extreme_vjp(above: Callable[[Array, Array], Array]) -> Callable[..., Gradients]:
    """The vector-Jacobian product of the function that takes ``a`` where ``above`` holds."""

    def vjp(dy: Array, a: Array, b: Array, *, ties: str = "halves") -> Gradients:
        nothing = np.zeros_like(dy)
        tied_a, tied_b = (0.5 * dy, 0.5 * dy) if ties == "halves" else (dy, nothing)
        of_a = np.where(above(a, b), dy, np.where(a == b, tied_a, nothing))
        of_b = np.where(above(b, a), dy, np.where(a == b, tied_b, nothing))
        return {"a": of_shape(of_a, a.shape), "b": of_shape(of_b, b.shape)}

    return vjp


def _extreme(function: Callable[..., Array], above: Callable[[Array, Array], Array], larger: Callable[..., Any]) -> Operation:
    def points(*pairs: tuple[float, float]) -> Points:
        return tuple((a, b, NAN if math.isnan(a) or math.isnan(b) else larger(a, b)) for a, b in pairs)

    specials = Specials(
        zero=points((0.0, 0.5), (0.0, -0.5), (-1.5, 0.0), (2.0, 0.0)),
        infinity=points((INF, 1.0), (1.0, INF), (-INF, 1.0), (2.0, -INF), (-INF, INF), (INF, -INF), (-INF, -2.0)),
        nan=points((NAN, 1.0), (1.0, NAN), (NAN, NAN), (NAN, INF), (-INF, NAN), (NAN, -INF), (INF, NAN)),
    )

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from binary_samples(stream, eighths, between_eighths, specials, ("small", "moderate", "large", "huge", "largest"))
        tied = {"a": stream("ties")("a").grid(PLAIN_SHAPE), "b": stream("ties")("b").grid(PLAIN_SHAPE)}
        yield Sample(name="ties_as_the_backend_has_them", inputs=tied)
        for ties in TIES:
            yield Sample(name=f"ties_{ties}", inputs=tied, keywords={"ties": ties}, required=False)

    def workload(stream: Stream, size: str) -> Sample:
        return plane_of_both(eighths, between_eighths, stream, size)

    def work(a: Array, b: Array, *, ties: str = "halves") -> Work:
        return each(max(count(a), count(b)), flops=1)

    return Operation(
        function=function,
        vjp=_extreme_vjp(above),
        samples=samples,
        family="binary",
        profile=EXTENDED,
        differentiable=("a", "b"),
        conventions={"ties": TIES},
        workload=workload,
        work=work,
    )


def _where_vjp(dy: Array, condition: Array, a: Array, b: Array) -> Gradients:
    nothing = np.zeros_like(dy)
    return {"a": of_shape(np.where(condition, dy, nothing), a.shape), "b": of_shape(np.where(condition, nothing, dy), b.shape)}


def _condition(stream: Stream, shape: tuple[int, ...]) -> Array:
    return stream.integers(shape, 0, 2) == 1


BESIDE = {
    "broadcast_condition_row": ((11,), (7, 11), (7, 11)),
    "broadcast_condition_column": ((7, 1), (7, 11), (1, 11)),
    "broadcast_condition_alone": ((7, 11), (1, 1), ()),
    "broadcast_all_three": ((5, 1, 1), (4, 1), (1, 3)),
}
"""The shapes of all three operands by sample."""


def _where_samples(stream: Stream) -> Iterator[Sample]:
    both = Specials(
        zero=((0.0, 1.0, 0.0), (-0.0, 1.0, -0.0)),
        infinity=((INF, 1.0, INF), (-INF, INF, -INF)),
        nan=((1.0, NAN, 1.0), (NAN, 1.0, NAN)),
    )
    for sample in binary_samples(stream, no_zero, no_zero, both, ("largest",)):
        shape = np.broadcast_shapes(*(np.shape(leaf) for leaf in sample.inputs.values()))
        taken = np.ones(shape, np.bool_) if sample.expected else _condition(stream(sample.name)("condition"), shape)
        # What is not taken must leave no trace: the gradients at NaN and infinity are asked for.
        gradient = sample.gradient or sample.name.startswith(("nan", "infinity"))
        yield Sample(**{**vars(sample), "inputs": {"condition": taken, **sample.inputs}, "gradient": gradient})
    for name, (condition, a, b) in BESIDE.items():
        inputs = {
            "condition": _condition(stream(name)("condition"), condition),
            "a": no_zero(stream(name)("a"), a),
            "b": no_zero(stream(name)("b"), b),
        }
        yield Sample(name=name, inputs=inputs, dtypes=SINGLE)


def _where_workload(stream: Stream, size: str) -> Sample:
    sample = plane_of_both(no_zero, no_zero, stream, size)
    return Sample(name=size, inputs={"condition": _condition(stream("condition"), PLANES[size]), **sample.inputs})


def _where_work(condition: Array, a: Array, b: Array) -> Work:
    return each(max(count(condition), count(a), count(b)), flops=0)


OPERATIONS = (
    _extreme(maximum, np.greater, max),
    _extreme(minimum, np.less, min),
    Operation(
        function=where,
        vjp=_where_vjp,
        samples=_where_samples,
        family="binary",
        profile=EXTENDED,
        differentiable=("a", "b"),
        workload=_where_workload,
        work=_where_work,
    ),
)
