"""Softplus: see ``softplus``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, elementwise_samples
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

_LOG_2 = 0.6931471805599453


def softplus(x: Array) -> Array:
    r"""A smooth positive part of each number: :math:`y = \log(1 + e^x)`.

    Computed as :math:`\max(x, 0) + \log(1 + e^{-|x|})`, which neither overflows nor loses e^x against the one.

    Shapes: any; the result has that of ``x``.
    Special values: -∞ gives 0, +∞ gives +∞, NaN gives NaN. The derivative is the logistic sigmoid, also at ±∞.
    Raises: nothing.
    Source: Dugas et al. (2001); Goodfellow, Bengio & Courville (2016), eq. 3.31.
    """
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def vjp(dy: Array, x: Array) -> Gradients:
    r""":math:`dx = dy \odot 1/(1 + e^{-x})`."""
    return {"x": dy * sigmoid(x)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function; the tails, where e^x is lost against 1, and 1 against e^x."""
    yield from elementwise_samples(stream, at_infinity=(0.0, np.inf), at_zero=(_LOG_2, _LOG_2))
    tail = stream("magnitude_tail").uniform(PLAIN_SHAPE, -12.0, -4.0)
    yield Sample(name="magnitude_tail", inputs={"x": tail})
    positive = stream("magnitude_tail_positive").uniform(PLAIN_SHAPE, 8.0, 300.0)
    yield Sample(name="magnitude_tail_positive", inputs={"x": positive})


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array) -> Work:
    """An exponential, a logarithm of one more, a maximum and a sum; back, dy / (1 + e^-x) from that exponential."""
    return each(count(x), flops=2, transcendentals=2, backward=3)


OPERATION = Operation(
    function=softplus,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    workload=workload,
    work=work,
)
