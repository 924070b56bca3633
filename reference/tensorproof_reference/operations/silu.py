"""Sigmoid linear unit: see ``silu``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import elementwise_samples
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def silu(x: Array) -> Array:
    r"""Each number times its logistic sigmoid: :math:`y = x/(1 + e^{-x})`. Also called swish.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; +∞ gives +∞; -∞ gives NaN, as -∞ · 0 does (the limit is 0, but the frameworks compute the
    product); ±0 gives ±0. The gradient at -∞ and +∞ is NaN for the same reason.
    Raises: nothing.
    Source: Hendrycks & Gimpel (2016); Elfwing, Uchibe & Doya (2018), eq. 2; Ramachandran, Zoph & Le (2017).
    """
    return x * sigmoid(x)


def vjp(dy: Array, x: Array) -> Gradients:
    r""":math:`dx = dy \odot (σ + x σ (1 - σ))` with :math:`σ = 1/(1 + e^{-x})`."""
    y = sigmoid(x)
    return {"x": dy * (y * (1.0 + x * (1.0 - y)))}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function."""
    yield from elementwise_samples(
        stream, at_infinity=(np.nan, np.inf), at_zero=(-0.0, 0.0), slope_at_infinity=(np.nan, np.nan), sign_of_zero=True
    )


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array) -> Work:
    """That of ``sigmoid`` and a product; back, dy (σ + y (1 - σ))."""
    return each(count(x), flops=3, transcendentals=1, backward=4)


OPERATION = Operation(
    function=silu,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    workload=workload,
    work=work,
)
