"""Logarithm of softmax: see ``log_softmax``."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_axis
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import axis_samples
from tensorproof_reference.operations._workloads import count, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def log_softmax(x: Array, *, axis: int = -1) -> Array:
    r"""The logarithm of softmax along ``axis``: :math:`y_k = x_k - \log \sum_j e^{x_j}`.

    The maximum m along ``axis`` is subtracted first, :math:`y_k = (x_k - m) - \log \sum_j e^{x_j - m}`, so that nothing
    overflows and no probability becomes 0 before its logarithm is taken.

    Shapes: ``x`` and the result are any shape of rank ≥ 1; ``axis`` counts from either end.
    Special values: -∞ gives -∞; NaN or +∞ anywhere along ``axis`` gives NaN all along it, as does a row of -∞ only.
    An axis of size 0 gives an empty result.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: Goodfellow, Bengio & Courville (2016), eq. 6.30.
    """
    require_axis(x, "axis", axis)
    if x.size == 0:
        return x
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    r""":math:`dx = dy - e^y \sum_k dy_k`."""
    y = log_softmax(x, axis=axis)
    return {"x": dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Rows, other axes, ties, wide spreads, cancellation, masks of -∞."""
    yield from axis_samples(stream, tie=-math.log(4.0), pair=-math.log(2.0), masked=-math.inf, exact_zero_of_one=("y", "d_x"))


def workload(stream: Stream, size: str) -> Sample:
    """Rows of numbers of both signs."""
    return plane_workload(stream, size)


def work(x: Array, *, axis: int = -1) -> Work:
    """Maximum, difference, exponential, sum, logarithm and difference.

    Back, the sum of the cotangents, the exponentials divided by theirs, a product and a difference.
    """
    numbers, rows = count(x), count(x) // max(x.shape[axis], 1)
    return Work(flops=4 * numbers - 2 * rows, transcendentals=numbers + rows, backward_flops=4 * numbers - rows)


OPERATION = Operation(
    function=log_softmax,
    vjp=vjp,
    samples=samples,
    family="axis",
    workload=workload,
    work=work,
)
