"""Logistic sigmoid: see ``sigmoid``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import elementwise_samples
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def sigmoid(x: Array) -> Array:
    r"""The logistic function of each number: :math:`y = 1/(1 + e^{-x})`.

    Computed as :math:`e^{\min(x, 0)} / (1 + e^{-|x|})`, the same fraction with exponentials that cannot overflow.

    Shapes: any; the result has that of ``x``.
    Special values: -∞ gives 0, +∞ gives 1, NaN gives NaN. The gradient at ±∞ is 0.
    Raises: nothing.
    Source: the texts, 000 §3.1.2, 002 §3.3.3, 004 §3.2.
    """
    return np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))


def vjp(dy: Array, x: Array) -> Gradients:
    r""":math:`dx = dy \odot y (1 - y)`."""
    y = sigmoid(x)
    return {"x": dy * (y * (1.0 - y))}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function; it saturates at 0 and 1."""
    yield from elementwise_samples(stream, at_infinity=(0.0, 1.0), at_zero=(0.5, 0.5), slope_at_infinity=(0.0, 0.0))


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array) -> Work:
    """An exponential, a sum and a quotient; back, two products and a difference."""
    return each(count(x), flops=2, transcendentals=1, backward=3)


OPERATION = Operation(
    function=sigmoid,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    documents=("000 §3.1.2", "002 §3.3.3", "004 §3.2"),
    workload=workload,
    work=work,
)
