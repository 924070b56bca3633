"""Softmax: see ``softmax``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_axis
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import axis_samples
from tensorproof_reference.operations._workloads import count, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def softmax(x: Array, *, axis: int = -1) -> Array:
    r"""Exponentials of ``x`` along ``axis``, scaled to sum to one: :math:`y_k = e^{x_k} / \sum_j e^{x_j}`.

    The maximum along ``axis`` is subtracted first, which leaves the value as it is and keeps the exponentials in range.

    Shapes: ``x`` and the result are any shape of rank ≥ 1; ``axis`` counts from either end.
    Special values: -∞ gives 0; NaN or +∞ anywhere along ``axis`` gives NaN all along it, as does a row of -∞ only.
    An axis of size 0 gives an empty result.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: Goodfellow, Bengio & Courville (2016), eq. 4.1; the texts, 001 §3.3.
    """
    require_axis(x, "axis", axis)
    if x.size == 0:
        return x
    y = x - np.max(x, axis=axis, keepdims=True)
    np.exp(y, out=y)
    y /= np.sum(y, axis=axis, keepdims=True)
    return y


def vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    r""":math:`dx = y \odot (dy - \sum_k dy_k y_k)`."""
    y = softmax(x, axis=axis)
    dx = dy - np.sum(dy * y, axis=axis, keepdims=True)
    dx *= y
    return {"x": dx}


def samples(stream: Stream) -> Iterator[Sample]:
    """Rows, other axes, ties, wide spreads, cancellation, masks of -∞."""
    yield from axis_samples(stream, tie=0.25, pair=0.5, masked=0.0, exact_zero_of_one=("d_x",))


def workload(stream: Stream, size: str) -> Sample:
    """Rows of numbers of both signs."""
    return plane_workload(stream, size)


def work(x: Array, *, axis: int = -1) -> Work:
    """Maximum, difference, exponential, sum and quotient; back, a product, its sum, a difference and a product."""
    numbers, rows = count(x), count(x) // max(x.shape[axis], 1)
    return Work(flops=4 * numbers - 2 * rows, transcendentals=numbers, backward_flops=4 * numbers - rows)


OPERATION = Operation(
    function=softmax,
    vjp=vjp,
    samples=samples,
    family="axis",
    documents=("001 §3.3",),
    workload=workload,
    work=work,
)
