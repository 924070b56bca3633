"""Penalty of absolute weights: see ``l1_penalty``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.losses._penalty_samples import penalty_samples
from tensorproof_reference.losses._workloads import penalty_workload
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def l1_penalty(w: Array, *, strength: float = 0.01) -> Array:
    r"""The sum of absolute values of weights, times λ = ``strength``: :math:`y = λ \sum_i |w_i|`.

    Shapes: ``w`` any; the result is a single number, of shape (). Empty weights give 0.
    Special values: NaN gives NaN, ±∞ gives +∞. The derivative at 0 is 0, at NaN it is NaN; frameworks differ in both, so no
    required sample asks.
    Raises: nothing.
    Source: the texts, 000 §6, 001 App. B.
    """
    return strength * np.sum(np.abs(w))


def vjp(dy: Array, w: Array, *, strength: float = 0.01) -> Gradients:
    r""":math:`dw = dy \, λ \, \mathrm{sign}(w)`."""
    return {"w": dy * strength * np.sign(w)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Weights of many shapes and magnitudes, strengths, NaN, infinities and zeros."""
    yield from penalty_samples(stream, kink=True)


def workload(stream: Stream, size: str) -> Sample:
    """A matrix of weights."""
    return penalty_workload(stream, size)


def work(w: Array, *, strength: float = 0.01) -> Work:
    """The sum, and a product with the strength; back, a product with the sign."""
    return Work(flops=count(w), backward_flops=count(w) + 1)


OPERATION = Operation(
    function=l1_penalty,
    vjp=vjp,
    samples=samples,
    family="penalty",
    differentiable=("w",),
    documents=("000 §6", "001 App. B"),
    workload=workload,
    work=work,
)
