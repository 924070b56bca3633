"""Rectified linear unit: see ``relu``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import alternating, elementwise_samples, sprinkled
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def relu(x: Array) -> Array:
    r"""The positive part of each number: :math:`y = \max(0, x)`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives 0, +∞ gives +∞. The derivative at 0 is 0. The gradient at NaN is 0, for NaN > 0
    is false; frameworks that pass the cotangent there instead test NaN ≤ 0, so no required sample asks.
    Raises: nothing.
    Source: the texts, 000 §3.1.2, 002 §3.3.5, 004 §3.2.
    """
    return np.maximum(x, 0.0)


def vjp(dy: Array, x: Array) -> Gradients:
    r""":math:`dx = dy` where :math:`x > 0`, and 0 elsewhere."""
    return {"x": np.where(x > 0, dy, 0.0)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function, and the kink at zero."""
    yield from elementwise_samples(stream, at_infinity=(0.0, np.inf), at_zero=(0.0, 0.0), nan_gradient=False, zero_gradient=False)
    kink = sprinkled(stream("kink_among_others"), (-0.0, 0.0))
    yield Sample(name="kink_among_others", inputs={"x": kink})
    zeros = alternating(-0.0, 0.0)
    yield Sample(name="kink_zero", inputs={"x": zeros}, expected={"y": np.abs(zeros), "d_x": np.abs(zeros)})


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array) -> Work:
    """A maximum; back, the cotangent times 0 or 1."""
    return each(count(x), flops=1, backward=1)


OPERATION = Operation(
    function=relu,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    documents=("000 §3.1.2", "002 §3.3.5", "004 §3.2"),
    workload=workload,
    work=work,
)
