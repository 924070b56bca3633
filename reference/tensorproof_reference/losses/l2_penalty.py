"""Penalty of squared weights: see ``l2_penalty``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.losses._penalty_samples import penalty_samples
from tensorproof_reference.losses._workloads import penalty_workload
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def l2_penalty(w: Array, *, strength: float = 0.01) -> Array:
    r"""The sum of squares of weights, times λ = ``strength``: :math:`y = λ \sum_i w_i^2`.

    Shapes: ``w`` any; the result is a single number, of shape (). Empty weights give 0.
    Special values: NaN gives NaN, ±∞ gives +∞ and the gradient ±∞ there. There is no factor 1/2.
    Raises: nothing.
    Source: the texts, 000 §6, 001 App. B.
    """
    return strength * np.sum(np.square(w))


def vjp(dy: Array, w: Array, *, strength: float = 0.01) -> Gradients:
    r""":math:`dw = 2 λ \, dy \, w`."""
    return {"w": 2.0 * strength * dy * w}


def samples(stream: Stream) -> Iterator[Sample]:
    """Weights of many shapes and magnitudes, strengths, NaN, infinities and zeros."""
    yield from penalty_samples(stream, kink=False)


def workload(stream: Stream, size: str) -> Sample:
    """A matrix of weights."""
    return penalty_workload(stream, size)


def work(w: Array, *, strength: float = 0.01) -> Work:
    """The squares, their sum, and a product with the strength; back, a product with twice strength and cotangent."""
    return Work(flops=2 * count(w), backward_flops=count(w) + 2)


OPERATION = Operation(
    function=l2_penalty,
    vjp=vjp,
    samples=samples,
    family="penalty",
    differentiable=("w",),
    documents=("000 §6", "001 App. B"),
    workload=workload,
    work=work,
)
